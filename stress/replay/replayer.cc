// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/replay/replayer.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace paddock {
namespace {

constexpr uint64_t kChunkPages = 64;
constexpr int kAttempts = 20;

PropertyEdit EditToAccess(TraceAccess access) {
  const PageFlags set = PropertyOfAccess(access).flags;
  constexpr PageFlags kRights = PageFlags::kWrite | PageFlags::kExecute | PageFlags::kUser;
  return {.set = set, .clear = kRights & ~set};
}

}  // namespace

PageProperty PropertyOfAccess(TraceAccess access) {
  PageProperty property = kReadKernel;
  if (access != 0) property.flags |= PageFlags::kUser;
  if ((access & kTraceWrite) != 0) property.flags |= PageFlags::kWrite;
  if ((access & kTraceExecute) != 0) property.flags |= PageFlags::kExecute;
  return property;
}

absl::Status Replayer::Replay(const SpaceRef& space, const TraceOperation& operation) {
  const PageProperty property = PropertyOfAccess(operation.access);
  switch (operation.kind) {
    case TraceOpKind::kFault:
      return Fault(space, operation);
    case TraceOpKind::kReserve: {
      absl::Status status = Unmap(space, operation.range);
      if (!status.ok() || operation.backing == TraceBacking::kOnFault) return status;
      return Populate(space, operation.range, property);
    }
    case TraceOpKind::kProtect:
      return Protect(space, operation.range, operation.access);
    case TraceOpKind::kUnmap:
    case TraceOpKind::kDiscard:
    case TraceOpKind::kShrink:
    case TraceOpKind::kHeapShrink:
      return Unmap(space, operation.range);
    case TraceOpKind::kPopulate:
      return Populate(space, operation.range, property);
    case TraceOpKind::kMove:
      return Move(space, operation);
    case TraceOpKind::kGrow:
    case TraceOpKind::kHeapGrow:
      return absl::OkStatus();
  }
  return absl::InvalidArgumentError("no operation of a recording");
}

absl::Status Replayer::Insist(absl::FunctionRef<absl::Status()> attempt) {
  absl::Status status;
  for (int i = 0; i < kAttempts; ++i) {
    if (stream_.world().failed()) return absl::CancelledError("the world has failed");
    status = attempt();
    if (!absl::IsResourceExhausted(status)) return status;
    stream_.Relieve();
  }
  stream_.world().FailForMemory("for the recording");
  return status;
}

absl::Status Replayer::Fault(const SpaceRef& space, const TraceOperation& operation) {
  absl::Status status = Populate(space, operation.range, PropertyOfAccess(operation.access));
  const bool writable = (operation.access & kTraceWrite) != 0;
  stream_.Access(space, operation.range.start, writable ? AccessKind::kStore : AccessKind::kLoad);
  ++faults_;
  if (faults_ % 4 == 0) stream_.Walk(space, operation.range.start);
  return status;
}

absl::Status Replayer::Populate(const SpaceRef& space, VirtRange range, PageProperty property) {
  absl::Status status;
  for (VirtAddr at = range.start; at != range.end;) {
    const uint64_t left = range.end.value() - at.value();
    const VirtRange chunk{at, at.Plus(std::min(left, kChunkPages * kPageSize))};
    status.Update(PopulateChunk(space, chunk, property));
    at = chunk.end;
  }
  return status;
}

absl::Status Replayer::PopulateChunk(const SpaceRef& space, VirtRange range,
                                     PageProperty property) {
  std::vector<MappedFrames> items;
  bool found_frames = true;
  absl::Status status = Insist([&] {
    while (found_frames && items.size() < range.size() / kPageSize) {
      std::optional<USegment> frame = stream_.Allocate(1);
      found_frames = frame.has_value();
      if (frame) items.emplace_back(*std::move(frame), property);
    }
    return found_frames ? MapAbsent(space, range, items) : absl::OkStatus();
  });
  // Allocate has waited for one already.
  return found_frames ? status : absl::ResourceExhaustedError("no frame to populate with");
}

absl::Status Replayer::MapAbsent(const SpaceRef& space, VirtRange range,
                                 std::vector<MappedFrames>& items) {
  RecordedCursor cursor(stream_, space);
  absl::Status status = cursor.Open({.range = range, .anchor = Anchor::kLow});
  while (status.ok() && cursor.remaining() != 0) {
    absl::StatusOr<QueryResult> found = cursor.Query();
    if (!found.ok()) return found.status();
    if (found->item) {
      status = cursor.Jump(cursor.virt_addr().Plus(kPageSize));
    } else {
      status = cursor.Map(std::move(items.back()));
      if (status.ok()) items.pop_back();
    }
  }
  return status;
}

absl::Status Replayer::Unmap(const SpaceRef& space, VirtRange range) {
  return Insist([&]() -> absl::Status {
    RecordedCursor cursor(stream_, space);
    absl::Status status = cursor.Open({.range = range, .intent = Intent::kNoMap});
    return status.ok() ? cursor.Unmap(range.size()) : status;
  });
}

absl::Status Replayer::Protect(const SpaceRef& space, VirtRange range, TraceAccess access) {
  return Insist([&]() -> absl::Status {
    RecordedCursor cursor(stream_, space);
    absl::Status status = cursor.Open({.range = range, .intent = Intent::kNoMap});
    return status.ok() ? cursor.Protect(range.size(), EditToAccess(access)) : status;
  });
}

absl::Status Replayer::Move(const SpaceRef& space, const TraceOperation& operation) {
  struct MovedPage {
    uint64_t offset;
    MappedFrames item;
  };
  std::vector<MovedPage> pages;
  const VirtRange source = operation.source;
  const VirtRange target = operation.range;
  absl::Status all;
  if (!source.IsEmpty()) {
    all = Insist([&]() -> absl::Status {
      RecordedCursor cursor(stream_, space);
      absl::Status status = cursor.Open({.range = source, .intent = Intent::kNoMap});
      while (status.ok() && cursor.remaining() != 0) {
        absl::StatusOr<std::optional<VirtAddr>> next = cursor.FindNext(cursor.remaining());
        if (!next.ok() || !*next) return next.status();
        const uint64_t offset = (*next)->value() - source.start.value();
        // One page at a time: of a table that is taken whole the pages would be lost.
        absl::StatusOr<std::optional<VmSpace::CursorMut::Taken>> taken = cursor.TakeNext(kPageSize);
        if (!taken.ok()) return taken.status();
        if (*taken && (*taken)->item && offset < target.size()) {
          pages.push_back({offset, *std::move((*taken)->item)});
        }
      }
      return status;
    });
  }
  all.Update(Unmap(space, target));
  // Sparse areas are moved page by page: a cursor over all of it would create tables for nothing
  // only where there are pages anyway.
  for (MovedPage& page : pages) {
    const VirtAddr va = target.start.Plus(page.offset);
    const auto map = [&]() -> absl::Status {
      RecordedCursor cursor(stream_, space);
      absl::Status status =
          cursor.Open({.range = {va, va.Plus(kPageSize)}, .anchor = Anchor::kLow});
      return status.ok() ? cursor.Map(std::move(page.item), Provenance::kMoved) : status;
    };
    all.Update(Insist(map));
  }
  return all;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/replay/replayer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "paddock/core/space/mapped_frames.h"

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

bool Replayer::Replay(const SpaceRef& space, const TraceOperation& operation) {
  const PageProperty property = PropertyOfAccess(operation.access);
  switch (operation.kind) {
    case TraceOpKind::kFault:
      return Fault(space, operation);
    case TraceOpKind::kReserve:
      return Unmap(space, operation.range) && (operation.backing == TraceBacking::kOnFault ||
                                               Populate(space, operation.range, property));
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
      return true;
  }
  return false;
}

bool Replayer::Insist(absl::FunctionRef<absl::Status()> attempt) {
  for (int i = 0; i < kAttempts && !stream_.world().failed(); ++i) {
    const absl::Status status = attempt();
    if (!absl::IsResourceExhausted(status)) return status.ok();
    stream_.Relieve();
  }
  stream_.world().FailForMemory("for the recording");
  return false;
}

bool Replayer::Fault(const SpaceRef& space, const TraceOperation& operation) {
  const bool mapped = Populate(space, operation.range, PropertyOfAccess(operation.access));
  const bool writable = (operation.access & kTraceWrite) != 0;
  stream_.Access(space, operation.range.start, writable ? AccessKind::kStore : AccessKind::kLoad);
  ++faults_;
  if (faults_ % 4 == 0) stream_.Walk(space, operation.range.start);
  return mapped;
}

bool Replayer::Populate(const SpaceRef& space, VirtRange range, PageProperty property) {
  bool all = true;
  for (VirtAddr at = range.start; at != range.end && !stream_.world().failed();) {
    const uint64_t left = range.end.value() - at.value();
    const VirtRange chunk{at, at.Plus(std::min(left, kChunkPages * kPageSize))};
    all = Insist([&] { return PopulateChunk(space, chunk, property); }) && all;
    at = chunk.end;
  }
  return all && !stream_.world().failed();
}

absl::Status Replayer::PopulateChunk(const SpaceRef& space, VirtRange range,
                                     PageProperty property) {
  std::vector<USegment> frames;
  for (uint64_t i = 0; i < range.size() / kPageSize; ++i) {
    std::optional<USegment> frame = stream_.Allocate(1);
    // The world has failed, or it was to happen; either way no further attempt would help.
    if (!frame) return absl::CancelledError("no frame to populate with");
    frames.push_back(*std::move(frame));
  }
  RecordedCursor cursor(stream_, space);
  absl::Status status = cursor.Open({.range = range, .anchor = Anchor::kLow});
  while (status.ok() && cursor.remaining() != 0) {
    absl::StatusOr<QueryResult> found = cursor.Query();
    if (!found.ok()) return found.status();
    if (found->item) {
      status = cursor.Jump(cursor.virt_addr().Plus(kPageSize));
    } else {
      USegment frame = std::move(frames.back());
      frames.pop_back();
      status = cursor.Map(MappedFrames(std::move(frame), property));
    }
  }
  return status;
}

bool Replayer::Unmap(const SpaceRef& space, VirtRange range) {
  return Insist([&]() -> absl::Status {
    RecordedCursor cursor(stream_, space);
    absl::Status status = cursor.Open({.range = range, .intent = Intent::kNoMap});
    return status.ok() ? cursor.Unmap(range.size()) : status;
  });
}

bool Replayer::Protect(const SpaceRef& space, VirtRange range, TraceAccess access) {
  return Insist([&]() -> absl::Status {
    RecordedCursor cursor(stream_, space);
    absl::Status status = cursor.Open({.range = range, .intent = Intent::kNoMap});
    return status.ok() ? cursor.Protect(range.size(), EditToAccess(access)) : status;
  });
}

bool Replayer::Move(const SpaceRef& space, const TraceOperation& operation) {
  struct MovedPage {
    uint64_t offset;
    MappedFrames item;
  };
  std::vector<MovedPage> pages;
  const VirtRange source = operation.source;
  const VirtRange target = operation.range;
  bool all = true;
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
  all = Unmap(space, target) && all;
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
    all = Insist(map) && all;
  }
  return all;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/recorded_cursor.h"

#include <utility>

namespace paddock {

absl::Status RecordedCursor::Judge(std::string_view what, Needs needs, VirtRange range,
                                   absl::Status status) {
  if (status.ok()) return status;
  if (absl::IsResourceExhausted(status) && needs == Needs::kTables) {
    stream_.NoteExhausted(what, range, status);
  } else {
    stream_.ReportError(what, range, status);
  }
  return status;
}

absl::Status RecordedCursor::Open(const OpenOp& how) {
  stream_.Starts<OpenOp>(space_.id, how.range);
  CursorOptions options{.intent = how.intent, .anchor = how.anchor, .wait = how.wait};
  stream_.StartLap();
  if (how.wait == Wait::kDeadline) options.deadline_ns = sync::NowNs() + kDeadlineNs;
  absl::Status status;
  if (how.kind == CursorKind::kChange) {
    absl::StatusOr<VmSpace::CursorMut> cursor =
        space_.space->OpenCursorMut(stream_.pin(), how.range, options);
    status = cursor.status();
    if (status.ok()) change_.emplace(*std::move(cursor));
  } else {
    absl::StatusOr<VmSpace::Cursor> cursor =
        space_.space->OpenCursor(stream_.pin(), how.range, options);
    status = cursor.status();
    if (status.ok()) look_.emplace(*std::move(cursor));
  }
  if (!status.ok()) {
    const bool refused = (how.wait == Wait::kTry && absl::IsUnavailable(status)) ||
                         (how.wait == Wait::kDeadline && absl::IsDeadlineExceeded(status));
    if (!refused) return Judge("opening a cursor", Needs::kTables, how.range, std::move(status));
    ++stream_.stats().not_opened;
    return status;
  }
  stream_.log().Begin(space_.id, stream_.pin().cpu().value, how.range, stream_.Lap<OpenOp>());
  stream_.CountOpened();
  stream_.injector().AtLockBoundary();
  return absl::OkStatus();
}

void RecordedCursor::Close() {
  if (!open()) return;
  stream_.injector().AtLockBoundary();
  stream_.Starts<CloseOp>(space_.id, range());
  stream_.StartLap();
  stream_.log().End(sync::NowNs());
  change_.reset();
  look_.reset();
  stream_.Lap<CloseOp>();
}

absl::Status RecordedCursor::Map(MappedFrames&& item, Provenance provenance) {
  const FrameRun run = item.frames.run();
  const PageProperty property = item.property;
  const VirtRange range = Ahead(run.pages * kPageSize);
  stream_.Starts<MapOp>(space_.id, range);
  FrameStamps& stamps = stream_.world().stamps();
  for (uint64_t i = 0; i < run.pages; ++i) {
    const PhysAddr frame = run.start.Plus(i * kPageSize);
    if (provenance == Provenance::kMoved) {
      stamps.MarkMoved(frame, space_.id);
    } else {
      stamps.Write(frame, MakeStamp(space_.id, range.start.Plus(i * kPageSize)));
    }
  }
  const MetaSlot& slot = stream_.machine().frames().slot(run.start);
  // order: relaxed; it changes when a frame is freed, and this one is ours.
  const uint32_t generation = slot.generation.load(sync::relaxed);
  absl::Status status = change_->Map(std::move(item));
  const uint64_t now = stream_.Lap<MapOp>();
  if (!status.ok()) return Judge("map", Needs::kTables, range, std::move(status));
  stream_.log().Map(range, run.start, property);
  const uint32_t cpu = stream_.pin().cpu().value;
  stream_.world().oracles().history.Record(cpu, {.ns = now,
                                                 .frame = run.start.value(),
                                                 .va = range.start.value(),
                                                 .pages = static_cast<uint32_t>(run.pages),
                                                 .generation = generation,
                                                 .space = space_.id,
                                                 .cpu = cpu});
  return status;
}

absl::Status RecordedCursor::Unmap(uint64_t bytes) {
  const VirtRange range = Ahead(bytes);
  stream_.Starts<UnmapOp>(space_.id, range);
  absl::StatusOr<Removed> removed = change_->Unmap(bytes);
  stream_.Lap<UnmapOp>();
  if (!removed.ok()) return Judge("unmap", Needs::kTables, range, removed.status());
  stream_.log().Unmap(range, removed->pages);
  return absl::OkStatus();
}

absl::Status RecordedCursor::Protect(uint64_t bytes, const PropertyEdit& edit) {
  const VirtRange range = Ahead(bytes);
  stream_.Starts<ProtectOp>(space_.id, range);
  absl::StatusOr<uint64_t> pages = change_->Protect(bytes, edit);
  stream_.Lap<ProtectOp>();
  if (!pages.ok()) return Judge("protect", Needs::kTables, range, pages.status());
  stream_.log().Protect(range, edit, *pages);
  return absl::OkStatus();
}

absl::Status RecordedCursor::ProtectNext(uint64_t bytes, const PropertyEdit& edit) {
  const VirtRange range = Ahead(bytes);
  stream_.Starts<ProtectNextOp>(space_.id, range);
  absl::StatusOr<std::optional<Protected>> next = change_->ProtectNext(bytes, edit);
  stream_.Lap<ProtectNextOp>();
  if (!next.ok()) return Judge("protect_next", Needs::kTables, range, next.status());
  if (*next) {
    stream_.log().ProtectNext(range, (*next)->range, (*next)->before, edit);
  } else {
    stream_.log().FoundNothing(LoggedKind::kProtectNext, range);
  }
  return absl::OkStatus();
}

absl::StatusOr<QueryResult> RecordedCursor::Query() {
  const VirtRange range = Ahead(kPageSize);
  stream_.Starts<QueryOp>(space_.id, range);
  absl::StatusOr<QueryResult> found = base().Query();
  stream_.Lap<QueryOp>();
  if (!found.ok()) return Judge("query", Needs::kNothing, range, found.status());
  if (found->item) {
    stream_.log().QueryMapped(range.start, found->range, found->item->frame, found->item->property);
  } else {
    stream_.log().QueryAbsent(range.start, found->range);
  }
  return found;
}

absl::StatusOr<std::optional<VirtAddr>> RecordedCursor::FindNext(uint64_t bytes) {
  const VirtRange range = Ahead(bytes);
  stream_.Starts<FindNextOp>(space_.id, range);
  absl::StatusOr<std::optional<VirtAddr>> found = base().FindNext(bytes);
  stream_.Lap<FindNextOp>();
  if (!found.ok()) return Judge("find_next", Needs::kNothing, range, found.status());
  stream_.log().FindNext(range, *found);
  return found;
}

absl::Status RecordedCursor::Jump(VirtAddr to) {
  absl::Status status = base().Jump(to);
  stream_.Lap<JumpOp>();
  if (!status.ok()) return Judge("jump", Needs::kNothing, VirtRange{to, to}, std::move(status));
  return status;
}

absl::StatusOr<std::optional<VmSpace::CursorMut::Taken>> RecordedCursor::TakeNext(uint64_t bytes) {
  const VirtRange range = Ahead(bytes);
  stream_.Starts<TakeNextOp>(space_.id, range);
  absl::StatusOr<std::optional<VmSpace::CursorMut::Taken>> taken = change_->TakeNext(bytes);
  stream_.Lap<TakeNextOp>();
  if (!taken.ok()) return Judge("take_next", Needs::kTables, range, taken.status());
  if (!*taken) {
    stream_.log().FoundNothing(LoggedKind::kTakeNext, range);
  } else if (const std::optional<MappedFrames>& item = (*taken)->item) {
    stream_.log().TakeItem(range, (*taken)->range, (*taken)->pages, item->frames.start(),
                           item->frames.pages(), item->property);
  } else {
    stream_.log().TakeTable(range, (*taken)->range, (*taken)->pages);
  }
  return taken;
}

void RecordedCursor::Sync() {
  stream_.Starts<SyncOp>(space_.id, range());
  change_->flusher().Sync();
  stream_.Lap<SyncOp>();
}

}  // namespace paddock

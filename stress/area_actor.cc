// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/area_actor.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"

namespace paddock {
namespace {

constexpr uint64_t kHugePages = 512;

PageProperty PropertyOf(AccessKind rights) {
  return rights == AccessKind::kLoad ? kReadKernel : kReadWriteKernel;
}

uint64_t AreaBytes(const CreateAreaOp& op) {
  return (uint64_t{op.before} + op.pages + op.behind) * kPageSize;
}

}  // namespace

void AreaActor::Failed(std::string_view what, VirtRange range, const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return stream_.ReportError(what, range, status);
  if (!stream_.world().options().inject.MayExhaust()) {
    ++stream_.stats().window_full;
    return;
  }
  ++stream_.stats().exhausted;
  areas_.MayHaveOpened();
}

void AreaActor::StampFrames(const AreaFacts& facts, const USegment& frames, uint64_t index) {
  for (uint64_t i = 0; i < frames.pages(); ++i) {
    stream_.world().stamps().Write(frames.start().Plus(i * kPageSize),
                                   facts.StampOf(facts.first + index + i));
  }
  runs_.push_back(frames.run());
}

void AreaActor::Remember(const AreaFacts& facts, FrameRun run, uint64_t index) {
  const uint32_t cpu = stream_.pin().cpu().value;
  // order: relaxed; it changes when a frame is freed, and this one is mapped.
  const uint32_t generation =
      stream_.machine().frames().slot(run.start).generation.load(sync::relaxed);
  stream_.world().oracles().history.Record(cpu, {.ns = sync::NowNs(),
                                                 .frame = run.start.value(),
                                                 .va = facts.Page(facts.first + index).value(),
                                                 .pages = static_cast<uint32_t>(run.pages),
                                                 .generation = generation,
                                                 .space = facts.id,
                                                 .cpu = cpu});
}

absl::StatusOr<KVirtArea> AreaActor::MapSingleFrames(const CreateAreaOp& op,
                                                     const AreaFacts& facts) {
  std::vector<UFrame> frames;
  for (uint32_t i = 0; i < op.pages; ++i) {
    std::optional<USegment> frame = stream_.Allocate(1);
    if (!frame) return absl::CancelledError("no frame to map");
    StampFrames(facts, *frame, i);
    frames.push_back(*frame->TakeFirst());
  }
  return KVirtArea::MapFrames(stream_.machine(), stream_.pin(), AreaBytes(op),
                              op.before * kPageSize, absl::MakeSpan(frames), PropertyOf(op.rights));
}

absl::StatusOr<KVirtArea> AreaActor::MapSegment(const CreateAreaOp& op, const AreaFacts& facts) {
  absl::StatusOr<USegment> frames = stream_.machine().frames().AllocateSegment(
      op.pages, op.pages == kHugePages ? kHugePages : 1, Untyped{}, Zeroing::kLeave);
  // No run of that length: fragmentation is no failure.
  if (!frames.ok()) return absl::CancelledError("no frames to map");
  StampFrames(facts, *frames, 0);
  return KVirtArea::MapFrames(stream_.machine(), stream_.pin(), AreaBytes(op),
                              op.before * kPageSize, *std::move(frames), PropertyOf(op.rights));
}

absl::StatusOr<KVirtArea> AreaActor::Map(const CreateAreaOp& op, AreaFacts& facts) {
  switch (op.kind) {
    case AreaKind::kNothing:
      return KVirtArea::MapFrames(stream_.machine(), stream_.pin(), AreaBytes(op), 0, USegment(),
                                  PropertyOf(op.rights));
    case AreaKind::kFrames:
      return MapSingleFrames(op, facts);
    case AreaKind::kSegment:
      return MapSegment(op, facts);
    case AreaKind::kDevice:
    case AreaKind::kOutside:
      break;
  }
  const PhysRange physical = areas_.Uncounted(op.kind, op.pages);
  facts.physical = physical.start;
  return KVirtArea::MapUntracked(stream_.machine(), stream_.pin(), AreaBytes(op),
                                 op.before * kPageSize, physical, PropertyOf(op.rights));
}

void AreaActor::Create(const CreateAreaOp& op) {
  AreaSlot& slot = areas_.slot(op.area);
  const AreaLock lock(slot);
  if (!lock.held() || !slot.area.empty()) return;
  AreaFacts facts{.pages = AreaBytes(op) / kPageSize,
                  .first = op.before,
                  .mapped = op.kind == AreaKind::kNothing ? 0 : op.pages,
                  .id = areas_.NextId(),
                  .kind = op.kind,
                  .rights = op.rights};
  stream_.Starts<CreateAreaOp>(facts.id, {});
  stream_.StartLap();
  runs_.clear();
  absl::StatusOr<KVirtArea> area = Map(op, facts);
  if (!area.ok()) {
    // Frames are looked for before the area is: that is counted there.
    if (!absl::IsCancelled(area.status())) Failed("creating a kernel area", {}, area.status());
    return;
  }
  stream_.Lap<CreateAreaOp>();
  if (facts.mapped != 0) stream_.CountOpened();
  facts.start = area->range().start;
  stream_.stats().reused_pages += areas_.MarkUsed(area->range());
  uint64_t index = 0;
  for (const FrameRun& run : runs_) {
    Remember(facts, run, index);
    index += run.pages;
  }
  slot.BeginChange();
  slot.area = *std::move(area);
  slot.Publish(facts);
}

void AreaActor::Destroy(const DestroyAreaOp& op) {
  AreaSlot& slot = areas_.slot(op.area);
  const AreaLock lock(slot);
  if (!lock.held() || slot.area.empty()) return;
  const VirtRange range = slot.area.range();
  AreaFacts left;
  stream_.Starts<DestroyAreaOp>(slot.facts().id, range);
  stream_.StartLap();
  slot.BeginChange();
  switch (op.end) {
    case AreaEnd::kDestroy: {
      const absl::Status status = slot.area.Destroy(stream_.pin());
      if (status.ok()) break;
      Failed("destroying a kernel area", range, status);
      left = slot.facts();
      break;
    }
    case AreaEnd::kDestructor:
      slot.area = KVirtArea();
      break;
    case AreaEnd::kDestructorOnIdleCpu:
      stream_.Away([&] { slot.area = KVirtArea(); });
      ++stream_.stats().areas_abandoned;
      break;
  }
  slot.Publish(left);
  stream_.Lap<DestroyAreaOp>();
}

void AreaActor::Split(const SplitAreaOp& op) {
  AreaSlot& slot = areas_.slot(op.area);
  AreaSlot& rest = areas_.slot(op.rest);
  if (op.area == op.rest) return;
  const AreaLock lock(slot);
  const AreaLock rest_lock(rest);
  if (!lock.held() || !rest_lock.held() || slot.area.empty() || !rest.area.empty()) return;
  AreaFacts facts = slot.facts();
  if (facts.pages < 2) return;
  const uint64_t page = 1 + op.page % (facts.pages - 1);
  stream_.Starts<SplitAreaOp>(facts.id, slot.area.range());
  bool splits_leaf = false;
  {
    const RcuReadGuard guard(stream_.machine().rcu(), stream_.pin());
    const std::optional<Translation> leaf =
        stream_.machine().kernel_table().Walk(guard, facts.Page(page));
    splits_leaf = leaf && leaf->range.start != facts.Page(page);
  }
  stream_.StartLap();
  // Whoever accesses the area meanwhile must not notice.
  absl::StatusOr<KVirtArea> behind = slot.area.Split(stream_.pin(), page * kPageSize);
  if (!behind.ok()) return Failed("splitting a kernel area", slot.area.range(), behind.status());
  stream_.Lap<SplitAreaOp>();
  if (splits_leaf) stream_.CountOpened();
  slot.BeginChange();
  rest.BeginChange();
  const AreaFacts rest_facts = facts.Split(page);
  rest.area = *std::move(behind);
  rest.Publish(rest_facts);
  slot.Publish(facts);
}

void AreaActor::Query(const QueryAreaOp& op) {
  AreaSlot& slot = areas_.slot(op.area);
  const AreaLock lock(slot);
  if (!lock.held() || slot.area.empty()) return;
  const AreaFacts facts = slot.facts();
  const uint64_t page = op.page % facts.pages;
  const VirtAddr va = facts.Page(page);
  stream_.Starts<QueryAreaOp>(facts.id, slot.area.range());
  stream_.StartLap();
  const absl::StatusOr<KVirtArea::QueryResult> found =
      slot.area.Query(stream_.pin(), va.Plus(8 * (op.page % 512)));
  stream_.Lap<QueryAreaOp>();
  if (!found.ok()) return Failed("querying a kernel area", slot.area.range(), found.status());
  stream_.CountOpened();
  bool right = found->item.has_value() == facts.Maps(page) && found->range.Contains(va);
  if (right && found->item) {
    const uint64_t offset = va.value() - found->range.start.value();
    const KernelItem& item = *found->item;
    right = item.tracked() == facts.counted() &&
            (item.tracked() ? stream_.world().stamps().At(item.frames.start().Plus(offset)) ==
                                  facts.StampOf(page)
                            : item.untracked.start.Plus(offset) == facts.PhysicalOf(page));
  }
  if (!right) {
    stream_.ReportError("a query that found something else than was mapped", found->range,
                        absl::OkStatus());
  }
}

void AreaActor::Access(const AccessAreaOp& op) {
  AreaSlot& slot = areas_.slot(op.area);
  // A store needs the area to stay: elsewhere it would do damage.
  std::optional<AreaLock> lock;
  if (op.kind == AccessKind::kStore) {
    lock.emplace(slot);
    if (!lock->held()) return;
  }
  const uint64_t changes = slot.changes();
  const AreaFacts facts = slot.facts();
  if (changes % 2 != 0 || slot.changes() != changes || facts.pages == 0) return;
  const uint64_t page = op.page % facts.pages;
  const VirtAddr va = facts.Page(page);
  stream_.Starts<AccessAreaOp>(facts.id, {va, va.Plus(kPageSize)});
  stream_.StartLap();
  const Stamp stamp = facts.Maps(page) && facts.counted() ? facts.StampOf(page) : 0;
  const absl::StatusOr<AccessResult> result =
      op.kind == AccessKind::kLoad ? stream_.machine().KernelLoad(stream_.pin(), va)
                                   : stream_.machine().KernelStore(stream_.pin(), va, stamp);
  const uint64_t now = stream_.Lap<AccessAreaOp>();
  if (result.ok()) {
    // Of whatever area: what a CPU reaches was not freed.
    const uint32_t cpu = stream_.pin().cpu().value;
    const bool good = stream_.world().oracles().tlb.CheckAccess(
        cpu, {.ns = now,
              .frame = result->frame.value(),
              .va = va.value(),
              .generation_at_fill = result->generation_at_fill,
              .generation_now = result->generation_now,
              .space = facts.id,
              .cpu = cpu});
    if (!good) return;
  }
  // If the area went meanwhile, its addresses may be another's by now.
  if (slot.changes() == changes) Judge(facts, page, op.kind, result);
}

void AreaActor::Judge(const AreaFacts& facts, uint64_t page, AccessKind kind,
                      const absl::StatusOr<AccessResult>& result) {
  const bool denied = kind == AccessKind::kStore && facts.rights == AccessKind::kLoad;
  absl::StatusCode expected = absl::StatusCode::kOk;
  if (!facts.Maps(page)) {
    expected = absl::StatusCode::kNotFound;
  } else if (denied) {
    expected = absl::StatusCode::kPermissionDenied;
  } else if (facts.kind == AreaKind::kOutside) {
    expected = absl::StatusCode::kFailedPrecondition;
  }
  if (result.status().code() != expected) {
    const std::string reached = result.ok()
                                    ? absl::StrFormat("reached frame %#x", result->frame.value())
                                    : absl::StrCat("failed with ", result.status().ToString());
    return Report(facts, page,
                  absl::StrCat(reached, ", expected ", absl::StatusCodeToString(expected)));
  }
  if (!result.ok()) {
    ++stream_.stats().faults;
    return;
  }
  if (!facts.counted()) {
    if (result->frame == facts.PhysicalOf(page)) return;
    return Report(facts, page,
                  absl::StrFormat("reached frame %#x instead of %#x", result->frame.value(),
                                  facts.PhysicalOf(page).value()));
  }
  // No interrupt point lies between the access and this: the frame is still what it was.
  const Stamp stamp = stream_.world().stamps().At(result->frame);
  if (stamp == facts.StampOf(page) && result->value == stamp) return;
  Oracles& oracles = stream_.world().oracles();
  if (oracles.sink.full()) return oracles.sink.Report(kTlbOracle, "");
  Report(facts, page,
         absl::StrFormat("reached frame %#x, which %s and holds what %s; history:\n%s",
                         result->frame.value(), DescribeStamp(stamp), DescribeStamp(result->value),
                         oracles.history.Describe(result->frame.value())));
}

void AreaActor::Report(const AreaFacts& facts, uint64_t page, std::string_view what) {
  stream_.world().oracles().sink.Report(
      kTlbOracle,
      absl::StrFormat("cpu %d at %#x, page %d of a kernel area of %d pages whose frames "
                      "are stamped with space %d: %s",
                      stream_.pin().cpu().value, facts.Page(page).value(), page, facts.pages,
                      facts.id, std::string(what)));
}

void AreaActor::Flush() {
  stream_.Starts<FlushAreasOp>(0, {});
  stream_.StartLap();
  stream_.machine().kernel().FlushDestroyedAreas(stream_.pin());
  stream_.Lap<FlushAreasOp>();
}

void AreaActor::Check() {
  stream_.Starts<CheckAreasOp>(0, {});
  stream_.StartLap();
  const absl::Status status = stream_.machine().kernel().CheckInvariants(stream_.pin());
  stream_.Lap<CheckAreasOp>();
  if (!status.ok()) {
    stream_.world().oracles().sink.Report(kBooksOracle,
                                          absl::StrCat("the kernel's areas: ", status.ToString()));
  }
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {
namespace {

// How often an allocation waits for a grace period before it gives up.
constexpr int kAttempts = 50;

VirtRange PageOf(VirtAddr va) {
  const VirtAddr start = va.AlignDown(kPageSize);
  return VirtRange{start, start.Plus(kPageSize)};
}

}  // namespace

Stream::Stream(World& world, StreamState& state, uint64_t inject_seed)
    : world_(world),
      state_(state),
      injector_(world.options().inject, inject_seed),
      cache_(world.spaces().size()) {}

void Stream::Begin(CpuSeat& seat) {
  seat_ = &seat;
  state_.heartbeat.SetWorking(true);
  StartLap();
}

void Stream::End() {
  // What is no longer in its slot must not live on in a cache while nobody looks.
  for (CachedSpace& cached : cache_) cached = CachedSpace();
  state_.heartbeat.SetWorking(false);
  seat_ = nullptr;
}

const SpaceRef& Stream::Space(uint32_t slot) {
  CachedSpace& cached = cache_[slot];
  const uint64_t version = world_.spaces().version(slot);
  if (cached.version != version) cached = {version, world_.spaces().Get(slot)};
  return cached.ref;
}

void Stream::Poll() {
  if (!injector_.SkipsPoll()) machine().Poll(pin());
}

void Stream::AwaitWork() {
  state_.heartbeat.Wait();
  Poll();
  sync::YieldThread();
}

void Stream::Idle(uint32_t yields) {
  Starts<IdleOp>(0, {});
  Away([yields] {
    for (uint32_t i = 0; i < yields; ++i) sync::YieldThread();
  });
  Lap<IdleOp>();
}

void Stream::Away(absl::FunctionRef<void()> work) {
  const CpuId cpu = pin().cpu();
  seat_->StandUp();
  work();
  const absl::Status status = seat_->Sit(machine(), cpu);
  PADDOCK_CHECK(status.ok(), "a CPU was taken while its thread was idle");
}

void Stream::Grace() {
  Starts<GraceOp>(0, {});
  const absl::Status status = machine().Synchronize(pin());
  if (!status.ok()) ReportError("waiting for a grace period", {}, status);
  Lap<GraceOp>();
}

void Stream::Activate(const SpaceRef& ref) {
  if (ref.space->IsActiveOn(pin())) return;
  Starts<ActivateOp>(ref.id, {});
  StartLap();
  ref.space->Activate(pin());
  Lap<ActivateOp>();
}

void Stream::Deactivate() {
  Starts<DeactivateOp>(0, {});
  machine().DeactivateSpace(pin());
  Lap<DeactivateOp>();
}

void Stream::Access(const SpaceRef& ref, VirtAddr va, AccessKind kind) {
  Activate(ref);
  Starts<AccessOp>(ref.id, PageOf(va));
  StartLap();
  const Stamp tag = MakeStamp(ref.id, va);
  absl::StatusOr<AccessResult> result =
      kind == AccessKind::kLoad ? ref.space->Load(pin(), va) : ref.space->Store(pin(), va, tag);
  const uint64_t now = Lap<AccessOp>();
  if (!result.ok()) {
    if (absl::IsNotFound(result.status()) || absl::IsPermissionDenied(result.status())) {
      ++stats().faults;
    } else {
      ReportError("an access", PageOf(va), result.status());
    }
    return;
  }
  const uint32_t cpu = pin().cpu().value;
  Oracles& oracles = world_.oracles();
  if (!oracles.tlb.CheckAccess(cpu, {.ns = now,
                                     .frame = result->frame.value(),
                                     .va = va.value(),
                                     .generation_at_fill = result->generation_at_fill,
                                     .generation_now = result->generation_now,
                                     .space = ref.id,
                                     .cpu = cpu})) {
    return;
  }
  // No interrupt point lies between the access and this: the frame is still what it was.
  const Stamp stamp = world_.stamps().At(result->frame);
  if (!StampAllows(stamp, ref.id, va)) {
    ReportAccess(ref, va, *result, DescribeStamp(stamp));
  } else if (result->value != tag && !IsMovedStamp(stamp)) {
    ReportAccess(ref, va, *result, absl::StrCat("holds data that ", DescribeStamp(result->value)));
  }
}

void Stream::ReportAccess(const SpaceRef& ref, VirtAddr va, const AccessResult& result,
                          std::string_view what) {
  Oracles& oracles = world_.oracles();
  if (oracles.sink.full()) return oracles.sink.Report(kTlbOracle, "");
  oracles.sink.Report(
      kTlbOracle,
      absl::StrFormat("cpu %d in space %d at %#x reached frame %#x, which %s; history:\n%s",
                      pin().cpu().value, ref.id, va.value(), result.frame.value(),
                      std::string(what), oracles.history.Describe(result.frame.value())));
}

void Stream::Walk(const SpaceRef& ref, VirtAddr va) {
  Starts<WalkOp>(ref.id, PageOf(va));
  StartLap();
  {
    const RcuReadGuard guard(machine().rcu(), pin());
    const auto is_live = [this](uint64_t frame, int level) {
      return world_.IsLiveNode(frame, level);
    };
    // Inside the section a frame that the walk reached stays what it was mapped for.
    const auto allowed = [&](const MmuWalk& walk) {
      if (walk.outcome != MmuOutcome::kTranslated) return true;
      const PhysAddr frame = PhysAddr(walk.translation.physical).AlignDown(kPageSize);
      return StampAllows(world_.stamps().At(frame), ref.id, va);
    };
    world_.oracles().walker.CheckWalk(pin().cpu().value, "a space", world_.mmu(),
                                      ref.space->root().value(), va, is_live, allowed);
    const std::optional<Translation> own = ref.space->Walk(guard, va);
    if (own && !StampAllows(world_.stamps().At(own->address.AlignDown(kPageSize)), ref.id, va)) {
      world_.oracles().sink.Report(
          kWalkerOracle,
          absl::StrFormat("Walk of %#x in space %d returned frame %#x, which %s", va.value(),
                          ref.id, own->address.value(),
                          DescribeStamp(world_.stamps().At(own->address.AlignDown(kPageSize)))));
    }
  }
  Lap<WalkOp>();
}

std::optional<USegment> Stream::Allocate(uint64_t pages) {
  const bool may_fail = world_.options().inject.MayExhaust();
  FrameTable& frames = machine().frames();
  absl::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (pages == 1) {
      absl::StatusOr<UFrame> frame = frames.Allocate(Untyped{}, Zeroing::kLeave);
      if (frame.ok()) return USegment(*std::move(frame));
      status = frame.status();
    } else {
      absl::StatusOr<USegment> segment =
          frames.AllocateSegment(pages, pages, Untyped{}, Zeroing::kLeave);
      if (segment.ok()) return *std::move(segment);
      // No run of that length: fragmentation is no failure.
      if (attempt > 0) break;
    }
    if (may_fail && attempt > 0) break;
    Relieve();
  }
  if (pages == 1) {
    NoteExhausted("allocating a frame", {}, status);
    world_.FailForMemory("for what is mapped at once");
  } else {
    ++stats().exhausted;
  }
  return std::nullopt;
}

void Stream::NoteExhausted(std::string_view what, VirtRange range, const absl::Status& status) {
  if (world_.MayBeExhausted()) {
    ++stats().exhausted;
  } else {
    ReportError(what, range, status);
  }
}

void Stream::Relieve() {
  Grace();
  machine().rcu().Throttle(pin(), [this] { machine().bus().Poll(pin()); });
  machine().Poll(pin());
}

void Stream::AwaitMemory() {
  Relieve();
  if (!world_.options().inject.MayExhaust()) Allocate(1);
}

void Stream::ReportError(std::string_view what, VirtRange range, const absl::Status& status) {
  world_.oracles().sink.Report(
      kSerializabilityOracle,
      absl::StrFormat("%s of [%#x, %#x) on cpu %d failed where it may not: %s", std::string(what),
                      range.start.value(), range.end.value(), pin().cpu().value,
                      status.ToString()));
}

}  // namespace paddock

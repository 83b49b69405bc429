// SPDX-License-Identifier: Apache-2.0
//
// TlbSystem: a batch on its way from Dispatch to the release of its frames.

#include <algorithm>

#include "paddock/concurrency/check.h"
#include "paddock/core/tlb/tlb_system.h"

namespace paddock {
namespace {

void FlushRange(SoftTlb& tlb, TlbScope scope, uint64_t tag, VirtRange range) {
  scope == TlbScope::kMachine ? tlb.FlushRangeOfAllTags(range) : tlb.FlushRange(tag, range);
}

}  // namespace

ShootdownBatch& TlbSystem::TakeBatch(const CpuPin& pin, const TlbContext& context) {
  ShootdownBatch& batch = *pool_.Take(pin);
  batch.tag_ = context.tag();
  batch.scope_ = context.scope();
  batch.generation_ = 0;
  return batch;
}

bool TlbSystem::FlushAlone(const CpuPin& pin, const TlbContext& context, VirtRange range,
                           uint32_t issued) {
  if (options_.full_flush_threshold == 0 || !IsAlone(pin, context)) return false;
  issued_.Add(pin, issued);
  batches_.Add(pin, 1);
  // order: relaxed: only this CPU joins and leaves for itself, or the constructor for all.
  if (!context.holders_.Contains(pin.cpu(), sync::relaxed)) return true;
  PerCpu& cpu = per_cpu_.Get(pin);
  const bool holds =
      context.scope() == TlbScope::kMachine || cpu.tags->Find(context.tag()) != nullptr;
  if (holds) FlushRange(*cpu.tlb, context.scope(), context.tag(), range);
  return true;
}

std::optional<ShootdownTicket> TlbSystem::Dispatch(const CpuPin& pin, TlbContext& context,
                                                   ShootdownBatch& batch, Answers answers) {
  if (!batch.flushes()) {
    GiveUp(pin, batch);
    return std::nullopt;
  }
  issued_.Add(pin, batch.issued_);
  batches_.Add(pin, 1);
  if (batch.full()) full_flushes_.Add(pin, 1);
  if (IsAlone(pin, context)) {
    Flush(pin, batch);
    GiveUp(pin, batch);
    return std::nullopt;
  }
  return Shootdown(pin, context, batch, answers);
}

std::optional<ShootdownTicket> TlbSystem::Shootdown(const CpuPin& pin, TlbContext& context,
                                                    ShootdownBatch& batch, Answers answers) {
  batch.generation_ = context.generation_.fetch_add(1, sync::seq_cst) + 1;
  CpuSet targets = context.active_.Load(sync::seq_cst);
  if (transport_scope_ == TransportScope::kOtherCpus) targets.Remove(pin.cpu());
  // One acknowledgement is this function's own, so that the batch stays until all of the below is
  // done.
  // order: relaxed; the transport publishes the batch to its targets.
  batch.pending_.store(targets.Count() + 1, sync::relaxed);
  if (transport_scope_ == TransportScope::kEveryBatch) {
    // This CPU is one of the targets, which may be acknowledged at once.
    Flush(pin, batch);
    transport_.Deliver(targets, batch, pin);
  } else {
    if (!targets.Empty()) transport_.Deliver(targets, batch, pin);
    // While the request is on its way.
    Flush(pin, batch);
  }
  CpuSet lazy = context.holders_.Load(sync::seq_cst) - targets;
  lazy.Remove(pin.cpu());
  lazy_skips_.Add(pin, lazy.Count());

  // Who waits anyway keeps its acknowledgement back for a while, and so is mostly the last one: the
  // batch and its frames stay with this CPU, and no more than one line of it comes and goes.
  // Batches of others end here meanwhile: what they retire must not pile up.
  const auto others_are_done = [&] {
    if (batch.OnlyDispatcherIsMissing()) return true;
    rcu_.Poll(pin);
    return false;
  };
  if (answers == Answers::kAwaited && bus_.SpinUntil(pin, others_are_done)) {
    // order: relaxed: nobody else has the batch.
    batch.pending_.store(0, sync::relaxed);
    GiveUp(pin, batch);
    return std::nullopt;
  }

  batch.initiator_ = pin.cpu();
  // order: relaxed, both; the acknowledgement publishes them to the last one who gives one, and
  // what the last use of the batch wrote came here with the batch, through the pool.
  batch.sequence_ = batch.completed_.load(sync::relaxed) + 1;
  batch.waited_for_.store(0, sync::relaxed);
  // order: relaxed: see InFlight.
  per_cpu_.Get(pin).in_flight.fetch_add(batch.cost(), sync::relaxed);
  const ShootdownTicket ticket{&batch, batch.sequence_};
  batch.Acknowledge(pin);
  return ticket;
}

void TlbSystem::Flush(const CpuPin& pin, const ShootdownBatch& batch) {
  PerCpu& cpu = per_cpu_.Get(pin);
  const bool whole_machine = batch.scope() == TlbScope::kMachine;
  TagTable::Slot* slot = whole_machine ? &cpu.machine : cpu.tags->Find(batch.tag());
  // No slot: evicted or never here, and no entries then.
  if (slot == nullptr) return;

  bool everything = batch.full();
  if (batch.generation_ != 0) {
    if (slot->tag == batch.tag() && slot->seen >= batch.generation_) return;
    // A generation in between was counted by a flush that this CPU has not done yet: drop
    // everything, which does them all. (Requests of two dispatchers may come in either order, and
    // to a CPU that just activated the space they need not come at all.)
    if (slot->tag != batch.tag() || slot->seen + 1 != batch.generation_) everything = true;
    slot->tag = batch.tag();
    slot->seen = batch.generation_;
  }
  if (everything) {
    whole_machine ? cpu.tlb->FlushAll() : cpu.tlb->FlushTag(batch.tag());
    return;
  }
  for (const VirtRange range : batch.ranges()) {
    FlushRange(*cpu.tlb, batch.scope(), batch.tag(), range);
  }
}

void TlbSystem::FinishFlush(const CpuPin& pin, ShootdownBatch& batch) {
  const CpuId initiator = batch.initiator_;
  batch.completed_.store(batch.sequence_, sync::seq_cst);
  const bool waited_for = batch.waited_for_.load(sync::seq_cst) != 0;
  // order: relaxed: see InFlight.
  per_cpu_.At(initiator).in_flight.fetch_sub(batch.cost(), sync::relaxed);
  GiveUp(pin, batch);
  // The batch may be anybody's now: only what was read before is used.
  if (waited_for && initiator != pin.cpu()) bus_.Wake(initiator);
}

void TlbSystem::Wait(const CpuPin& pin, ShootdownTicket ticket) {
  // race: 5. A ticket of a batch that is used again.
  //   waiter: holds {batch, 7}                | last acknowledger: completes 7, retires the batch
  //   waiter: is slow                         | another CPU: fills it again, as use 8
  //   waiter: looks: 7 is complete, 8 is not
  // The number of completed uses only grows and batches are never destroyed before the machine, so
  // "at least 7" is the right question at any time. Marking the batch as waited for may hit use 8
  // instead: its last acknowledger then wakes a CPU for nothing. It cannot be missed where it
  // counts: the mark is set before the look, the acknowledger completes before it looks at the
  // mark, all seq_cst.
  if (ticket.IsDone()) return;
  ticket.batch->waited_for_.store(1, sync::seq_cst);
  // Batches of others end here meanwhile: what they retire must not pile up on a CPU that waits.
  const auto is_done = [&] {
    rcu_.Poll(pin);
    return ticket.IsDone();
  };
  bus_.WaitUntil(pin, is_done, sync::kNoDeadline);
}

void TlbSystem::ThrottleSlow(const CpuPin& pin, const PerCpu& cpu, uint64_t deadline_ns) {
  const uint64_t start_ns = sync::NowNs();
  sync::Backoff backoff;
  while (InFlight(cpu) > options_.in_flight_limit) {
    const uint64_t now_ns = sync::NowNs();
    if (now_ns - start_ns >= rcu_.stall_ns() || now_ns >= deadline_ns) return;
    bus_.Poll(pin);
    rcu_.Poll(pin);
    backoff.Pause();
  }
}

void TlbSystem::GiveUp(const CpuPin& pin, ShootdownBatch& batch) {
  if (batch.runs_.empty()) {
    Recycle(pin, batch);
    return;
  }
  // Only after the last flush, so that whoever runs the callback finds both conditions met: no TLB
  // has it, and every walk that could have seen it in a table is over.
  batch.retired_.reclaim = &TlbSystem::Reclaim;
  batch.retired_.weight = batch.cost();
  rcu_.Retire(pin, &batch.retired_);
}

void TlbSystem::RetireRun(const CpuPin& pin, FrameRun run, uint64_t held_pages) {
  RetiredRun& retired = *retired_runs_.Take(pin);
  retired.run = run;
  retired.reclaim = &TlbSystem::ReclaimRun;
  retired.weight = std::max<uint64_t>(held_pages, 1);
  rcu_.Retire(pin, &retired);
}

void TlbSystem::Reclaim(RcuHead* head, const CpuPin& pin) {
  ShootdownBatch& batch = static_cast<ShootdownBatch::Retired*>(head)->batch;
  TlbSystem& system = batch.system_;
  batch.runs_.ForEach([&system](FrameRun run) { system.Release(run); });
  system.Recycle(pin, batch);
}

void TlbSystem::ReclaimRun(RcuHead* head, const CpuPin& pin) {
  RetiredRun& retired = static_cast<RetiredRun&>(*head);
  TlbSystem& system = retired.system;
  system.Release(retired.run);
  system.retired_runs_.Put(pin, &retired);
}

void TlbSystem::Release(FrameRun run) {
  // Pages that were mapped one by one go back one by one, to where the next are taken from, unless
  // they make a large block.
  constexpr uint64_t kLargeRun = 64;
  if (run.pages >= kLargeRun) return frames_.Release(run);
  for (uint64_t page = 0; page < run.pages; ++page) {
    frames_.Release(FrameRun{run.start.Plus(page * kPageSize), 1});
  }
}

void TlbSystem::Recycle(const CpuPin& pin, ShootdownBatch& batch) {
  batch.runs_.Clear(pin, chunks_);
  if (transport_scope_ == TransportScope::kEveryBatch) batch.named_.Clear(pin, chunks_);
  batch.full_ = false;
  batch.range_count_ = 0;
  batch.issued_ = 0;
  batch.held_pages_ = 0;
  pool_.Put(pin, &batch);
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// One flush on its way: what must be forgotten, and the frames that must outlive it. Built by a
// TlbFlusher, shared by all CPUs that have to act on it, retired by the last of them, reused after.
//
//   void MyTransport::Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) {
//     if (!batch.full()) for (VirtRange range : batch.ranges()) ...
//     batch.ForEachFrameRun([](FrameRun run) { ... });
//     batch.Acknowledge(from);  // once per target
//   }
//
// Life: pooled -> filled (by one flusher at a time) -> in flight (nobody changes it) -> flushed
// (all acknowledged) -> in RCU, if it keeps frames -> frames released, pooled. A batch is not
// destroyed before its TlbSystem, so a ticket can be looked at for ever.
//
// Thread safety: in flight, everything public may be called from any pinned thread. Failure: more
// acknowledgements than targets is a broken invariant. Cost: about 1.5 KiB; no allocation.

#ifndef PADDOCK_CORE_TLB_SHOOTDOWN_BATCH_H_
#define PADDOCK_CORE_TLB_SHOOTDOWN_BATCH_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/cpu_set.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/tlb/frame_run_list.h"
#include "paddock/core/tlb/tlb_context.h"

namespace paddock {

// On lines of its own: batches move between CPUs, their neighbours on the heap do not.
class alignas(kCpuStride) ShootdownBatch final : public IpiRequest {
 public:
  // The most ranges that a batch can hold apart; the threshold of a TlbSystem is at most this.
  static constexpr uint32_t kMaxRanges = 64;

  explicit ShootdownBatch(TlbSystem& system) : system_(system) {}
  // Holds nothing and is not in flight.
  ~ShootdownBatch();
  ShootdownBatch(const ShootdownBatch&) = delete;
  ShootdownBatch& operator=(const ShootdownBatch&) = delete;

  // The space it concerns.
  uint64_t tag() const { return tag_; }
  TlbScope scope() const { return scope_; }
  // Everything of the space, instead of `ranges`.
  bool full() const { return full_; }
  // Disjoint or not, in the order in which they were issued; empty if full.
  absl::Span<const VirtRange> ranges() const { return {ranges_, range_count_}; }
  // The frames that the ranges translated to, and tables that were cut out. Complete only for a
  // transport of TransportScope::kEveryBatch.
  void ForEachFrameRun(absl::FunctionRef<void(FrameRun)> visit) const {
    runs_.ForEach(visit);
    named_.ForEach(visit);
  }

  // One target cannot use what the batch names any more. The last acknowledgement passes the frames
  // to RCU and wakes the flusher that waits in Sync; the batch must not be touched after it.
  void Acknowledge(const CpuPin& cpu);

  // On a target's own thread: flushes its SoftTlb, then acknowledges.
  void Handle(const CpuPin& cpu) override;

 private:
  friend class TlbFlusher;
  friend class TlbSystem;
  friend struct ShootdownTicket;
  template <typename T>
  friend class CpuPool;

  // Makes it part of what is flushed. Merged with the range added last if they touch; the one that
  // would be number `threshold` + 1 turns the batch into a full flush.
  void AddRange(VirtRange range, uint32_t threshold);
  void AddEverything();
  // AddRange, if `range` is not empty and starts where the one added last ends; else does nothing.
  bool Extend(VirtRange range) {
    if (range_count_ == 0 || !Extend(ranges_[range_count_ - 1], range)) return false;
    ++issued_;
    return true;
  }
  // Appends `range` to `last`, if it is not empty and starts where `last` ends. Not around the top,
  // after which a range has no representation.
  static bool Extend(VirtRange& last, VirtRange range) {
    const bool starts_there = last.end == range.start && range.start.value() != 0;
    if (!starts_there || range.IsEmpty() || range.end.value() == 0) return false;
    last.end = range.end;
    return true;
  }
  bool flushes() const { return full_ || range_count_ != 0; }
  // What it counts for in limits: the pages that it keeps, or itself.
  uint64_t cost() const { return std::max<uint64_t>(held_pages_, 1); }

  // Whether the dispatcher's own acknowledgement is the last one to come: it owns the batch again.
  bool OnlyDispatcherIsMissing() const {
    // order: acquire pairs with the release in Acknowledge: the flushes of all others are done.
    return pending_.load(sync::acquire) == 1;
  }
  // Whether the use `sequence`, or a later one, was acknowledged by all.
  bool IsDone(uint64_t sequence) const { return completed_.load(sync::seq_cst) >= sequence; }

  // What RCU keeps of it.
  struct Retired : RcuHead {
    explicit Retired(ShootdownBatch& whole) : batch(whole) {}
    ShootdownBatch& batch;
  };

  // One line, with the first range, is all that a target of a short flush touches.
  TlbSystem& system_;
  // Set for one use by the thread of the flusher that has it, before it is in flight.
  uint64_t tag_ = 0;
  uint64_t generation_ = 0;  // of the context, after this flush was counted; 0: it was not counted
  sync::Atomic<uint32_t> pending_{0};  // acknowledgements to come
  uint32_t range_count_ = 0;
  TlbScope scope_ = TlbScope::kSpace;
  bool full_ = false;
  VirtRange ranges_[kMaxRanges];

  // The dispatcher's; from its own acknowledgement on, the last acknowledger's.
  alignas(64) uint64_t sequence_ = 0;
  // invariant: sequence_ or, while a ticket of it is open, sequence_ - 1
  sync::Atomic<uint64_t> completed_{0};
  sync::Atomic<uint32_t> waited_for_{0};  // 1: the initiator may sleep in Sync
  CpuId initiator_{0};
  uint32_t issued_ = 0;                 // operations that were added
  uint64_t held_pages_ = 0;             // base pages that `runs_` keeps from being used, all in all
  ShootdownBatch* pool_next = nullptr;  // NOLINT(readability-identifier-naming): see CpuPool
  Retired retired_{*this};

  FrameRunList runs_;   // owned: released after the flush and a grace period
  FrameRunList named_;  // not owned: what else the ranges translated to
};

// One use of a batch, to wait for. May be asked at any time, from any thread.
struct ShootdownTicket {
  ShootdownBatch* batch = nullptr;
  uint64_t sequence = 0;

  // Whether all have acknowledged.
  bool IsDone() const { return batch->IsDone(sequence); }
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_SHOOTDOWN_BATCH_H_

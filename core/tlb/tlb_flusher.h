// SPDX-License-Identifier: Apache-2.0
//
// Collects what one thread changed in a space: the addresses that no TLB may translate the old way
// any more, and the frames that must outlive the last of those translations.
//
//   TlbFlusher flusher(system, context, pin);
//   const Pte old = entry.Exchange(kAbsent, sync::seq_cst);  // first change the entry,
//   flusher.Issue(range);                       // then say which addresses it translated
//   flusher.Retire(FrameRun{FrameOf(old), 1});  // and give up what it owned
//   flusher.Dispatch();                         // one request per CPU for all of it; or, if the
//   flusher.Sync();                             // caller must know that it is done, Sync alone
//
// Retired frames are released when every CPU that could reach them through a TLB has flushed and an
// RCU grace period has passed since, never earlier, with or without Sync. A page table that was cut
// out is retired as a run like any frame: what it owns goes with it.
//
// Thread safety: the thread of `pin`. Failure: none. Cost: constructing stores a few words. One
// range and one run of frames are kept in the flusher itself; more than that, and flushes that
// other CPUs must know of, take a batch from the CPU's pool. Dispatch, when no other CPU can hold
// entries of the space, flushes this CPU's and hands the frames to RCU: no shared memory is
// written, nothing is allocated. Otherwise one shared counter, and one mailbox per CPU on which the
// space is active. Dispatch also lets RCU catch up, without waiting, if it is over its limit: a
// cursor may be held for long.

#ifndef PADDOCK_CORE_TLB_TLB_FLUSHER_H_
#define PADDOCK_CORE_TLB_TLB_FLUSHER_H_

#include <optional>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/tlb/shootdown_batch.h"
#include "paddock/core/tlb/tlb_system.h"

namespace paddock {

// What a flusher has collected and not sent out, on its way to another flusher of the same space,
// maybe on another CPU. Until that one dispatches it, every CPU may use the old translations.
class [[nodiscard]] PendingFlush {
 public:
  PendingFlush() = default;
  PendingFlush(PendingFlush&& other) noexcept : batch_(std::exchange(other.batch_, nullptr)) {}
  PendingFlush& operator=(PendingFlush&& other) noexcept {
    std::swap(batch_, other.batch_);
    return *this;
  }
  // It was attached to a flusher: what it owns would be lost.
  ~PendingFlush() { PADDOCK_CHECK(batch_ == nullptr, "a pending flush is dropped"); }

  bool empty() const { return batch_ == nullptr; }

 private:
  friend class TlbFlusher;

  explicit PendingFlush(ShootdownBatch* batch) : batch_(batch) {}

  ShootdownBatch* batch_ = nullptr;
};

class [[nodiscard]] TlbFlusher {
 public:
  // All three must outlive the flusher.
  TlbFlusher(TlbSystem& system, TlbContext& context, const CpuPin& pin)
      : system_(&system), context_(&context), pin_(&pin) {}
  // What was issued and dispatched goes over to the new one.
  TlbFlusher(TlbFlusher&& other) noexcept
      : system_(other.system_), context_(other.context_), pin_(other.pin_) {
    // A cursor that was just opened moves to its place: nothing to copy.
    if (other.pending() || !other.tickets_.empty()) [[unlikely]]
      TakeOver(other);
  }
  TlbFlusher& operator=(TlbFlusher&&) = delete;
  // Dispatches what is pending. Does not wait.
  ~TlbFlusher() {
    if (pending()) Dispatch();
  }

  // The translations of `range` have changed: every TLB must forget them. The entries were changed
  // before, by an exchange or another operation that is seq_cst. An empty range is nothing; over
  // the threshold of ranges that do not touch (`full_flush_threshold`) it becomes IssueAll.
  void Issue(VirtRange range) {
    if (batch_ != nullptr ? batch_->Extend(range) : Keep(range)) return;
    IssueSlowly(range);
  }
  // The same for all addresses of the space.
  void IssueAll();

  // Takes over one reference to each frame of `run`.
  void Retire(FrameRun run) { Retire(run, run.pages); }
  // The same, of a run that keeps `held_pages` base pages from being used, itself included: a
  // table and all that it maps. They count against what RCU and the CPUs may be behind.
  void Retire(FrameRun run, uint64_t held_pages) {
    if (run.pages == 0) return;
    if (batch_ != nullptr ? batch_->runs_.TryAdd(run) : Keep(run)) {
      (batch_ != nullptr ? batch_->held_pages_ : held_pages_) += held_pages;
    } else {
      RetireSlowly(run, held_pages);
    }
  }

  // The issued ranges translated to `run` too, which somebody else owns (a table that is retired,
  // or the table entry itself, if only its property changed). Kept for transports that act on
  // frames.
  void Name(FrameRun run);
  // Whether the transport wants to know.
  bool names_frames() const { return system_->transport_scope() == TransportScope::kEveryBatch; }

  // Whether something was issued or retired since the last dispatch.
  bool pending() const { return batch_ != nullptr || issued_ != 0 || run_.pages != 0; }

  // Takes out what is pending, without sending it, for a flusher of this space that is dispatched
  // later. Flushes that nobody has to wait for become cheaper in large batches.
  PendingFlush Detach();
  // Makes what another flusher detached part of what is pending here. The threads have passed it on
  // through a lock or the like.
  void Attach(PendingFlush&& pending);

  // Sends out what is pending; nothing if nothing is. Never waits.
  void Dispatch();
  // The same; a ticket if there is something to wait for, which Sync then does not wait for.
  std::optional<ShootdownTicket> DispatchForLater();

  // Dispatches what is pending, then waits until every CPU has acknowledged all that this flusher
  // dispatched. Not for the grace period. Serves this CPU's mailbox meanwhile, so that two CPUs
  // that wait for each other both finish.
  void Sync();

 private:
  // Without a batch: makes it part of the only range, of the only run. False: it does not fit.
  bool Keep(VirtRange range) {
    PADDOCK_DCHECK(!range.IsReversed(), "a reversed range is to be flushed");
    if (range.IsEmpty() || (issued_ != 0 && !ShootdownBatch::Extend(range_, range))) return false;
    if (issued_++ == 0) range_ = range;
    return true;
  }
  bool Keep(FrameRun run) {
    if (run_.pages != 0) return run_.Join(run);
    run_ = run;
    return true;
  }
  void TakeOver(TlbFlusher& other);
  void IssueSlowly(VirtRange range);
  void RetireSlowly(FrameRun run, uint64_t held_pages);
  // Dispatches what is pending without a batch, if nobody but this CPU has to know of it.
  bool DispatchAlone();
  void Remember(ShootdownTicket ticket);
  // The batch, with all that is pending.
  ShootdownBatch& batch();
  std::optional<ShootdownTicket> DispatchBatch(TlbSystem::Answers answers);

  TlbSystem* system_;
  TlbContext* context_;
  const CpuPin* pin_;
  // Null as long as what is pending are `issued_` operations on `range_` and one run of frames.
  // invariant: if it is not null, the others are 0.
  ShootdownBatch* batch_ = nullptr;
  uint32_t issued_ = 0;
  VirtRange range_;
  FrameRun run_;
  uint64_t held_pages_ = 0;
  // Dispatched and, when last looked at, not acknowledged by all.
  absl::InlinedVector<ShootdownTicket, 4> tickets_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_TLB_FLUSHER_H_

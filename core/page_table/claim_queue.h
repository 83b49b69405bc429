// SPDX-License-Identifier: Apache-2.0
//
// Where claims wait: for every granule that somebody waits for, a queue in order of arrival.
//
// The words of a node use all of their 64 bits for granules, so the fact that somebody waits
// lives in a second word of the slot (`MetaSlot::waiters`, a mark per granule) and the waiters
// themselves in hash buckets here, keyed by the slot's address. Slots are never freed, so a queue
// may outlive the node that the slot described; whoever wakes up validates what it finds.
//
//   ClaimWaiter waiter(slot, bit, cpu, since_ns);
//   queues.Enqueue(waiter);             // sets the mark
//   ... look at the lock again, sleep until waiter.state() != kWaiting ...
//   queues.Withdraw(waiter, leaving);   // always, before the waiter goes out of scope
//
// Fairness: a release wakes the oldest waiter of a granule, which then competes with newcomers. A
// woken one that starts again from the root instead passes the wake-up on to the next, so N waiters
// may mean N wake-ups for one release. Once a waiter has waited for `kHandOffNs` the releaser
// leaves the granule's bit set and gives it to the waiter instead, so a stream of newcomers cannot
// keep anybody out.
//
// Thread safety: every function from any thread. Cost: one spin lock per call; nobody who finds a
// granule free comes here.

#ifndef PADDOCK_CORE_PAGE_TABLE_CLAIM_QUEUE_H_
#define PADDOCK_CORE_PAGE_TABLE_CLAIM_QUEUE_H_

#include <array>
#include <cstdint>

#include "paddock/concurrency/cpu_set.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/meta_slot.h"

namespace paddock {

// How long a claim competes with newcomers before a releaser hands it the granule, in nanoseconds.
inline constexpr uint64_t kHandOffNs = 1'000'000;

class ClaimWaiter {
 public:
  enum class State : uint32_t {
    kWaiting,
    kWoken,    // the granule was released: try again
    kGranted,  // the releaser left the granule's bit set: it is the waiter's now
  };

  // `bit` is the one lock-word bit waited for. `since_ns` is when the cursor began to wait; it is
  // kept across attempts, so that starting again does not lose the place in the queue.
  ClaimWaiter(MetaSlot& slot, uint64_t bit, CpuId cpu, uint64_t since_ns)
      : slot_(slot), bit_(bit), cpu_(cpu), since_ns_(since_ns) {}
  ClaimWaiter(const ClaimWaiter&) = delete;
  ClaimWaiter& operator=(const ClaimWaiter&) = delete;

  // Changed under the bucket's lock only.
  // order: relaxed; whoever acts on a state takes that lock first, in Withdraw or Rearm.
  State state() const { return state_.load(sync::relaxed); }

 private:
  friend class ClaimQueues;

  MetaSlot& slot_;
  const uint64_t bit_;
  const CpuId cpu_;
  const uint64_t since_ns_;
  sync::Atomic<State> state_{State::kWaiting};
  // invariant: the links and `queued_` are protected by the bucket's lock.
  ClaimWaiter* next_ = nullptr;
  ClaimWaiter* previous_ = nullptr;
  bool queued_ = false;
};

class ClaimQueues {
 public:
  enum class Whom : uint8_t { kOldest, kAll };

  // `bus` wakes the CPUs of waiters and must outlive the queues.
  explicit ClaimQueues(IpiBus& bus) : bus_(bus) {}
  ClaimQueues(const ClaimQueues&) = delete;
  ClaimQueues& operator=(const ClaimQueues&) = delete;

  // Queues `waiter` by its `since_ns` and marks the granule. The caller must then look at the lock
  // word again before it sleeps.
  void Enqueue(ClaimWaiter& waiter);

  // Takes `waiter` out of its queue if it is still there and clears the mark after the last one.
  // Returns its final state: kGranted means that the caller owns the granule. A waiter that leaves
  // without the granule passes a wake-up that it received on to the next one.
  enum class Leaving : uint8_t { kWithGranule, kWithoutGranule };
  ClaimWaiter::State Withdraw(ClaimWaiter& waiter, Leaving leaving);

  // Makes a waiter that was woken wait again. The caller must then look at the lock again.
  void Rearm(ClaimWaiter& waiter);

  // Called by a holder of `bits` of `slot` that is about to release them. Hands granules to waiters
  // that have waited for kHandOffNs; returns the bits handed over, which the caller must leave set.
  uint64_t HandOff(MetaSlot& slot, uint64_t bits);

  // Called after `bits` were cleared: wakes the oldest waiter of each (kOldest), or, when the node
  // was cut out and nobody will work under its granules again, wakes every waiter and takes it out
  // of its queue (kAll), so that no later holder of the slot meets it.
  void Wake(const MetaSlot& slot, uint64_t bits, Whom whom);

 private:
  struct alignas(64) Bucket {
    SpinLock lock;
    ClaimWaiter* head ABSL_GUARDED_BY(lock) = nullptr;
    ClaimWaiter* tail ABSL_GUARDED_BY(lock) = nullptr;

    void Insert(ClaimWaiter& waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
    void Remove(ClaimWaiter& waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
    void Wake(const MetaSlot& slot, uint64_t bits, Whom whom, IpiBus& bus)
        ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  };

  Bucket& BucketOf(const MetaSlot& slot);

  IpiBus& bus_;
  std::array<Bucket, 64> buckets_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_CLAIM_QUEUE_H_

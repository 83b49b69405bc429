// SPDX-License-Identifier: Apache-2.0
//
// Claiming and releasing granules of one node: the operations on a slot's lock word.
//
// A granule is one cache line of entries, one bit of the word. Bits are taken strictly upwards: a
// claim that meets a taken bit takes the free ones below it and waits for that one before it looks
// further, so two wide claims cannot hold what the other waits for.
//
// `GranuleClaimer` is the agent of one cursor that is being opened: it knows how long it may wait
// and keeps its place in the queues. Releasing needs no agent.
//
// Thread safety: any number of claimers on one node; one claimer belongs to one thread. Cost: one
// compare-exchange for a claim of free granules, one atomic AND and one load for a release.

#ifndef PADDOCK_CORE_PAGE_TABLE_GRANULE_CLAIM_H_
#define PADDOCK_CORE_PAGE_TABLE_GRANULE_CLAIM_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/meta_slot.h"
#include "paddock/core/page_table/claim_queue.h"
#include "paddock/core/page_table/cursor_options.h"
#include "paddock/core/page_table/page_table_env.h"

namespace paddock {

constexpr uint64_t LowestBit(uint64_t bits) { return bits & -bits; }

// Takes the free granules of `mask` below the first one that somebody else holds, all of them if
// none is held. Never waits. Returns the bits taken. A failed compare-exchange alone is no
// conflict: bits outside `mask` may have changed.
inline uint64_t TakeGranules(MetaSlot& slot, uint64_t mask) {
  // order: relaxed; only a guess for the compare-exchange.
  uint64_t word = slot.lock.load(sync::relaxed);
  for (;;) {
    const uint64_t held = word & mask;
    const uint64_t take = held == 0 ? mask : mask & (LowestBit(held) - 1);
    if (take == 0) return 0;
    // order: acquire pairs with the clearing of the bits in ReleaseGranules: what earlier holders
    // did under these granules is visible.
    if (slot.lock.compare_exchange_weak(word, word | take, sync::acquire, sync::relaxed))
      return take;
  }
}

// Takes all of `mask` if nobody holds any of it, else nothing.
inline bool TakeAllGranules(MetaSlot& slot, uint64_t mask) {
  // order: relaxed; only a guess for the compare-exchange.
  uint64_t word = slot.lock.load(sync::relaxed);
  while ((word & mask) == 0) {
    // order: acquire, as in TakeGranules.
    if (slot.lock.compare_exchange_weak(word, word | mask, sync::acquire, sync::relaxed))
      return true;
  }
  return false;
}

// Releases granules that the caller holds. The read of the mark is the last access, and goes to the
// slot, which is never freed, not to the node's memory.
inline void ReleaseGranules(ClaimQueues& queues, MetaSlot& slot, uint64_t mask) {
  // order: relaxed; a mark seen late is seen by the second read.
  if (const uint64_t wanted = slot.waiters.load(sync::relaxed) & mask; wanted != 0) [[unlikely]] {
    mask &= ~queues.HandOff(slot, wanted);
  }
  // The other half of the race in ClaimQueues::Enqueue: clear, then read the mark.
  slot.lock.fetch_and(~mask, sync::seq_cst);
  if (const uint64_t wanted = slot.waiters.load(sync::seq_cst) & mask; wanted != 0) [[unlikely]] {
    queues.Wake(slot, wanted, ClaimQueues::Whom::kOldest);
  }
}

// Releases granules of a node that was cut out. Nothing is handed over, since nobody may own a
// granule of a node that is about to be freed; whoever waits starts again from the root.
void ReleaseStrayGranules(ClaimQueues& queues, MetaSlot& slot, uint64_t mask);

class GranuleClaimer {
 public:
  enum class Outcome : uint8_t {
    kTaken,   // the granule is held
    kMissed,  // the claimer slept, and was woken without the granule
    kGaveUp,  // the options do not allow to wait (any longer)
  };

  // Keeps `env` and `pin`, not `options`.
  GranuleClaimer(PageTableEnv& env, const CpuPin& pin, const CursorOptions& options)
      : env_(env), pin_(pin), wait_(options.wait), latest_ns_(options.LatestNs()) {}

  // Claims all of `mask`, waiting as the options allow. `held` is the part of it that the caller
  // holds already. False: gave up, nothing of `mask` is held any more. The node must be kept alive
  // by a claim of the caller's: there is no section around the wait.
  bool ClaimAll(MetaSlot& slot, uint64_t mask, uint64_t held = 0);

  // Waits for the granule `bit` of a node that nothing but a read-side section keeps alive.
  // `leave_section` is called before the claimer sleeps, if it has to. After kMissed the node may
  // be gone: start again from the root. After kTaken the node is there, held by the granule.
  Outcome AwaitFirst(MetaSlot& slot, uint64_t bit, absl::FunctionRef<void()> leave_section);

 private:
  enum class IfWoken : uint8_t { kTryAgain, kReturn };
  Outcome Await(MetaSlot& slot, uint64_t bit, IfWoken if_woken,
                absl::FunctionRef<void()> before_sleep);
  bool SpinFor(MetaSlot& slot, uint64_t bit);

  PageTableEnv& env_;
  const CpuPin& pin_;
  const Wait wait_;
  const uint64_t latest_ns_;
  uint64_t waiting_since_ns_ = 0;  // 0: has not waited yet
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_GRANULE_CLAIM_H_

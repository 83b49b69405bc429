// SPDX-License-Identifier: Apache-2.0
//
// The locks of one node's granules, and where they are.
//
// A granule is one cache line of entries. Its lock is a bit of the slot's word, so that any number
// of them is taken by one operation. In a leaf table that several CPUs use at once this word goes
// from one to the other although none waits for another; so the lock of a granule *moves*, for the
// rest of the node's life, into the first entry of the granule itself, a line that its holder uses
// anyway: `F::kClaimBit` there. What has moved is a bit of a second word in the slot, which is only
// read from then on.
//
//   GranuleLock lock = node.lock(level);
//   if (TakeAllGranules(queues, lock, mask)) {
//     ...
//     ReleaseGranules(queues, lock, mask);
//   }
//
// Bits are taken strictly upwards: a claim that meets a taken bit takes the free ones below it and
// waits for that one before it looks further, so two wide claims cannot hold what the other waits
// for.
//
// race: a lock moves while others look for it.
//   1. another reads that the granule has not moved
//   2. its holder claims the entry, says that it has moved, and clears the bit of the word
//   3. the other takes the bit of the word
// So a bit of the word is a claim only if, looked at under it, the granule has not moved; else it
// is given back and means nothing. And who finds it taken looks again whether the granule has
// moved, since the taker may be such a one. A lock is moved by its holder and never back. (A wide
// claim that gives such a bit back gives back what it took above it, too, which for that moment it
// held: one that does not wait may fail for its sake.)
//
// Thread safety: any thread, for as long as a claim or a read-side section keeps the node alive.
// Cost: one compare-exchange for a claim of free granules, one atomic AND and one load for a
// release; one of each for every granule that has moved and for what lies between two of those.

#ifndef PADDOCK_CORE_PAGE_TABLE_GRANULE_LOCK_H_
#define PADDOCK_CORE_PAGE_TABLE_GRANULE_LOCK_H_

#include <bit>
#include <cstdint>
#include <new>

#include "paddock/arch/paging_format.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/meta_slot.h"
#include "paddock/core/page_table/claim_queue.h"

namespace paddock {

constexpr uint64_t LowestBit(uint64_t bits) { return bits & -bits; }

// A borrowed view, as a Node is.
class GranuleLock {
 public:
  // Of the node at `entries` that `slot` describes. `claim_bit` is the format's; 0 if locks never
  // move in this node.
  GranuleLock(MetaSlot& slot, Pte* entries, uint64_t entries_per_granule, Pte claim_bit)
      : slot_(&slot),
        entries_(entries),
        entries_per_granule_(entries_per_granule),
        claim_bit_(claim_bit) {}

  MetaSlot& slot() const { return *slot_; }

  // Of a node that is not published yet, whose payload is zero: the granules `claimed` are the
  // caller's from then on.
  void Initialise(uint64_t claimed) const {
    // order: relaxed; the store that publishes the node orders it.
    slot_->lock.store(claimed, sync::relaxed);
  }

  // Whether somebody holds the granule `bit`; exact for those who are marked as waiting for it. The
  // word comes first: if the bit there was taken by one who did not know that the lock had moved,
  // whoever read it sees that it has, since the taking continues the release sequence of Move.
  bool IsHeld(uint64_t bit) const {
    const bool taken = (slot_->lock.load(sync::seq_cst) & bit) != 0;
    if ((Moved() & bit) == 0) return taken;
    return (EntryLock(bit).load(sync::seq_cst) & claim_bit_) != 0;
  }
  // The granules whose locks have moved; exact for those that the caller holds, or of which it has
  // just taken the bit in the word.
  uint64_t Moved() const { return MovedWord().load(sync::seq_cst); }
  // Moves the lock of a granule that the caller holds, and that has not moved.
  void Move(uint64_t bit) const;

  // The granules that somebody holds. For checks, while nobody claims.
  uint64_t Held() const;

 private:
  friend uint64_t TakeGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask);
  friend bool TakeAllGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask);
  friend void ReleaseGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask);
  friend void ReleaseStrayGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask);

  sync::AtomicRef<uint64_t> MovedWord() const {
    static_assert(sizeof(MetaSlot::payload) == sizeof(uint64_t));
    return sync::AtomicRef<uint64_t>(*std::launder(reinterpret_cast<uint64_t*>(slot_->payload)));
  }
  sync::AtomicRef<Pte> EntryLock(uint64_t bit) const {
    return sync::AtomicRef<Pte>(
        entries_[static_cast<uint64_t>(std::countr_zero(bit)) * entries_per_granule_]);
  }
  bool TakeEntryLock(uint64_t bit) const {
    // order: acquire pairs with the clearing of the bit in Clear, as in TakeWord.
    return (EntryLock(bit).fetch_or(claim_bit_, sync::acquire) & claim_bit_) == 0;
  }

  // Takes the free ones of `mask`, none of which has moved as far as the caller knows, below the
  // first that is taken.
  uint64_t TakeWord(uint64_t mask) const;
  // Takes at least the lowest of `mask`, if it is free.
  uint64_t TakeLowest(ClaimQueues& queues, uint64_t mask) const;
  // Gives back those bits of the word whose granules have moved. Returns them.
  uint64_t DropMoved(uint64_t taken) const;
  // After all of `mask` was taken in the word of a node that other CPUs use, too: whether it is
  // held.
  bool FinishTake(ClaimQueues& queues, uint64_t mask) const;
  void Clear(uint64_t mask) const {
    const uint64_t moved = Moved() & mask;
    if (moved != 0) [[unlikely]]
      ClearEntries(moved);
    if (mask != moved) slot_->lock.fetch_and(~(mask ^ moved), sync::seq_cst);
  }
  void ClearEntries(uint64_t mask) const;

  MetaSlot* slot_;
  Pte* entries_;
  uint64_t entries_per_granule_;
  Pte claim_bit_;
};

// Takes the free granules of `mask` below the first one that somebody else holds, all of them if
// none is held. Never waits. Returns the bits taken.
uint64_t TakeGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask);

// Takes all of `mask` and returns true, or nothing, which may be so although all are free: then
// TakeGranules tells. Moves the lock of a single granule if the word was changed by another CPU at
// the same time (or the machine's compare-exchange failed without a reason), or other locks of the
// node have moved.
inline bool TakeAllGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask) {
  if ((lock.Moved() & mask) != 0) [[unlikely]]
    return LowestBit(mask) == mask && lock.TakeEntryLock(mask);
  bool raced = false;
  // order: relaxed; only a guess for the compare-exchange.
  uint64_t word = lock.slot().lock.load(sync::relaxed);
  while ((word & mask) == 0) {
    // order: acquire, as in TakeWord.
    if (lock.slot().lock.compare_exchange_weak(word, word | mask, sync::acquire, sync::relaxed)) {
      if (!raced && lock.Moved() == 0) [[likely]]
        return true;
      return lock.FinishTake(queues, mask);
    }
    raced = true;
  }
  return false;
}

// Releases granules that the caller holds. The read of the mark is the last access, and goes to the
// slot, which is never freed, not to the node's memory.
inline void ReleaseGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask) {
  MetaSlot& slot = lock.slot();
  // order: relaxed; a mark seen late is seen by the second read.
  if (const uint64_t wanted = slot.waiters.load(sync::relaxed) & mask; wanted != 0) [[unlikely]] {
    mask &= ~queues.HandOff(slot, wanted);
    // The node may be gone with its last granule, and what has moved with it.
    if (mask == 0) return;
  }
  // The other half of the race in ClaimQueues::Enqueue: clear, then read the mark.
  lock.Clear(mask);
  if (const uint64_t wanted = slot.waiters.load(sync::seq_cst) & mask; wanted != 0) [[unlikely]] {
    queues.Wake(slot, wanted, ClaimQueues::Whom::kOldest);
  }
}

// Releases granules that were taken before anybody looked whether the node is stray.
void GiveBackGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask);

// Releases granules of a node that was cut out. Nothing is handed over, since nobody may own a
// granule of a node that is about to be freed; whoever waits starts again from the root.
void ReleaseStrayGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask);

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_GRANULE_LOCK_H_

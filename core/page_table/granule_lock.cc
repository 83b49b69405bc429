// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/page_table/granule_lock.h"

namespace paddock {

uint64_t GranuleLock::Held() const {
  uint64_t held = slot_->lock.load(sync::seq_cst);
  for (uint64_t moved = Moved(); moved != 0; moved &= moved - 1) {
    if (IsHeld(LowestBit(moved))) held |= LowestBit(moved);
  }
  return held;
}

uint64_t GranuleLock::TakeWord(uint64_t mask) const {
  // order: relaxed; only a guess for the compare-exchange.
  uint64_t word = slot_->lock.load(sync::relaxed);
  for (;;) {
    const uint64_t held = word & mask;
    const uint64_t take = held == 0 ? mask : mask & (LowestBit(held) - 1);
    if (take == 0) return 0;
    // order: acquire pairs with the clearing of the bits in Clear: what earlier holders did under
    // these granules is visible.
    if (slot_->lock.compare_exchange_weak(word, word | take, sync::acquire, sync::relaxed))
      return take;
  }
}

uint64_t GranuleLock::DropMoved(uint64_t taken) const {
  const uint64_t moved = Moved() & taken;
  // order: relaxed; nothing was done under these bits, and nobody waits for them: see IsHeld.
  if (moved != 0) slot_->lock.fetch_and(~moved, sync::relaxed);
  return moved;
}

uint64_t GranuleLock::TakeLowest(ClaimQueues& queues, uint64_t mask) const {
  const uint64_t lowest = LowestBit(mask);
  for (;;) {
    const uint64_t moved = Moved() & mask;
    if ((moved & lowest) != 0) {
      // order: relaxed; whoever waits does not take the line from the holder, who works in it.
      if ((EntryLock(lowest).load(sync::relaxed) & claim_bit_) != 0) return 0;
      return TakeEntryLock(lowest) ? lowest : 0;
    }
    const uint64_t taken = TakeWord(moved == 0 ? mask : mask & (LowestBit(moved) - 1));
    if (taken == 0) {
      if (IsHeld(lowest)) return 0;
      continue;
    }
    const uint64_t dropped = DropMoved(taken);
    if (dropped == 0) return taken;
    // Those above the lowest that was dropped must not be held while that one is waited for.
    const uint64_t kept = taken & (LowestBit(dropped) - 1);
    if (const uint64_t above = taken & ~(dropped | kept); above != 0) {
      GiveBackGranules(queues, *this, above);
    }
    if (kept != 0) return kept;
  }
}

bool GranuleLock::FinishTake(ClaimQueues& queues, uint64_t mask) const {
  if (const uint64_t dropped = DropMoved(mask); dropped != 0) {
    if (dropped != mask) GiveBackGranules(queues, *this, mask & ~dropped);
    return false;
  }
  if (claim_bit_ != 0 && LowestBit(mask) == mask) Move(mask);
  return true;
}

void GranuleLock::Move(uint64_t bit) const {
  // order: relaxed; nobody looks at the bit before it is said that the lock has moved.
  EntryLock(bit).fetch_or(claim_bit_, sync::relaxed);
  MovedWord().fetch_or(bit, sync::seq_cst);
  // Who finds the bit of the word clear from here on finds that the lock has moved, too.
  slot_->lock.fetch_and(~bit, sync::seq_cst);
}

void GranuleLock::ClearEntries(uint64_t mask) const {
  for (; mask != 0; mask &= mask - 1) {
    EntryLock(LowestBit(mask)).fetch_and(~claim_bit_, sync::seq_cst);
  }
}

uint64_t TakeGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask) {
  uint64_t taken = 0;
  while (taken != mask) {
    const uint64_t more = lock.TakeLowest(queues, mask & ~taken);
    if (more == 0) break;
    taken |= more;
  }
  return taken;
}

void GiveBackGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask) {
  // race: as in RangeLock::LetGoOfStray, if a granule of a node that was cut out were handed over.
  // order: relaxed; written by who held every granule of the node, some of which are ours now.
  const bool stray = lock.slot().stray.load(sync::relaxed) != 0;
  stray ? ReleaseStrayGranules(queues, lock, mask) : ReleaseGranules(queues, lock, mask);
}

void ReleaseStrayGranules(ClaimQueues& queues, const GranuleLock& lock, uint64_t mask) {
  MetaSlot& slot = lock.slot();
  lock.Clear(mask);
  if (const uint64_t wanted = slot.waiters.load(sync::seq_cst) & mask; wanted != 0) {
    queues.Wake(slot, wanted, ClaimQueues::Whom::kAll);
  }
}

}  // namespace paddock

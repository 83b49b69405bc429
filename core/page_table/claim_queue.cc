// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/page_table/claim_queue.h"

#include "paddock/concurrency/check.h"

namespace paddock {

void ClaimQueues::Bucket::Insert(ClaimWaiter& waiter) {
  ClaimWaiter* before = tail;
  while (before != nullptr && before->since_ns_ > waiter.since_ns_) before = before->previous_;
  waiter.previous_ = before;
  waiter.next_ = before == nullptr ? head : before->next_;
  (waiter.next_ == nullptr ? tail : waiter.next_->previous_) = &waiter;
  (before == nullptr ? head : before->next_) = &waiter;
  waiter.queued_ = true;
}

void ClaimQueues::Bucket::Remove(ClaimWaiter& waiter) {
  (waiter.previous_ == nullptr ? head : waiter.previous_->next_) = waiter.next_;
  (waiter.next_ == nullptr ? tail : waiter.next_->previous_) = waiter.previous_;
  waiter.queued_ = false;

  uint64_t others = 0;
  for (const ClaimWaiter* other = head; other != nullptr; other = other->next_) {
    if (&other->slot_ == &waiter.slot_) others |= other->bit_;
  }
  if ((others & waiter.bit_) == 0) waiter.slot_.waiters.fetch_and(~waiter.bit_, sync::seq_cst);
}

void ClaimQueues::Bucket::Wake(const MetaSlot& slot, uint64_t bits, Whom whom, IpiBus& bus) {
  ClaimWaiter* next = nullptr;
  for (ClaimWaiter* waiter = head; waiter != nullptr; waiter = next) {
    next = waiter->next_;
    if (&waiter->slot_ != &slot || (waiter->bit_ & bits) == 0) continue;
    const CpuId cpu = waiter->cpu_;
    if (whom == Whom::kOldest) {
      bits &= ~waiter->bit_;
    } else {
      Remove(*waiter);
    }
    // order: relaxed, as in state().
    waiter->state_.store(ClaimWaiter::State::kWoken, sync::relaxed);
    bus.Wake(cpu);
  }
}

ClaimQueues::Bucket& ClaimQueues::BucketOf(const MetaSlot& slot) {
  const uint64_t number = reinterpret_cast<uintptr_t>(&slot) / sizeof(MetaSlot);
  return buckets_[(number * 0x9e3779b97f4a7c15u) >> 58];
}

void ClaimQueues::Enqueue(ClaimWaiter& waiter) {
  Bucket& bucket = BucketOf(waiter.slot_);
  SpinLockGuard guard(bucket.lock);
  bucket.Insert(waiter);
  // race: a waiter and a releaser must not miss each other.
  //   1. the waiter sets the mark here, then looks at the lock (GranuleLock::IsHeld)
  //   2. the releaser clears its bit of the lock, then reads the mark
  // With all of it seq_cst, either the waiter sees the granule free or the releaser sees the mark.
  waiter.slot_.waiters.fetch_or(waiter.bit_, sync::seq_cst);
}

ClaimWaiter::State ClaimQueues::Withdraw(ClaimWaiter& waiter, Leaving leaving) {
  Bucket& bucket = BucketOf(waiter.slot_);
  SpinLockGuard guard(bucket.lock);
  if (waiter.queued_) bucket.Remove(waiter);
  const ClaimWaiter::State state = waiter.state();
  if (state == ClaimWaiter::State::kWoken && leaving == Leaving::kWithoutGranule) {
    bucket.Wake(waiter.slot_, waiter.bit_, Whom::kOldest, bus_);
  }
  return state;
}

void ClaimQueues::Rearm(ClaimWaiter& waiter) {
  Bucket& bucket = BucketOf(waiter.slot_);
  SpinLockGuard guard(bucket.lock);
  if (waiter.state() != ClaimWaiter::State::kWoken) return;
  // race: a waiter that goes back to sleep must not lose the wake-up of a second release.
  //   1. a release wakes the waiter           2. a newcomer takes the granule
  //   3. the newcomer clears its bits, then sets the state to kWoken under this lock
  //   4. the waiter sets it to kWaiting, under this lock, then looks at the granule's
  // Under the lock, 4 comes after 3 and reads the word as it was left, or before 3, whose state it
  // then sees. Without it 4 could overwrite the state and still read the old word.
  // order: relaxed, as in state().
  waiter.state_.store(ClaimWaiter::State::kWaiting, sync::relaxed);
}

uint64_t ClaimQueues::HandOff(MetaSlot& slot, uint64_t bits) {
  uint64_t handed = 0;
  const uint64_t now = sync::NowNs();
  Bucket& bucket = BucketOf(slot);
  SpinLockGuard guard(bucket.lock);
  ClaimWaiter* next = nullptr;
  for (ClaimWaiter* waiter = bucket.head; waiter != nullptr; waiter = next) {
    next = waiter->next_;
    const bool wanted = &waiter->slot_ == &slot && (waiter->bit_ & bits & ~handed) != 0;
    if (!wanted || now < waiter->since_ns_ + kHandOffNs) continue;
    handed |= waiter->bit_;
    const CpuId cpu = waiter->cpu_;
    bucket.Remove(*waiter);
    // order: relaxed, as in state(). The waiter cannot go away before it has taken the lock.
    waiter->state_.store(ClaimWaiter::State::kGranted, sync::relaxed);
    bus_.Wake(cpu);
  }
  return handed;
}

void ClaimQueues::Wake(const MetaSlot& slot, uint64_t bits, Whom whom) {
  Bucket& bucket = BucketOf(slot);
  SpinLockGuard guard(bucket.lock);
  bucket.Wake(slot, bits, whom, bus_);
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_RCU_LISTS_H_
#define PADDOCK_CONCURRENCY_RCU_LISTS_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include "paddock/concurrency/sync.h"

namespace paddock {

class CpuPin;

// The part of an object that RcuDomain::Retire needs. The domain owns it from Retire until it calls
// `reclaim`, which may free the object or use it again.
struct RcuHead {
  RcuHead* next = nullptr;
  // What it keeps from being used, in a unit of the user's (frames, for batches); at least 1. Set
  // before it is retired.
  uint64_t weight = 1;
  void (*reclaim)(RcuHead* head, const CpuPin& pin) = nullptr;
};

namespace internal {

// Retired objects in a singly linked list, and what they weigh together. Not thread-safe; nothing allocates.
class RcuList {
 public:
  bool empty() const { return head_ == nullptr; }
  uint64_t weight() const { return weight_; }

  void Push(RcuHead* object) {
    object->next = head_;
    if (head_ == nullptr) tail_ = object;
    head_ = object;
    weight_ += object->weight;
  }

  // Takes all of `other`, which is empty afterwards.
  void Splice(RcuList& other) {
    if (other.empty()) return;
    other.tail_->next = head_;
    if (head_ == nullptr) tail_ = other.tail_;
    head_ = other.head_;
    weight_ += other.weight_;
    other = RcuList();
  }

  RcuHead* Pop() {
    RcuHead* const object = head_;
    head_ = object->next;
    weight_ -= object->weight;
    return object;
  }

 private:
  RcuHead* head_ = nullptr;
  RcuHead* tail_ = nullptr;
  uint64_t weight_ = 0;
};

// Sealed lists that wait for their grace period: a list sealed at epoch s is due at s + 2. So at
// any time the lists that are not due have at most two different epochs, and two buckets do for
// any number of batches. Not thread-safe.
class RcuSealedLists {
 public:
  bool empty() const { return weight() == 0; }
  uint64_t weight() const {
    return due_.weight() + waiting_[0].list.weight() + waiting_[1].list.weight();
  }

  // Whether there is something that TakeDue returns at any epoch.
  bool has_due() const { return !due_.empty(); }
  // The epoch at which something that is not due yet will be, or 0 if nothing waits.
  uint64_t next_due_epoch() const {
    uint64_t next = 0;
    for (const Bucket& bucket : waiting_) {
      if (bucket.list.empty()) continue;
      next = next == 0 ? bucket.epoch + 2 : std::min(next, bucket.epoch + 2);
    }
    return next;
  }

  // Adds `list`, sealed at `epoch` and at time `now_ns`. Epochs never go down from call to call,
  // and the caller has read the domain's epoch as at least `epoch`.
  void Add(RcuList& list, uint64_t epoch, uint64_t now_ns) {
    Bucket& bucket = waiting_[epoch % 2];
    if (bucket.epoch != epoch) {
      // What is left in the bucket is at least two epochs old.
      MakeDue(bucket, now_ns);
      bucket.epoch = epoch;
    }
    if (bucket.list.empty()) bucket.sealed_ns = now_ns;
    bucket.list.Splice(list);
  }

  // Adds what TakeDue of another instance has returned.
  void AddDue(RcuList& list) { due_.Splice(list); }

  // Returns everything that is due when the domain's epoch is `epoch`.
  RcuList TakeDue(uint64_t epoch) {
    for (Bucket& bucket : waiting_) {
      if (!bucket.list.empty() && bucket.epoch + 2 <= epoch) MakeDue(bucket, sync::NowNs());
    }
    RcuList due;
    due.Splice(due_);
    return due;
  }

  // Everything, due or not.
  RcuList TakeAll() {
    RcuList all;
    for (Bucket& bucket : waiting_) all.Splice(bucket.list);
    all.Splice(due_);
    return all;
  }

  // Buckets that became due, and the longest time that one of them waited.
  // Any thread may ask.
  // order: relaxed: statistics; only the owner of the lists writes them.
  uint64_t grace_periods() const { return grace_periods_.load(sync::relaxed); }
  uint64_t longest_ns() const { return longest_ns_.load(sync::relaxed); }

 private:
  struct Bucket {
    RcuList list;
    uint64_t epoch = 0;
    uint64_t sealed_ns = 0;  // when the oldest batch in it was sealed
  };

  void MakeDue(Bucket& bucket, uint64_t now_ns) {
    if (bucket.list.empty()) return;
    // order: relaxed: see grace_periods().
    grace_periods_.store(grace_periods() + 1, sync::relaxed);
    longest_ns_.store(std::max(longest_ns(), now_ns - bucket.sealed_ns), sync::relaxed);
    due_.Splice(bucket.list);
  }

  RcuList due_;
  std::array<Bucket, 2> waiting_;
  sync::Atomic<uint64_t> grace_periods_;
  sync::Atomic<uint64_t> longest_ns_;
};

}  // namespace internal
}  // namespace paddock

#endif  // PADDOCK_CONCURRENCY_RCU_LISTS_H_

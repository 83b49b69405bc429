// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_SPIN_LOCK_H_
#define PADDOCK_CONCURRENCY_SPIN_LOCK_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/sync.h"

namespace paddock {

// A lock of one 32-bit word for critical sections of a few dozen instructions. A waiter spins
// with backoff, then sleeps: threads in user space lose their core while they hold locks.
//
//   SpinLock lock_;
//   uint64_t free_pages_ ABSL_GUARDED_BY(lock_);
//   ...
//   SpinLockGuard guard(lock_);
//   --free_pages_;
//
// Not recursive. Not fair: a thread that arrives may pass one that sleeps. Zero-initialised memory
// is a free lock. Clang's thread-safety analysis checks the annotations.
// Cost without contention: one compare-exchange to lock, one exchange to unlock.
class ABSL_LOCKABLE SpinLock {
 public:
  constexpr SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    if (!TakeFree()) [[unlikely]]
      LockSlow();
  }

  // False: another thread holds it (also if this one does).
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return TakeFree(); }

  void Unlock() ABSL_UNLOCK_FUNCTION() {
    // order: release pairs with the acquire of the next owner's TakeFree or LockSlow.
    const uint32_t before = word_.exchange(kFree, sync::release);
    PADDOCK_DCHECK(before != kFree, "a free SpinLock is unlocked");
    if (before == kContended) [[unlikely]]
      sync::WakeOne(word_);
  }

 private:
  enum State : uint32_t { kFree, kHeld, kContended };

  bool TakeFree() {
    uint32_t expected = kFree;
    // order: acquire pairs with the release in Unlock; a failure reads nothing that is guarded.
    return word_.compare_exchange(expected, kHeld, sync::acquire, sync::relaxed);
  }
  void LockSlow();

  // invariant: kContended whenever a thread sleeps, or is about to, and the lock is held.
  sync::Atomic<uint32_t> word_{kFree};
};

// Holds a SpinLock for a scope.
class ABSL_SCOPED_LOCKABLE SpinLockGuard {
 public:
  explicit SpinLockGuard(SpinLock& lock) ABSL_EXCLUSIVE_LOCK_FUNCTION(lock) : lock_(lock) {
    lock_.Lock();
  }
  ~SpinLockGuard() ABSL_UNLOCK_FUNCTION() { lock_.Unlock(); }
  SpinLockGuard(const SpinLockGuard&) = delete;
  SpinLockGuard& operator=(const SpinLockGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace paddock

#endif  // PADDOCK_CONCURRENCY_SPIN_LOCK_H_

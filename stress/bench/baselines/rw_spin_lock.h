// SPDX-License-Identifier: Apache-2.0
//
// A reader-writer spin lock of one word, as page tables have one for each node. Not fair.
//
// Cost without contention: one read-modify-write to take it, one to give it back.

#ifndef PADDOCK_STRESS_BENCH_BASELINES_RW_SPIN_LOCK_H_
#define PADDOCK_STRESS_BENCH_BASELINES_RW_SPIN_LOCK_H_

#include <cstdint>

#include "paddock/concurrency/sync.h"

namespace paddock::bench {

class RwSpinLock {
 public:
  void LockShared() {
    sync::Spin([&] {
      // order: acquire pairs with the release of Unlock.
      if ((word_.fetch_add(1, sync::acquire) & kWriter) == 0) return true;
      UnlockShared();
      return false;
    });
  }
  // order: release pairs with the acquire of Lock.
  void UnlockShared() { word_.fetch_sub(1, sync::release); }

  void Lock() {
    sync::Spin([&] {
      uint32_t free = 0;
      // order: acquire pairs with the releases of both unlocks.
      return word_.compare_exchange(free, kWriter, sync::acquire, sync::relaxed);
    });
  }
  // order: release pairs with the acquires of both locks.
  void Unlock() { word_.fetch_sub(kWriter, sync::release); }

 private:
  static constexpr uint32_t kWriter = uint32_t{1} << 31;

  sync::Atomic<uint32_t> word_;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_BASELINES_RW_SPIN_LOCK_H_

// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/spin_lock.h"

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/sync.h"
#include "paddock/tests/concurrency/stage.h"

namespace paddock {
namespace {

struct Counter {
  SpinLock lock;
  uint64_t value ABSL_GUARDED_BY(lock) = 0;
};

TEST(SpinLock, ContendingThreadsExcludeEachOther) {
  constexpr int kThreads = 4;
  constexpr uint64_t kRounds = 20'000;
  Counter counter;
  {
    std::vector<sync::Thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (uint64_t round = 0; round < kRounds; ++round) {
          SpinLockGuard guard(counter.lock);
          ++counter.value;
        }
      });
    }
  }
  SpinLockGuard guard(counter.lock);
  EXPECT_EQ(counter.value, kThreads * kRounds);
}

TEST(SpinLock, TryLockFailsWhileAnotherThreadHoldsIt) {
  SpinLock lock;
  lock.Lock();
  sync::Thread([&] {
    const bool taken = lock.TryLock();
    EXPECT_FALSE(taken);
    if (taken) lock.Unlock();
  }).Join();
  lock.Unlock();
  const bool taken = lock.TryLock();
  EXPECT_TRUE(taken);
  if (taken) lock.Unlock();
}

// The holder keeps the lock for longer than waiters spin, so that they sleep; all must be woken.
TEST(SpinLock, EverySleeperIsWoken) {
  constexpr uint32_t kWaiters = 4;
  for (int round = 0; round < 20; ++round) {
    Counter counter;
    sync::Atomic<uint32_t> started;
    std::vector<sync::Thread> waiters;
    {
      SpinLockGuard guard(counter.lock);
      for (uint32_t i = 0; i < kWaiters; ++i) {
        waiters.emplace_back([&] {
          started.fetch_add(1, sync::seq_cst);
          SpinLockGuard inner(counter.lock);
          ++counter.value;
        });
      }
      sync::Spin([&] { return started.load(sync::seq_cst) == kWaiters; });
      const uint64_t until = sync::NowNs() + 300'000;
      sync::Spin([&] { return sync::NowNs() > until; });
    }
    waiters.clear();
    SpinLockGuard guard(counter.lock);
    EXPECT_EQ(counter.value, kWaiters);
  }
}

TEST(SpinLock, OneWordOnly) { EXPECT_EQ(sizeof(SpinLock), 4u); }

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Spin locks, parking, and CPUs, which one thread at a time is on.

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"
#include "paddock/stress/explore/scenarios.h"

namespace paddock::explore {
namespace {

void CountUnderALock(int threads) {
  SpinLock lock;
  sync::Plain<int> count;
  model::Name(&lock, sizeof(lock), "lock");
  model::Name(&count, sizeof(count), "count");
  {
    std::vector<sync::Thread> all;
    for (int i = 0; i < threads; ++i) {
      all.emplace_back([&] {
        if (!lock.TryLock()) {
          model::Reach("contended");
          lock.Lock();
        }
        count.Write(count.Read() + 1);
        lock.Unlock();
      });
    }
  }
  model::Expect(count.Read() == threads, "no increment is lost");
}

// Data handed back and forth through two parkers; a lost token is a deadlock.
void PingPong() {
  sync::Parker first;
  sync::Parker second;
  sync::Atomic<uint32_t> ball(0);
  sync::Plain<int> data;
  const auto play = [&](uint32_t me, sync::Parker& mine, sync::Parker& others) {
    for (uint32_t round = me; round < 4; round += 2) {
      while (ball.load(sync::acquire) != round) {
        model::Reach("parks");
        mine.Park();
      }
      data.Write(data.Read() + 1);
      ball.store(round + 1, sync::release);
      others.Unpark();
    }
  };
  {
    const sync::Thread one([&] { play(0, first, second); });
    const sync::Thread two([&] { play(1, second, first); });
  }
  model::Expect(data.Read() == 4, "every round was played");
}

// A thread comes to a CPU that another one leaves, and finds what that one kept there.
void CpuIsTakenOver() {
  CpuRegistry cpus(1);
  CpuLocal<sync::Plain<int>> visits(cpus);
  const auto visit = [&] {
    sync::Spin([&] {
      const absl::StatusOr<CpuPin> pin = cpus.Pin(CpuId{0});
      if (!pin.ok()) {
        model::Reach("the CPU is taken");
        return false;
      }
      sync::Plain<int>& own = visits.Get(*pin);
      own.Write(own.Read() + 1);
      return true;
    });
  };
  {
    const sync::Thread one(visit);
    const sync::Thread two(visit);
  }
  model::Expect(visits.At(CpuId{0}).Read() == 2, "no visit is lost");
}

// Two sleepers on one lock word: the release that wakes one must not forget the other.
void SleepersAreAllWoken() {
  SpinLock lock;
  sync::Plain<int> count;
  {
    std::vector<sync::Thread> all;
    lock.Lock();
    for (int i = 0; i < 2; ++i) {
      all.emplace_back([&] {
        const SpinLockGuard guard(lock);
        count.Write(count.Read() + 1);
      });
    }
    lock.Unlock();
  }
  model::Expect(count.Read() == 2, "both had the lock");
}

}  // namespace

std::vector<model::Scenario> LockScenarios() {
  return {
      {.name = "spin_lock",
       .what = "two threads count under a spin lock",
       .body = [] { CountUnderALock(2); },
       .must_reach = {"contended"},
       .bound = model::kUnboundedSearch},
      {.name = "spin_lock_three",
       .what = "three threads count under a spin lock",
       .body = [] { CountUnderALock(3); },
       .must_reach = {"contended"},
       .least_executions = 1000,
       .bound = 4},
      {.name = "spin_lock_sleepers",
       .what = "two threads that sleep on a spin lock both get it",
       .body = &SleepersAreAllWoken,
       .bound = 5},
      {.name = "cpu_taken_over",
       .what = "a thread comes to a CPU that another one leaves",
       .body = &CpuIsTakenOver,
       .must_reach = {"the CPU is taken"},
       .bound = 3},
      {.name = "parkers",
       .what = "two threads wake each other in turn",
       .body = &PingPong,
       .must_reach = {"parks"},
       .bound = 5},
  };
}

}  // namespace paddock::explore

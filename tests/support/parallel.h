// SPDX-License-Identifier: Apache-2.0
//
// Threads on logical CPUs, and waits that end: a test whose threads miss each other fails, it does
// not hang.
//
//   CpuThreads threads(world.cpus());
//   threads.Run(1, [&](const CpuPin& pin) { ... });     // this thread is CPU 1 now
//   EXPECT_TRUE(Eventually([&] { return flag.load() == 1; }));
//   threads.Join();

#ifndef PADDOCK_TESTS_SUPPORT_PARALLEL_H_
#define PADDOCK_TESTS_SUPPORT_PARALLEL_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {

// How long anything may take that must happen. Only failing tests wait that long.
inline constexpr std::chrono::seconds kPatience{20};

// Waits until `done()`, calling `meanwhile()` all along. False: it did not come true in time.
template <typename Done, typename Meanwhile>
[[nodiscard]] bool Eventually(Done done, Meanwhile meanwhile) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    meanwhile();
    std::this_thread::yield();
  }
  return true;
}
template <typename Done>
[[nodiscard]] bool Eventually(Done done) {
  return Eventually(done, [] {});
}

// kPatience from now, for waits of cursors that must succeed.
inline uint64_t PatienceDeadlineNs() {
  return sync::NowNs() + std::chrono::nanoseconds(kPatience).count();
}

// An event that happens once.
class Event {
 public:
  void Set() { set_.store(true, std::memory_order_release); }
  bool IsSet() const { return set_.load(std::memory_order_acquire); }
  // False: it did not happen in time.
  template <typename Meanwhile>
  [[nodiscard]] bool Await(Meanwhile meanwhile) const {
    return Eventually([this] { return IsSet(); }, meanwhile);
  }
  [[nodiscard]] bool Await() const {
    return Await([] {});
  }

 private:
  std::atomic<bool> set_{false};
};

// A meeting of `size` threads, once: everybody arrives before anybody goes on.
class Rendezvous {
 public:
  explicit Rendezvous(uint32_t size) : size_(size) {}
  // False: the others did not come.
  template <typename Meanwhile>
  [[nodiscard]] bool Meet(Meanwhile meanwhile) {
    arrived_.fetch_add(1);
    return Eventually([this] { return arrived_.load() >= size_; }, meanwhile);
  }
  [[nodiscard]] bool Meet() {
    return Meet([] {});
  }

 private:
  const uint32_t size_;
  std::atomic<uint32_t> arrived_{0};
};

// Joined at the latest by the destructor.
class CpuThreads {
 public:
  explicit CpuThreads(CpuRegistry& cpus) : cpus_(cpus) {}
  ~CpuThreads() { Join(); }
  CpuThreads(const CpuThreads&) = delete;
  CpuThreads& operator=(const CpuThreads&) = delete;

  void Run(uint32_t cpu, std::function<void(const CpuPin&)> body) {
    threads_.emplace_back([this, cpu, body = std::move(body)] {
      const CpuPin pin = Must(cpus_.Pin(CpuId{cpu}));
      body(pin);
    });
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  CpuRegistry& cpus_;
  std::vector<std::thread> threads_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_PARALLEL_H_

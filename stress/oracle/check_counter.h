// SPDX-License-Identifier: Apache-2.0
//
// Counts the checks of an oracle that many workers use: each worker writes its own cache line.
//
//   CheckCounter checks(workers);
//   checks.Add(worker);
//   uint64_t so_far = checks.Sum();
//
// Thread safety: a worker's index belongs to one thread at a time; `Sum` may be called by any
// thread at any moment, and is exact for the additions that happened before. Cost: a load and a
// store, no read-modify-write.

#ifndef PADDOCK_STRESS_ORACLE_CHECK_COUNTER_H_
#define PADDOCK_STRESS_ORACLE_CHECK_COUNTER_H_

#include <atomic>
#include <cassert>
#include <cstdint>
#include <memory>

namespace paddock {

class CheckCounter {
 public:
  explicit CheckCounter(uint32_t workers) : workers_(workers), lines_(new Line[workers]) {}

  void Add(uint32_t worker, uint64_t n = 1) {
    assert(worker < workers_);
    std::atomic<uint64_t>& value = lines_[worker].value;
    // order: relaxed; a statistic with one writer.
    value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  uint64_t Sum() const {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < workers_; ++i) {
      // order: relaxed; a statistic.
      sum += lines_[i].value.load(std::memory_order_relaxed);
    }
    return sum;
  }

 private:
  struct alignas(64) Line {
    std::atomic<uint64_t> value{0};
  };

  const uint32_t workers_;
  const std::unique_ptr<Line[]> lines_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_CHECK_COUNTER_H_

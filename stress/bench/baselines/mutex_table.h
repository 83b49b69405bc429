// SPDX-License-Identifier: Apache-2.0
//
// A page table behind one mutex, as a prototype has it.
//
// Thread safety: any thread. Failure: none. Cost: a lock for each call, also of many pages.

#ifndef PADDOCK_STRESS_BENCH_BASELINES_MUTEX_TABLE_H_
#define PADDOCK_STRESS_BENCH_BASELINES_MUTEX_TABLE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "paddock/arch/address.h"
#include "paddock/stress/bench/baselines/plain_entry.h"

namespace paddock::bench {

class MutexTable {
 public:
  uint64_t Query(uint64_t address) {
    absl::MutexLock lock(&mutex_);
    return Entry(address);
  }
  void Map(uint64_t address, uint64_t frame) {
    absl::MutexLock lock(&mutex_);
    Entry(address) = LeafOf(frame);
  }
  void Protect(uint64_t address, Right right) {
    absl::MutexLock lock(&mutex_);
    uint64_t& entry = Entry(address);
    entry = WithRight(entry, right);
  }
  uint64_t Unmap(uint64_t address) {
    absl::MutexLock lock(&mutex_);
    return Take(address);
  }
  // `next()` gives the next frame; `release(frame)` takes it back.
  template <typename Next>
  void MapRange(uint64_t address, uint64_t pages, Next next) {
    absl::MutexLock lock(&mutex_);
    for (; pages != 0; --pages, address += kPageSize) Entry(address) = LeafOf(next());
  }
  template <typename Release>
  void UnmapRange(uint64_t address, uint64_t pages, Release release) {
    absl::MutexLock lock(&mutex_);
    for (; pages != 0; --pages, address += kPageSize) release(Take(address));
  }

 private:
  using Table = std::array<uint64_t, kPlainEntries>;

  // Walks from the root, making the tables that are missing.
  uint64_t& Entry(uint64_t address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Table* table = &root_;
    for (int level = kPlainLevels; level > 1; --level) {
      uint64_t& entry = (*table)[IndexOf(address, level)];
      if (entry == 0) entry = reinterpret_cast<uint64_t>(&tables_.emplace_back());
      table = reinterpret_cast<Table*>(entry);
    }
    return (*table)[IndexOf(address, 1)];
  }
  uint64_t Take(uint64_t address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return FrameOf(std::exchange(Entry(address), 0));
  }

  absl::Mutex mutex_;
  Table root_ ABSL_GUARDED_BY(mutex_) = {};
  std::deque<Table> tables_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_BASELINES_MUTEX_TABLE_H_

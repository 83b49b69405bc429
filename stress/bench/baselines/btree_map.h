// SPDX-License-Identifier: Apache-2.0
//
// A sorted map of mappings behind one mutex, as a prototype has it that does not care for the
// format of a page table.
//
// Thread safety: any thread. Failure: none. Cost: a lock for each call, a search for each page.

#ifndef PADDOCK_STRESS_BENCH_BASELINES_BTREE_MAP_H_
#define PADDOCK_STRESS_BENCH_BASELINES_BTREE_MAP_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/synchronization/mutex.h"
#include "paddock/arch/address.h"
#include "paddock/stress/bench/baselines/plain_entry.h"

namespace paddock::bench {

class BtreeMap {
 public:
  uint64_t Query(uint64_t address) {
    absl::MutexLock lock(&mutex_);
    const auto found = leaves_.find(address);
    return found == leaves_.end() ? 0 : found->second;
  }
  void Map(uint64_t address, uint64_t frame) {
    absl::MutexLock lock(&mutex_);
    leaves_.insert_or_assign(address, LeafOf(frame));
  }
  void Protect(uint64_t address, Right right) {
    absl::MutexLock lock(&mutex_);
    const auto found = leaves_.find(address);
    if (found != leaves_.end()) found->second = WithRight(found->second, right);
  }
  uint64_t Unmap(uint64_t address) {
    absl::MutexLock lock(&mutex_);
    const auto found = leaves_.find(address);
    if (found == leaves_.end()) return 0;
    const uint64_t frame = FrameOf(found->second);
    leaves_.erase(found);
    return frame;
  }
  template <typename Next>
  void MapRange(uint64_t address, uint64_t pages, Next next) {
    absl::MutexLock lock(&mutex_);
    auto hint = leaves_.lower_bound(address);
    for (; pages != 0; --pages, address += kPageSize) {
      hint = leaves_.insert_or_assign(hint, address, LeafOf(next()));
      ++hint;
    }
  }
  template <typename Release>
  void UnmapRange(uint64_t address, uint64_t pages, Release release) {
    absl::MutexLock lock(&mutex_);
    const auto first = leaves_.lower_bound(address);
    const auto end = leaves_.lower_bound(address + pages * kPageSize);
    for (auto each = first; each != end; ++each) release(FrameOf(each->second));
    leaves_.erase(first, end);
  }

 private:
  absl::Mutex mutex_;
  absl::btree_map<uint64_t, uint64_t> leaves_ ABSL_GUARDED_BY(mutex_);  // by address
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_BASELINES_BTREE_MAP_H_

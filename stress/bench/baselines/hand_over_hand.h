// SPDX-License-Identifier: Apache-2.0
//
// A page table with a reader-writer lock for each table, taken hand over hand: a walk read-locks
// the next table before it lets go of the one above, and locks the leaf table for writing if it is
// to change it.
//
// Thread safety: any thread. Failure: none. Cost: two read-modify-writes for each level; the upper
// ones' lines are everybody's.

#ifndef PADDOCK_STRESS_BENCH_BASELINES_HAND_OVER_HAND_H_
#define PADDOCK_STRESS_BENCH_BASELINES_HAND_OVER_HAND_H_

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "paddock/arch/address.h"
#include "paddock/stress/bench/baselines/plain_entry.h"
#include "paddock/stress/bench/baselines/rw_spin_lock.h"

namespace paddock::bench {

class HandOverHand {
 public:
  HandOverHand() = default;
  HandOverHand(const HandOverHand&) = delete;
  HandOverHand& operator=(const HandOverHand&) = delete;
  ~HandOverHand() { Free(root_, kPlainLevels); }

  uint64_t Query(uint64_t address) {
    Table& leaf_table = LockLeafTable(address, For::kReading);
    const uint64_t leaf = leaf_table.entries[IndexOf(address, 1)];
    leaf_table.lock.UnlockShared();
    return leaf;
  }
  void Map(uint64_t address, uint64_t frame) {
    MapRange(address, 1, [frame] { return frame; });
  }
  void Protect(uint64_t address, Right right) {
    Table& leaf_table = LockLeafTable(address, For::kWriting);
    uint64_t& entry = leaf_table.entries[IndexOf(address, 1)];
    entry = WithRight(entry, right);
    leaf_table.lock.Unlock();
  }
  uint64_t Unmap(uint64_t address) {
    uint64_t frame = 0;
    UnmapRange(address, 1, [&frame](uint64_t taken) { frame = taken; });
    return frame;
  }
  // The pages lie in one leaf table, which is locked once for all of them.
  template <typename Next>
  void MapRange(uint64_t address, uint64_t pages, Next next) {
    Table& leaf_table = LockLeafTable(address, For::kWriting);
    uint64_t* const first = &leaf_table.entries[IndexOf(address, 1)];
    for (uint64_t i = 0; i < pages; ++i) first[i] = LeafOf(next());
    leaf_table.lock.Unlock();
  }
  template <typename Release>
  void UnmapRange(uint64_t address, uint64_t pages, Release release) {
    Table& leaf_table = LockLeafTable(address, For::kWriting);
    uint64_t* const first = &leaf_table.entries[IndexOf(address, 1)];
    for (uint64_t i = 0; i < pages; ++i) release(FrameOf(std::exchange(first[i], 0)));
    leaf_table.lock.Unlock();
  }

 private:
  enum class For : uint8_t { kReading, kWriting };

  struct alignas(64) Table {
    RwSpinLock lock;
    std::array<uint64_t, kPlainEntries> entries{};
  };

  static Table* Child(uint64_t entry) { return reinterpret_cast<Table*>(entry); }

  Table& LockLeafTable(uint64_t address, For use) {
    Table* table = &root_;
    table->lock.LockShared();
    for (int level = kPlainLevels; level > 1; --level) {
      uint64_t& entry = table->entries[IndexOf(address, level)];
      if (entry == 0) MakeChild(*table, entry);
      Table* const child = Child(entry);
      if (level == 2 && use == For::kWriting) {
        child->lock.Lock();
      } else {
        child->lock.LockShared();
      }
      table->lock.UnlockShared();
      table = child;
    }
    return *table;
  }

  // The caller's read lock is let go of meanwhile: tables are never freed before the root.
  static void MakeChild(Table& table, uint64_t& entry) {
    table.lock.UnlockShared();
    table.lock.Lock();
    if (entry == 0) entry = reinterpret_cast<uint64_t>(std::make_unique<Table>().release());
    table.lock.Unlock();
    table.lock.LockShared();
  }

  static void Free(const Table& table, int level) {
    if (level == 1) return;
    for (const uint64_t entry : table.entries) {
      if (entry == 0) continue;
      const std::unique_ptr<Table> child(Child(entry));
      Free(*child, level - 1);
    }
  }

  Table root_;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_BASELINES_HAND_OVER_HAND_H_

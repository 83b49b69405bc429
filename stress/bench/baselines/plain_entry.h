// SPDX-License-Identifier: Apache-2.0
//
// What the page tables of the baselines have in common: entries as x86-64 lays them out, four
// levels of 512. Nothing is checked, and tables are never freed.

#ifndef PADDOCK_STRESS_BENCH_BASELINES_PLAIN_ENTRY_H_
#define PADDOCK_STRESS_BENCH_BASELINES_PLAIN_ENTRY_H_

#include <cstdint>

namespace paddock::bench {

inline constexpr uint64_t kEntryPresent = 1;
inline constexpr uint64_t kEntryWrite = 2;
inline constexpr int kPlainLevels = 4;
inline constexpr uint64_t kPlainEntries = 512;

enum class Right : uint8_t { kRead, kWrite };

constexpr uint64_t LeafOf(uint64_t frame) { return frame << 12 | kEntryWrite | kEntryPresent; }
constexpr uint64_t FrameOf(uint64_t leaf) { return leaf >> 12; }
constexpr uint64_t WithRight(uint64_t leaf, Right right) {
  return right == Right::kWrite ? leaf | kEntryWrite : leaf & ~kEntryWrite;
}
// In the table of `level`: 4 the root, 1 a leaf table.
constexpr uint64_t IndexOf(uint64_t address, int level) {
  return address >> (12 + 9 * (level - 1)) & (kPlainEntries - 1);
}

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_BASELINES_PLAIN_ENTRY_H_

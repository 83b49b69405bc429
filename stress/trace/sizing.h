// SPDX-License-Identifier: Apache-2.0
//
// How much memory a replay needs: the recording is carried out on sets of page numbers, in the
// order in which its operations ended.
//
//   TraceSizer sizer;                       // one for all processes of a recording
//   TraceSizer::Space space(sizer);         // one per process
//   space.Apply(operation);
//   Reserve(sizer.sizing());
//
// Thread safety: one thread at a time. Cost: per operation O(log n), and per 2 MiB that it empties
// or fills; memory: 64 bytes per 2 MiB in use.

#ifndef PADDOCK_STRESS_TRACE_SIZING_H_
#define PADDOCK_STRESS_TRACE_SIZING_H_

#include <array>
#include <bitset>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "paddock/arch/address.h"
#include "paddock/stress/trace/operation.h"

namespace paddock {

// In pages of 4 KiB, all processes together.
struct TraceSizing {
  // Mapped at once, at most, if operations happen in the order of the recording.
  uint64_t peak_pages = 0;
  // Ever mapped, counting each page of a process once: no order of its operations maps more at
  // once, except where an area is moved while another thread touches it.
  uint64_t touched_pages = 0;
  // Page tables of four levels of 512 entries, if none that was ever needed is given back before
  // the end: the root, and the way to every page touched and to both ends of every range.
  uint64_t table_pages = 0;
};

// A set of page numbers.
class TracePageSet {
 public:
  static constexpr int kChunkBits = 9;
  static constexpr uint64_t kChunkPages = uint64_t{1} << kChunkBits;

  bool Insert(uint64_t page);       // false: was there
  uint64_t Erase(VirtRange range);  // how many went
  template <typename Fn>
  void ForEach(VirtRange range, Fn fn) const {  // fn(page)
    const uint64_t first = range.start.PageNumber();
    const uint64_t last = range.last().PageNumber();
    for (auto it = chunks_.lower_bound(first >> kChunkBits);
         it != chunks_.end() && it->first <= last >> kChunkBits; ++it) {
      for (uint64_t i = 0; i < kChunkPages; ++i) {
        const uint64_t page = (it->first << kChunkBits) + i;
        if (it->second[i] && page >= first && page <= last) fn(page);
      }
    }
  }

 private:
  absl::btree_map<uint64_t, std::bitset<kChunkPages>> chunks_;
};

class TraceSizer {
 public:
  class Space {
   public:
    explicit Space(TraceSizer& sizer);

    // Precondition: the invariants of TraceOperation.
    void Apply(const TraceOperation& operation);

   private:
    void Map(uint64_t page);
    void Unmap(VirtRange range);
    void Move(VirtRange source, VirtRange target);
    void NeedTables(VirtAddr addr);

    TraceSizer* sizer_;
    TracePageSet mapped_;
    TracePageSet touched_;
    std::array<absl::flat_hash_set<uint64_t>, 3> tables_;  // by level, the lowest first
    uint64_t last_table_ = ~uint64_t{0};
  };

  const TraceSizing& sizing() const { return sizing_; }

 private:
  TraceSizing sizing_;
  uint64_t mapped_pages_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_SIZING_H_

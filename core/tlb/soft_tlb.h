// SPDX-License-Identifier: Apache-2.0
//
// The translation cache of one simulated CPU: set-associative, an array per page size, entries
// tagged with the address space they were filled for, or valid in all of them (global). It caches
// what it is told and forgets only when it is flushed or runs out of room, as hardware does: a
// missing flush shows as a lookup that returns the old translation.
//
//   if (std::optional<TlbEntry> hit = tlb.Lookup(tag, va); !hit) {
//     // Walk the tables. No interrupt point may lie between the walk and Insert: a flush that is
//     // served there would miss the entry.
//     tlb.Insert(tag, TlbEntry{page, bytes, frame, property, generation_of_frame});
//   }
//   tlb.FlushRange(tag, range);
//
// Thread safety: the thread that is pinned to its CPU, nobody else. Failure: none; a page size that
// is no power of two, or more than kPageSizes different ones, is a broken invariant. Cost: a lookup
// compares `ways` entries for every page size that is in use; a flush of a range looks at one set
// per page, at most at everything; replacement is round robin, so that a run can be repeated
// exactly.

#ifndef PADDOCK_CORE_TLB_SOFT_TLB_H_
#define PADDOCK_CORE_TLB_SOFT_TLB_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/cpu_allocator.h"

namespace paddock {

struct TlbEntry {
  VirtAddr page;       // aligned to `bytes`
  uint64_t bytes = 0;  // size of the page, a power of two, at least kPageSize
  PhysAddr frame;      // what `page` translates to
  PageProperty property;
  // What the inserter says the frame's generation was (`MetaSlot::generation`): an access through
  // this entry when the frame has another one reaches a frame that was freed meanwhile.
  uint32_t frame_generation = 0;

  friend bool operator==(const TlbEntry&, const TlbEntry&) = default;
};

struct SoftTlbStats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t inserts = 0;
  uint64_t evictions = 0;  // entries lost for want of room
  uint64_t flushed = 0;    // entries dropped by flushes
};

class alignas(kCpuStride) SoftTlb {
 public:
  // Different page sizes that may be in use at once.
  static constexpr int kPageSizes = 6;
  // The most entries for one page size: four times the largest TLBs of processors.
  static constexpr uint64_t kMaxEntries = 1 << 14;

  // `sets` is a power of two; both are above 0 and count for each page size separately, up to
  // kMaxEntries together (checked).
  SoftTlb(uint32_t sets, uint32_t ways);
  SoftTlb(const SoftTlb&) = delete;
  SoftTlb& operator=(const SoftTlb&) = delete;

  // The entry that translates `va`, filled for `tag` or global; the smallest page if there are
  // several. `tag` is above 0.
  std::optional<TlbEntry> Lookup(uint64_t tag, VirtAddr va) {
    const TlbEntry* const found = Find(tag, va);
    return found != nullptr ? std::optional(*found) : std::nullopt;
  }
  // The same in place, until the next insertion or flush; null if there is none.
  const TlbEntry* Find(uint64_t tag, VirtAddr va);

  // Replaces an entry of the same tag, page and size, or one that is free, or the oldest of its
  // set. An entry with PageFlags::kGlobal is found under every tag. Returns it in place, as Find.
  const TlbEntry* Insert(uint64_t tag, const TlbEntry& entry);

  // Drops every entry that intersects `range`, whatever its page size, filled for `tag` or global.
  void FlushRange(uint64_t tag, VirtRange range);
  // The same for entries of every tag.
  void FlushRangeOfAllTags(VirtRange range);
  // Drops every entry that was filled for `tag`, the global ones that were filled for it included.
  void FlushTag(uint64_t tag);
  // Drops every entry that is not global.
  void FlushNonGlobal();
  void FlushAll();

  // Entries held now.
  uint64_t size() const;
  const SoftTlbStats& stats() const { return stats_; }

 private:
  struct Line {
    uint64_t tag = 0;  // 0: free
    TlbEntry entry;

    bool Matches(uint64_t wanted) const {
      return tag == wanted || (tag != 0 && HasAny(entry.property.flags, PageFlags::kGlobal));
    }
  };

  // All entries of one page size.
  struct Array {
    uint64_t bytes = 0;  // 0: not in use yet
    int bits = 0;        // invariant: of an address in a page; `bytes` is 1 << bits
    uint64_t live = 0;   // invariant: the lines with a tag other than 0
    std::vector<Line, CpuAllocator<Line>> lines;
    std::vector<uint32_t, CpuAllocator<uint32_t>> next_victim;  // by set
  };

  uint64_t SetOf(const Array& array, VirtAddr page) const {
    return (page.value() >> array.bits) & (sets_ - 1);
  }
  Array& ArrayFor(uint64_t bytes);
  // Drops the lines for which `drop` says so.
  template <typename Drop>
  void FlushWhere(Array& array, uint64_t first_line, uint64_t lines, Drop drop);
  template <typename Drop>
  void FlushRangeWhere(VirtRange range, Drop drop);
  template <typename Drop>
  void FlushEverywhere(Drop drop);

  const uint64_t sets_;
  const uint64_t ways_;
  // invariant: ascending `bytes`, those not in use last.
  std::array<Array, kPageSizes> arrays_;
  SoftTlbStats stats_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_SOFT_TLB_H_

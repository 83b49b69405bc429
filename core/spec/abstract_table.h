// SPDX-License-Identifier: Apache-2.0
//
// What a page table means: which virtual pages translate to which physical pages with which
// properties. Levels, nodes and page sizes are not part of it; a huge page and the 512 base pages
// that it was split into mean the same.
//
//   AbstractTable view;
//   view.Map(VirtRange{VirtAddr(0x20'0000), VirtAddr(0x40'0000)}, PhysAddr(0x80'0000), kReadUser);
//   uint64_t removed = view.Unmap(VirtRange{VirtAddr(0x20'1000), VirtAddr(0x20'2000)});  // 1
//   std::optional<MappedRun> page = view.Query(VirtAddr(0x20'2000));  // frame 0x80'2000
//   if (!SameMeaning(expected, view, HardwareBits::kMayBeSet))
//   puts(Describe(*FirstDifference(...)));
//
// Thread safety: a value; const functions may run at once. Failure: none. Preconditions: ranges are
// page-aligned and not reversed, frames are page-aligned. Cost: logarithmic in the number of runs
// plus linear in the runs touched, whatever the number of pages.

#ifndef PADDOCK_CORE_SPEC_ABSTRACT_TABLE_H_
#define PADDOCK_CORE_SPEC_ABSTRACT_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"

namespace paddock {

// Virtually and physically contiguous pages with one property.
struct MappedRun {
  VirtRange range;
  PhysAddr frame;  // where range.start translates to
  PageProperty property;

  friend bool operator==(const MappedRun&, const MappedRun&) = default;
};

// How accessed and dirty bits of an actual view relate to those that were expected.
enum class HardwareBits {
  kExact,
  kMayBeSet,  // hardware may have set more of them; none may be lost
  kIgnore,
};

using PropertyFunction = absl::FunctionRef<PageProperty(PageProperty)>;

class AbstractTable {
 public:
  bool empty() const { return runs_.empty(); }
  uint64_t mapped_pages() const { return mapped_pages_; }
  size_t run_count() const { return runs_.size(); }

  // Maps all of `range` to physical pages from `frame` on; what was mapped there is replaced.
  void Map(VirtRange range, PhysAddr frame, PageProperty property);
  // Returns the number of base pages that were mapped in `range`.
  uint64_t Unmap(VirtRange range);
  // Applies `op` to every mapped page in `range`; `op` is called once per run, not per page.
  // Returns the number of mapped pages in the range.
  uint64_t Protect(VirtRange range, PropertyFunction op);
  // Removes and returns the first run in `range`, cut to the range.
  std::optional<MappedRun> TakeNext(VirtRange range);
  void Clear();

  // The translation of the page that contains `va`: a run of one page.
  std::optional<MappedRun> Query(VirtAddr va) const;
  // The first mapped page address in `range`.
  std::optional<VirtAddr> FindNext(VirtRange range) const;
  // The first run in `range`, cut to the range. Neighbouring runs may have equal properties and
  // continue each other: where one run ends has no meaning.
  std::optional<MappedRun> NextRun(VirtRange range) const;
  uint64_t CountMapped(VirtRange range) const;
  AbstractTable Slice(VirtRange range) const;

  void ForEachRun(absl::FunctionRef<void(const MappedRun&)> visit) const;
  void ForEachRun(VirtRange range, absl::FunctionRef<void(const MappedRun&)> visit) const;

 private:
  struct Run {
    uint64_t end;    // page number, exclusive; up to 2^52
    uint64_t frame;  // physical page number
    PageProperty property;
  };
  // invariant: keyed by first page number; no run is empty, no two overlap.
  using Runs = absl::btree_map<uint64_t, Run>;

  static MappedRun ToMapped(uint64_t first, uint64_t end,
                            const std::pair<const uint64_t, Run>& run);

  // The run that contains `page`, else the first one after it.
  Runs::const_iterator At(uint64_t page) const;
  Runs::iterator At(uint64_t page);
  // Clears [first, end) and returns the first run at or after `end`.
  Runs::iterator Erase(uint64_t first, uint64_t end);

  Runs runs_;
  uint64_t mapped_pages_ = 0;
};

// The view after an operation on `before`.
inline AbstractTable AfterMap(AbstractTable before, VirtRange range, PhysAddr frame,
                              PageProperty property) {
  before.Map(range, frame, property);
  return before;
}
inline AbstractTable AfterUnmap(AbstractTable before, VirtRange range) {
  before.Unmap(range);
  return before;
}
inline AbstractTable AfterProtect(AbstractTable before, VirtRange range, PropertyFunction op) {
  before.Protect(range, op);
  return before;
}

// The lowest page at which two views differ, with what each has there.
struct ViewDifference {
  VirtAddr va;
  std::optional<MappedRun> expected;  // one page, or none
  std::optional<MappedRun> actual;
};

// Whether `actual` is a property that an entry expected to have `expected` may show.
bool PropertyMatches(PageProperty expected, PageProperty actual, HardwareBits bits);

std::optional<ViewDifference> FirstDifference(const AbstractTable& expected,
                                              const AbstractTable& actual, HardwareBits bits);
bool SameMeaning(const AbstractTable& expected, const AbstractTable& actual, HardwareBits bits);

// "[0x1000, 0x2000)"; "none" or "frame 0x5000 rw-u--- wb sw=00"; both for a difference.
std::string Describe(VirtRange range);
std::string Describe(const std::optional<MappedRun>& run);
std::string Describe(const ViewDifference& difference);

}  // namespace paddock

#endif  // PADDOCK_CORE_SPEC_ABSTRACT_TABLE_H_

// SPDX-License-Identifier: Apache-2.0
//
// Hands out ranges of a window of virtual addresses, and takes them back in any pieces.
//
//   RangeAllocator addresses(VirtRange{start, end});
//   absl::StatusOr<VirtRange> range = addresses.Allocate(16 * kPageSize);
//   range = addresses.Allocate(bytes, {.bytes = kHuge, .at = kPageSize});
//   addresses.Free(*range);      // neighbours that are free grow together
//
// Best fit: the smallest free range that holds the request wherever it starts, the lowest of those;
// with an alignment, one that only happens to hold it serves if it is the smallest of all, or if
// there is no other. It knows addresses only, neither tables nor TLBs: a range is given back when
// nobody can use it any more.
//
// Thread safety: none of its own; the owner's lock. Failure: an error changes nothing; freeing what
// is not allocated is a broken invariant. Cost: O(log n) in the number of free ranges. Only an
// aligned request that no free range would hold at every position looks at all that might hold it.

#ifndef PADDOCK_CORE_SPACE_RANGE_ALLOCATOR_H_
#define PADDOCK_CORE_SPACE_RANGE_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"

namespace paddock {

// The address `at` bytes into the range is a multiple of `bytes`, a power of two, at least a page.
struct RangeAlignment {
  uint64_t bytes = kPageSize;
  uint64_t at = 0;
};

class RangeAllocator {
 public:
  // All of `window` is free. Precondition: it is not empty, not reversed, aligned to pages.
  explicit RangeAllocator(VirtRange window);

  // INVALID_ARGUMENT: `bytes` is 0 or not a multiple of a page, or the alignment breaks its rule.
  // RESOURCE_EXHAUSTED: no free range holds it.
  absl::StatusOr<VirtRange> Allocate(uint64_t bytes, RangeAlignment alignment = {});

  // Precondition: all of `range` is allocated; not necessarily in one piece.
  void Free(VirtRange range);

  uint64_t free_bytes() const { return free_pages_ * kPageSize; }
  // Free ranges, each with something in use, or the end of the window, at either side.
  size_t free_ranges() const { return by_start_.size(); }
  // Ascending.
  void ForEachFree(absl::FunctionRef<void(VirtRange)> visit) const;

  // INTERNAL: the two indexes disagree, or free ranges overlap, touch or leave the window.
  absl::Status CheckInvariants() const;

 private:
  // In page numbers and pages, so that the end of the address space needs no thought.
  using BySize = absl::btree_set<std::pair<uint64_t, uint64_t>>;

  struct Request {
    uint64_t pages;
    uint64_t align;  // pages
    uint64_t at;     // pages, below `align`

    // Where it fits into the free range; nullopt if nowhere.
    std::optional<uint64_t> PlaceIn(uint64_t start, uint64_t free_pages) const;
  };

  static VirtRange RangeOf(uint64_t start, uint64_t pages) {
    return VirtRange{VirtAddr(start << kPageBits), VirtAddr((start + pages) << kPageBits)};
  }

  BySize::const_iterator Find(const Request& request) const;
  void Insert(uint64_t start, uint64_t pages);
  void Erase(uint64_t start, uint64_t pages);

  const VirtRange window_;
  // invariant: the same free ranges twice: {start, pages} and {pages, start}; no two overlap or
  // touch.
  absl::btree_map<uint64_t, uint64_t> by_start_;
  BySize by_size_;
  uint64_t free_pages_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_RANGE_ALLOCATOR_H_

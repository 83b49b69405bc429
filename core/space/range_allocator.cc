// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/range_allocator.h"

#include <bit>
#include <iterator>

#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"

namespace paddock {

RangeAllocator::RangeAllocator(VirtRange window) : window_(window) {
  PADDOCK_CHECK(!window.IsEmpty() && !window.IsReversed() && window.IsAligned(kPageSize),
                "a window of addresses is empty, reversed, or not aligned to pages");
  Insert(window.start.PageNumber(), window.size() / kPageSize);
}

std::optional<uint64_t> RangeAllocator::Request::PlaceIn(uint64_t start,
                                                         uint64_t free_pages) const {
  const uint64_t aligned = (start + at + align - 1) & ~(align - 1);
  const uint64_t skipped = aligned - at - start;
  if (skipped > free_pages || free_pages - skipped < pages) return std::nullopt;
  return start + skipped;
}

RangeAllocator::BySize::const_iterator RangeAllocator::Find(const Request& request) const {
  const auto smallest = by_size_.lower_bound({request.pages, 0});
  const auto fits = [&](BySize::const_iterator it) {
    return request.PlaceIn(it->second, it->first).has_value();
  };
  if (smallest == by_size_.end() || fits(smallest)) return smallest;
  // From this size on, every range holds it.
  const auto certain = by_size_.lower_bound({request.pages + request.align - 1, 0});
  if (certain != by_size_.end()) return certain;
  for (auto it = smallest; it != by_size_.end(); ++it) {
    if (fits(it)) return it;
  }
  return by_size_.end();
}

absl::StatusOr<VirtRange> RangeAllocator::Allocate(uint64_t bytes, RangeAlignment alignment) {
  if (bytes == 0 || bytes % kPageSize != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a range of %#x bytes: not a multiple of 4 KiB above 0", bytes));
  }
  if (!std::has_single_bit(alignment.bytes) || alignment.bytes < kPageSize ||
      alignment.at % kPageSize != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("an alignment to %#x bytes at %#x is not one to a power of two, at least "
                        "4 KiB, at a page",
                        alignment.bytes, alignment.at));
  }
  const Request request{bytes / kPageSize, alignment.bytes / kPageSize,
                        alignment.at % alignment.bytes / kPageSize};
  const auto found = Find(request);
  if (found == by_size_.end()) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "no %#x free virtual addresses aligned to %#x: %#x in %d ranges are free, the largest "
        "has %#x",
        bytes, alignment.bytes, free_bytes(), free_ranges(),
        by_size_.empty() ? 0 : by_size_.rbegin()->first * kPageSize));
  }
  const auto [free_pages, start] = *found;
  const uint64_t place = *request.PlaceIn(start, free_pages);
  Erase(start, free_pages);
  Insert(start, place - start);
  Insert(place + request.pages, start + free_pages - place - request.pages);
  return RangeOf(place, request.pages);
}

void RangeAllocator::Free(VirtRange range) {
  PADDOCK_CHECK(!range.IsEmpty() && range.IsAligned(kPageSize) && window_.Contains(range),
                "addresses are freed that are not of this window");
  const uint64_t start = range.start.PageNumber();
  const uint64_t end = start + range.size() / kPageSize;
  // The free ranges on either side; of no pages if there is none.
  std::pair<uint64_t, uint64_t> before{start, 0};
  std::pair<uint64_t, uint64_t> after{end, 0};
  const auto next = by_start_.lower_bound(start);
  if (next != by_start_.end()) after = *next;
  if (next != by_start_.begin()) before = *std::prev(next);
  PADDOCK_CHECK(before.first + before.second <= start && end <= after.first,
                "addresses are freed that are free");
  uint64_t from = start;
  uint64_t to = end;
  if (before.first + before.second == start) {
    Erase(before.first, before.second);
    from = before.first;
  }
  if (after.first == end) {
    Erase(after.first, after.second);
    to = end + after.second;
  }
  Insert(from, to - from);
}

void RangeAllocator::Insert(uint64_t start, uint64_t pages) {
  if (pages == 0) return;
  by_start_.emplace(start, pages);
  by_size_.emplace(pages, start);
  free_pages_ += pages;
}

void RangeAllocator::Erase(uint64_t start, uint64_t pages) {
  by_start_.erase(start);
  by_size_.erase({pages, start});
  free_pages_ -= pages;
}

void RangeAllocator::ForEachFree(absl::FunctionRef<void(VirtRange)> visit) const {
  for (const auto& [start, pages] : by_start_) visit(RangeOf(start, pages));
}

absl::Status RangeAllocator::CheckInvariants() const {
  const auto broken = [](uint64_t start, uint64_t pages, const char* what) {
    const VirtRange range = RangeOf(start, pages);
    return absl::InternalError(absl::StrFormat("free addresses [%#x, %#x) %s", range.start.value(),
                                               range.end.value(), what));
  };
  uint64_t total = 0;
  uint64_t end_before = 0;
  bool first = true;
  for (const auto& [start, pages] : by_start_) {
    if (pages == 0 || !window_.Contains(RangeOf(start, pages))) {
      return broken(start, pages, "leave the window");
    }
    if (!first && start <= end_before) return broken(start, pages, "overlap or touch the last");
    if (!by_size_.contains({pages, start})) return broken(start, pages, "have no entry by size");
    first = false;
    end_before = start + pages;
    total += pages;
  }
  if (by_size_.size() != by_start_.size()) return absl::InternalError("an entry by size too many");
  if (total != free_pages_) return absl::InternalError("the count of free pages is wrong");
  return absl::OkStatus();
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Maps many frames, or a range of physical addresses, through one cursor, page after page, with the
// largest pages that fit if asked.
//
//   absl::StatusOr<VmSpace::CursorMut> cursor = space->OpenCursorMut(pin, range);
//   MapRangeResult done = MapRange(*cursor, segment, kReadWriteUser, PageSizes::kLargestThatFit);
//   if (!done.status.ok()) { /* done.pages are mapped, `segment` holds the rest */ }
//
// A cursor's Prepare, done for all pages first, makes it all or nothing (PrepareRange).
//
// Thread safety: as the cursor. Failure: stops at the first large page, or the first row of base
// pages of one table, that cannot be mapped, says how many base pages were mapped, and leaves the
// others with the caller. Cost: as CursorMut::Map for each large page, and a store for each base
// page.

#ifndef PADDOCK_CORE_SPACE_MAP_RANGE_H_
#define PADDOCK_CORE_SPACE_MAP_RANGE_H_

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/frame/segment.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/cursor_mut.h"

namespace paddock {

enum class PageSizes : uint8_t { kBaseOnly, kLargestThatFit };

struct MapRangeResult {
  uint64_t pages = 0;  // base pages mapped; the cursor stands behind them
  absl::Status status;
};

// The level of the largest page that can map the beginning of `pages` physical pages from `start`
// on where the cursor stands: both addresses are aligned to it, and it fits into what is to be
// mapped and into the rest of the cursor's range.
template <PageTableConfig C>
int LargestLevel(const CursorMut<C>& cursor, PhysAddr start, uint64_t pages) {
  using Geo = Geometry<typename C::Format>;
  int largest = 1;
  for (int level = 2; level <= cursor.highest_level(); ++level) {
    const uint64_t span = Geo::EntrySpan(level);
    const bool fits = cursor.virt_addr().IsAligned(span) && start.IsAligned(span) &&
                      pages >= span / kPageSize && cursor.remaining() >= span;
    if (fits && C::Format::IsLeafLevel(level)) largest = level;
  }
  return largest;
}

// How many of `pages` base pages are mapped together where the cursor stands: those in the table
// that it stands in and in its range, but at least one.
template <PageTableConfig C>
uint64_t RowOfPages(const CursorMut<C>& cursor, uint64_t pages) {
  if (!CountsPages<C>) return 1;
  const uint64_t span = Geometry<typename C::Format>::NodeSpan(1);
  const uint64_t in_table = (span - cursor.virt_addr().value() % span) / kPageSize;
  return std::max<uint64_t>(std::min({pages, in_table, cursor.remaining() / kPageSize}), 1);
}

// Does all that can fail of mapping `pages` physical pages from `start` on, with the largest pages
// that fit and the property `raw` of the entries. Errors as CursorMut::Prepare; tables may have
// been made by then, and the cursor stands at what failed.
template <PageTableConfig C>
absl::Status PrepareRange(CursorMut<C>& cursor, PhysAddr start, uint64_t pages, PageProperty raw) {
  using Geo = Geometry<typename C::Format>;
  while (pages != 0) {
    const int level = LargestLevel(cursor, start, pages);
    if (absl::Status status = cursor.Prepare(RawItem{start, level, raw}); !status.ok()) {
      return status;
    }
    start = start.Plus(Geo::EntrySpan(level));
    pages -= Geo::EntrySpan(level) / kPageSize;
  }
  return absl::OkStatus();
}

namespace internal {

// On an error `item` is untouched, as CursorMut::Map promises.
template <PageTableConfig C>
absl::Status MapOrKeep(CursorMut<C>& cursor, typename C::Item& item) {
  return cursor.Map(std::move(item));
}
// The same with one entry of `level`, or with one for each base page.
template <PageTableConfig C>
absl::Status MapOrKeep(CursorMut<C>& cursor, typename C::Item& item, int level) {
  if constexpr (CountsPages<C>) {
    if (level == 1) return cursor.MapPages(std::move(item));
  }
  return MapOrKeep(cursor, item);
}

}  // namespace internal

// Maps the physical addresses `range`, which nobody owns, with the largest pages that fit.
// Precondition: it is not reversed, and aligned to 4 KiB.
template <PageTableConfig C>
  requires std::constructible_from<typename C::Item, PhysRange, PageProperty>
MapRangeResult MapRange(CursorMut<C>& cursor, PhysRange range, PageProperty property) {
  using Geo = Geometry<typename C::Format>;
  MapRangeResult result;
  for (PhysAddr at = range.start; at != range.end;) {
    const uint64_t left = (range.end.value() - at.value()) / kPageSize;
    const int level = LargestLevel(cursor, at, left);
    const uint64_t pages =
        level == 1 ? RowOfPages(cursor, left) : Geo::EntrySpan(level) / kPageSize;
    typename C::Item item(PhysRange{at, at.Plus(pages * kPageSize)}, property);
    result.status = internal::MapOrKeep(cursor, item, level);
    if (!result.status.ok()) return result;
    result.pages += pages;
    at = at.Plus(pages * kPageSize);
  }
  return result;
}

// Maps `frames` from its start on; what was mapped is taken out of it.
template <PageTableConfig C>
MapRangeResult MapRange(CursorMut<C>& cursor, USegment& frames, PageProperty property,
                        PageSizes sizes) {
  using Geo = Geometry<typename C::Format>;
  MapRangeResult result;
  while (frames.pages() != 0) {
    const int level = sizes == PageSizes::kLargestThatFit
                          ? LargestLevel(cursor, frames.start(), frames.pages())
                          : 1;
    const uint64_t pages =
        level == 1 ? RowOfPages(cursor, frames.pages()) : Geo::EntrySpan(level) / kPageSize;
    absl::StatusOr<USegment> part = frames.TakeFirst(pages);
    if (!part.ok()) {
      result.status = part.status();
      return result;
    }
    typename C::Item item(*std::move(part), property);
    result.status = internal::MapOrKeep(cursor, item, level);
    if (!result.status.ok()) {
      // Untouched by the failed call: it goes back to where it came from.
      FrameTable& table = item.frames.table();
      const FrameRun first = std::move(item.frames).IntoRaw();
      const FrameRun rest = std::move(frames).IntoRaw();
      frames = USegment::FromRaw(table, FrameRun{first.start, first.pages + rest.pages});
      return result;
    }
    result.pages += pages;
  }
  return result;
}

// Maps one base page after the other. Frames that were mapped are moved from.
template <PageTableConfig C>
MapRangeResult MapRange(CursorMut<C>& cursor, absl::Span<UFrame> frames, PageProperty property) {
  MapRangeResult result;
  for (UFrame& frame : frames) {
    typename C::Item item(std::move(frame), property);
    result.status = internal::MapOrKeep(cursor, item);
    if (!result.status.ok()) {
      if (item.frames.empty()) return result;
      FrameTable& table = item.frames.table();
      frame = UFrame::FromRaw(table, std::move(item.frames).IntoRaw().start);
      return result;
    }
    ++result.pages;
  }
  return result;
}

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_MAP_RANGE_H_

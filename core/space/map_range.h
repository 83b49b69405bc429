// SPDX-License-Identifier: Apache-2.0
//
// Maps many frames through one cursor, page after page, with the largest pages that fit if asked.
//
//   absl::StatusOr<VmSpace::CursorMut> cursor = space->OpenCursorMut(pin, range);
//   MapRangeResult done = MapRange(*cursor, segment, kReadWriteUser, PageSizes::kLargestThatFit);
//   if (!done.status.ok()) { /* done.pages are mapped, `segment` holds the rest */ }
//
// Thread safety: as the cursor. Failure: stops at the first item that cannot be mapped, says how
// many base pages were mapped, and leaves the others with the caller. Cost: as CursorMut::Map for
// each item.

#ifndef PADDOCK_CORE_SPACE_MAP_RANGE_H_
#define PADDOCK_CORE_SPACE_MAP_RANGE_H_

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/frame/segment.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/cursor_mut.h"
#include "paddock/core/space/mapped_frames.h"

namespace paddock {

enum class PageSizes : uint8_t { kBaseOnly, kLargestThatFit };

struct MapRangeResult {
  uint64_t pages = 0;  // base pages mapped; the cursor stands behind them
  absl::Status status;
};

// The level of the largest page of which `frames` has enough, at an address and a frame that are
// aligned to it, in the rest of the cursor's range.
template <PageTableConfig C>
int LargestLevel(const CursorMut<C>& cursor, const USegment& frames) {
  using Geo = Geometry<typename C::Format>;
  int largest = 1;
  for (int level = 2; level <= cursor.highest_level(); ++level) {
    const uint64_t span = Geo::EntrySpan(level);
    const bool fits = cursor.virt_addr().IsAligned(span) && frames.start().IsAligned(span) &&
                      frames.pages() >= span / kPageSize && cursor.remaining() >= span;
    if (fits && C::Format::IsLeafLevel(level)) largest = level;
  }
  return largest;
}

// Maps `frames` from its start on; what was mapped is taken out of it.
template <PageTableConfig C>
MapRangeResult MapRange(CursorMut<C>& cursor, USegment& frames, PageProperty property,
                        PageSizes sizes) {
  using Geo = Geometry<typename C::Format>;
  MapRangeResult result;
  while (frames.pages() != 0) {
    const int level = sizes == PageSizes::kLargestThatFit ? LargestLevel(cursor, frames) : 1;
    const uint64_t pages = Geo::EntrySpan(level) / kPageSize;
    absl::StatusOr<USegment> part = frames.TakeFirst(pages);
    if (!part.ok()) {
      result.status = part.status();
      return result;
    }
    MappedFrames item(*std::move(part), property);
    result.status = cursor.Map(std::move(item));
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
    MappedFrames item(std::move(frame), property);
    result.status = cursor.Map(std::move(item));
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

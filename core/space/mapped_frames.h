// SPDX-License-Identifier: Apache-2.0
//
// What a space's table maps: a run of frames that it owns a reference to, and how they may
// be used. A huge page owns one reference on each of its base frames, so splitting a mapping never
// touches a count.

#ifndef PADDOCK_CORE_SPACE_MAPPED_FRAMES_H_
#define PADDOCK_CORE_SPACE_MAPPED_FRAMES_H_

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/segment.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/tlb/tlb_context.h"

namespace paddock {

// Frames to be mapped with one entry, as many as a level of the format maps, or page by page.
struct MappedFrames {
  USegment frames;
  PageProperty property;

  MappedFrames(UFrame frame, PageProperty how) : frames(std::move(frame)), property(how) {}
  MappedFrames(USegment run, PageProperty how) : frames(std::move(run)), property(how) {}
};

// The level whose entries map `pages` base pages; 0 if there is none.
template <PagingFormat F>
constexpr int LevelOfPages(uint64_t pages) {
  for (int level = 1; level <= F::kLevels; ++level) {
    if (Geometry<F>::EntrySpan(level) / kPageSize == pages) return level;
  }
  return 0;
}

// The configuration of one space's table, which maps frames in the root entries `First` to `Last`.
template <PagingFormat Fmt, uint64_t First, uint64_t Last>
class FramesConfig {
 public:
  using Format = Fmt;
  using Item = MappedFrames;
  static constexpr uint64_t kTopLevelFirst = First;
  static constexpr uint64_t kTopLevelLast = Last;
  static constexpr bool kTopLevelRemovable = true;
  static constexpr TlbScope kTlbScope = TlbScope::kSpace;

  explicit FramesConfig(FrameTable& frames) : frames_(&frames) {}

  // Frames of another machine must not end up in this one's tables.
  bool Owns(const Item& item) const {
    return item.frames.empty() || &item.frames.table() == frames_;
  }
  uint64_t PagesOf(const Item& item) const { return item.frames.pages(); }
  RawItem RawOf(const Item& item) const {
    return RawItem{item.frames.start(), LevelOfPages<Format>(PagesOf(item)), item.property};
  }
  RawItem ItemIntoRaw(Item&& item) const {
    const RawItem raw = RawOf(item);
    std::move(item.frames).IntoRaw();
    return raw;
  }
  Item ItemFromRaw(const RawItem& raw) const {
    return Item(USegment::FromRaw(*frames_, RunOf(raw)), raw.property);
  }
  absl::StatusOr<Item> CloneRaw(const RawItem& raw) const {
    if (absl::Status status = frames_->AddReferences(RunOf(raw)); !status.ok()) return status;
    return ItemFromRaw(raw);
  }
  bool IsTracked(const RawItem&) const { return true; }

 private:
  static FrameRun RunOf(const RawItem& raw) {
    return FrameRun{raw.frame, Geometry<Format>::EntrySpan(raw.level) / kPageSize};
  }

  FrameTable* frames_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_MAPPED_FRAMES_H_

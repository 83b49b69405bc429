// SPDX-License-Identifier: Apache-2.0
//
// What a kernel's table maps, and its configuration: frames that an entry owns references to
// (tracked), or any physical addresses, a device's for example, that nobody counts (untracked).
//
//   KernelItem tracked(std::move(frame), kReadWriteKernel);
//   KernelItem device(PhysRange{PhysAddr(0xfee00000), PhysAddr(0xfee01000)}, uncached);
//   RETURN_IF_ERROR(cursor.Map(std::move(device)));
//
// Which of the two an entry is stands in the entry itself, in a software bit: splitting keeps it,
// and a change of properties that would flip it is refused. A huge tracked page owns one reference
// on each of its base frames, so splitting touches no count.
//
// After the kernel's configuration in the configuration contract of the Asterinas page table, its
// bound on the ranges of cursors included.

#ifndef PADDOCK_CORE_SPACE_KERNEL_CONFIG_H_
#define PADDOCK_CORE_SPACE_KERNEL_CONFIG_H_

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/segment.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/core/tlb/tlb_context.h"

namespace paddock {

// The software bit of an untracked mapping in a kernel's table. The other seven are the caller's.
inline constexpr uint8_t kUntrackedSoftwareBit = 1;

// To be mapped with one entry, of a size that a level of the format maps, or page by page.
struct KernelItem {
  USegment frames;      // tracked, or
  PhysRange untracked;  // if `frames` is empty: physical addresses, maybe outside of all memory
  PageProperty property;

  KernelItem(UFrame frame, PageProperty how) : frames(std::move(frame)), property(how) {}
  KernelItem(USegment run, PageProperty how) : frames(std::move(run)), property(how) {}
  KernelItem(PhysRange addresses, PageProperty how) : untracked(addresses), property(how) {}

  bool tracked() const { return !frames.empty(); }
};

// A table that every space of a machine shares, in the root entries `First` to `Last`. The ranges
// of its cursors end by the offset `LockedEnd`.
template <PagingFormat Fmt, uint64_t First, uint64_t Last, uint64_t LockedEnd>
class KernelConfig {
 public:
  using Format = Fmt;
  using Item = KernelItem;
  static constexpr uint64_t kTopLevelFirst = First;
  static constexpr uint64_t kTopLevelLast = Last;
  static constexpr bool kTopLevelRemovable = false;
  static constexpr TlbScope kTlbScope = TlbScope::kMachine;
  static constexpr uint64_t kLockedEndBound = LockedEnd;
  static constexpr uint8_t kReservedSoftware = kUntrackedSoftwareBit;

  explicit KernelConfig(FrameTable& frames) : frames_(&frames) {}

  // Frames of another machine must not end up in this one's tables.
  bool Owns(const Item& item) const { return !item.tracked() || &item.frames.table() == frames_; }
  uint64_t PagesOf(const Item& item) const {
    if (item.tracked()) return item.frames.pages();
    const uint64_t bytes = item.untracked.size();
    return bytes % kPageSize == 0 ? bytes / kPageSize : 0;
  }
  RawItem RawOf(const Item& item) const {
    const int level = LevelOfPages<Format>(PagesOf(item));
    if (item.tracked()) return RawItem{item.frames.start(), level, item.property};
    return RawItem{item.untracked.start, level, AsUntracked(item.property)};
  }
  RawItem ItemIntoRaw(Item&& item) const {
    const RawItem raw = RawOf(item);
    std::move(item.frames).IntoRaw();
    item.untracked = PhysRange{};
    return raw;
  }
  Item ItemFromRaw(const RawItem& raw) const {
    if (IsTracked(raw)) return Item(USegment::FromRaw(*frames_, RunOf(raw)), raw.property);
    PageProperty property = raw.property;
    property.software &= static_cast<uint8_t>(~kUntrackedSoftwareBit);
    return Item(PhysRange{raw.frame, raw.frame.Plus(SpanOf(raw))}, property);
  }
  absl::StatusOr<Item> CloneRaw(const RawItem& raw) const {
    if (IsTracked(raw)) {
      if (absl::Status status = frames_->AddReferences(RunOf(raw)); !status.ok()) return status;
    }
    return ItemFromRaw(raw);
  }
  bool IsTracked(const RawItem& raw) const { return IsTracked(raw.property); }

  // The same question about the property of an entry, wherever it was copied to.
  static constexpr bool IsTracked(PageProperty property) {
    return (property.software & kUntrackedSoftwareBit) == 0;
  }
  static constexpr PageProperty AsUntracked(PageProperty property) {
    property.software |= kUntrackedSoftwareBit;
    return property;
  }

 private:
  static uint64_t SpanOf(const RawItem& raw) { return Geometry<Format>::EntrySpan(raw.level); }
  static FrameRun RunOf(const RawItem& raw) { return FrameRun{raw.frame, SpanOf(raw) / kPageSize}; }

  FrameTable* frames_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_KERNEL_CONFIG_H_

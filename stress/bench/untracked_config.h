// SPDX-License-Identifier: Apache-2.0
//
// A table of physical memory that nobody owns, so that mapping and unmapping much of it touches no
// frame.

#ifndef PADDOCK_STRESS_BENCH_UNTRACKED_CONFIG_H_
#define PADDOCK_STRESS_BENCH_UNTRACKED_CONFIG_H_

#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/x86_64.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/space/mapped_frames.h"

namespace paddock::bench {

struct UntrackedMemory {
  PhysRange range;
  PageProperty property;

  UntrackedMemory(PhysRange what, PageProperty how) : range(what), property(how) {}
};

class UntrackedConfig {
 public:
  using Format = x86_64::Format4;
  using Item = UntrackedMemory;
  static constexpr uint64_t kTopLevelFirst = 0;
  static constexpr uint64_t kTopLevelLast = 255;
  static constexpr bool kTopLevelRemovable = true;
  static constexpr TlbScope kTlbScope = TlbScope::kSpace;

  explicit UntrackedConfig(FrameTable&) {}

  RawItem RawOf(const Item& item) const {
    return RawItem{item.range.start, LevelOfPages<Format>(item.range.size() / kPageSize),
                   item.property};
  }
  RawItem ItemIntoRaw(Item&& item) const { return RawOf(item); }
  Item ItemFromRaw(const RawItem& raw) const {
    const uint64_t bytes = Geometry<Format>::EntrySpan(raw.level);
    return Item(PhysRange{raw.frame, raw.frame.Plus(bytes)}, raw.property);
  }
  absl::StatusOr<Item> CloneRaw(const RawItem& raw) const { return ItemFromRaw(raw); }
  bool IsTracked(const RawItem&) const { return false; }
  bool Owns(const Item&) const { return true; }
};

static_assert(PageTableConfig<UntrackedConfig>);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_UNTRACKED_CONFIG_H_

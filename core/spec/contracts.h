// SPDX-License-Identifier: Apache-2.0
//
// The postconditions of cursor operations, executable. Each takes the view of the locked range
// before and after the operation (nobody else can touch it), the arguments and what was returned.
//
//   const AbstractTable before = ViewOf(range);
//   Removed removed = ...unmap...;
//   absl::Status held = CheckUnmap(before, ViewOf(range), stretch, removed.pages);
//   PADDOCK_CHECK(held.ok(), held.message());
//
// A violation is an INTERNAL status that names the operation, its arguments, the lowest address at
// which the views differ and what is there. Hardware may set accessed and dirty bits at any moment;
// by default more of them than expected is allowed, fewer is not. Thread safety: pure functions.
// Cost: a copy of the view before, linear in its runs.

#ifndef PADDOCK_CORE_SPEC_CONTRACTS_H_
#define PADDOCK_CORE_SPEC_CONTRACTS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/core/spec/abstract_table.h"

namespace paddock {

// After a failed operation and after one that only reads.
absl::Status CheckUnchanged(const AbstractTable& before, const AbstractTable& after,
                            HardwareBits bits = HardwareBits::kMayBeSet);

// `range` was mapped to physical pages from `frame` on: before, less what the range covered, plus
// this.
absl::Status CheckMap(const AbstractTable& before, const AbstractTable& after, VirtRange range,
                      PhysAddr frame, PageProperty property,
                      HardwareBits bits = HardwareBits::kMayBeSet);

// Every mapping outside `range` survives with its offset and property, nothing remains inside, and
// `removed` is the number of base pages that were there.
absl::Status CheckUnmap(const AbstractTable& before, const AbstractTable& after, VirtRange range,
                        uint64_t removed, HardwareBits bits = HardwareBits::kMayBeSet);

// Same addresses and frames; properties in `range` are `op` of what they were, and `changed` is the
// number of base pages that are mapped there.
absl::Status CheckProtect(const AbstractTable& before, const AbstractTable& after, VirtRange range,
                          PropertyFunction op, uint64_t changed,
                          HardwareBits bits = HardwareBits::kMayBeSet);

// `query` at `va` said that the slot `slot` (only its part inside `locked` is judged) is absent
// (nullopt) or maps physical pages from `item->frame`, which belongs to slot.start, on.
struct QueriedItem {
  PhysAddr frame;
  PageProperty property;
};
absl::Status CheckQuery(const AbstractTable& view, VirtRange locked, VirtAddr va, VirtRange slot,
                        const std::optional<QueriedItem>& item,
                        HardwareBits bits = HardwareBits::kMayBeSet);

absl::Status CheckFindNext(const AbstractTable& view, VirtRange searched,
                           std::optional<VirtAddr> found);

// `taken` (an item or a subtree, `pages` mapped base pages in it) was the first thing mapped in
// `searched`, and nothing else has gone.
absl::Status CheckTakeNext(const AbstractTable& before, const AbstractTable& after,
                           VirtRange searched, std::optional<VirtRange> taken, uint64_t pages,
                           HardwareBits bits = HardwareBits::kMayBeSet);

// `changed`, wholly mapped, was the first thing mapped in `searched`; it alone has new properties.
absl::Status CheckProtectNext(const AbstractTable& before, const AbstractTable& after,
                              VirtRange searched, std::optional<VirtRange> changed,
                              PropertyFunction op, HardwareBits bits = HardwareBits::kMayBeSet);

}  // namespace paddock

#endif  // PADDOCK_CORE_SPEC_CONTRACTS_H_

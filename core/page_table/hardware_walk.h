// SPDX-License-Identifier: Apache-2.0
//
// What a CPU's memory-management unit does on a TLB miss: walks without any lock, checks
// permissions, and sets accessed and dirty bits by compare-exchange, at any time, whoever holds the
// granule. Used to simulate accesses; on real hardware the hardware does this.

#ifndef PADDOCK_CORE_PAGE_TABLE_HARDWARE_WALK_H_
#define PADDOCK_CORE_PAGE_TABLE_HARDWARE_WALK_H_

#include <cstdint>

#include "paddock/arch/page_property.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/page_table/access.h"
#include "paddock/core/page_table/page_table.h"

namespace paddock {

struct HardwareWalkResult {
  WalkFault fault = WalkFault::kNone;
  Translation translation;  // if there is no fault; the property as it is after the access
};

// Translates `va` through the tables below `root`. Must be called inside a read-side section, which
// keeps the tables alive as a real walker's flush acknowledgement does.
template <PagingFormat F>
HardwareWalkResult HardwareWalk(FrameTable& frames, PhysAddr root, const RcuReadGuard&, VirtAddr va,
                                Access access, Privilege privilege) {
  using Geo = Geometry<F>;
  const uint64_t offset = Geo::ToOffset(va);
  if (!Geo::IsCanonical(va)) return {WalkFault::kNotPresent, {}};
  Node<F> node(frames, root);
  int level = Geo::kLevels;
  Pte pte = node.LoadAsHardware(Geo::Index(offset, level));
  for (;;) {
    const uint64_t index = Geo::Index(offset, level);
    switch (F::Kind(pte, level)) {
      case EntryKind::kAbsent:
        return {WalkFault::kNotPresent, {}};
      case EntryKind::kTable:
        node = Node<F>::Child(frames, pte, level--);
        pte = node.LoadAsHardware(Geo::Index(offset, level));
        continue;
      case EntryKind::kLeaf:
        break;
    }
    if (!HasAll(F::Property(pte, level).flags, FlagsNeeded(access, privilege))) {
      return {WalkFault::kPermission, {}};
    }
    const Pte touched =
        access == Access::kWrite ? F::WithAccessedDirty(pte, level) : F::WithAccessed(pte, level);
    if (touched != pte && !node.CompareExchangeAsHardware(index, pte, touched)) continue;
    return {WalkFault::kNone, TranslationOf<F>(va, touched, level)};
  }
}

// The same for user code, through `table`. The section is one of the table's machine (checked).
template <PageTableConfig C>
HardwareWalkResult HardwareWalk(PageTable<C>& table, const RcuReadGuard& section, VirtAddr va,
                                Access access) {
  PADDOCK_CHECK(&section.domain() == &table.env().rcu(),
                "a table is walked in another machine's section");
  return HardwareWalk<typename C::Format>(table.env().frames(), table.root(), section, va, access,
                                          Privilege::kUser);
}

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_HARDWARE_WALK_H_

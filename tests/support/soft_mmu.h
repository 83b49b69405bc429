// SPDX-License-Identifier: Apache-2.0
//
// A walker that shares no code with the tables it looks at: from a root, through raw memory, to
// what the hardware would see. It knows nothing of nodes, slots, claims and occupancy.
//
//   std::optional<MappedPage> page = SoftWalk<F>(memory, root, va);
//   AbstractTable view = ViewOf<F>(memory, root);
//
// Thread safety: entries are read atomically, so tables may change meanwhile; the nodes must stay
// allocated. Cost: a walk is one load per level, a view looks at every entry of every node.

#ifndef PADDOCK_TESTS_SUPPORT_SOFT_MMU_H_
#define PADDOCK_TESTS_SUPPORT_SOFT_MMU_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/frame/physical_memory.h"
#include "paddock/core/spec/abstract_table.h"

namespace paddock {

struct MappedPage {
  PhysAddr frame;  // of the base page
  int level = 0;   // of the leaf
  PageProperty property;

  friend bool operator==(const MappedPage&, const MappedPage&) = default;
};

inline Pte RawEntry(const PhysicalMemory& memory, PhysAddr node, uint64_t index) {
  auto* entries = reinterpret_cast<Pte*>(memory.Data(node));
  return std::atomic_ref<Pte>(entries[index]).load(std::memory_order_acquire);
}

template <PagingFormat F>
std::optional<MappedPage> SoftWalk(const PhysicalMemory& memory, PhysAddr root, VirtAddr va) {
  int shift = F::kAddressBits;
  PhysAddr node = root;
  for (int level = F::kLevels; level >= 1; --level) {
    shift -= F::IndexBits(level);
    const uint64_t index = (va.value() >> shift) & ((uint64_t{1} << F::IndexBits(level)) - 1);
    const Pte pte = RawEntry(memory, node, index);
    if (F::Kind(pte, level) == EntryKind::kAbsent) return std::nullopt;
    node = F::Address(pte, level);
    if (F::Kind(pte, level) == EntryKind::kTable) continue;
    const uint64_t inside = va.value() & ((uint64_t{1} << shift) - 1) & ~(kPageSize - 1);
    return MappedPage{PhysAddr(node.value() + inside), level, F::Property(pte, level)};
  }
  return std::nullopt;
}

// The node of `level` on the way to `va`; none if the way ends above it.
template <PagingFormat F>
std::optional<PhysAddr> TableAt(const PhysicalMemory& memory, PhysAddr root, VirtAddr va,
                                int level) {
  int shift = F::kAddressBits;
  PhysAddr node = root;
  for (int above = F::kLevels; above > level; --above) {
    shift -= F::IndexBits(above);
    const uint64_t index = (va.value() >> shift) & ((uint64_t{1} << F::IndexBits(above)) - 1);
    const Pte pte = RawEntry(memory, node, index);
    if (F::Kind(pte, above) != EntryKind::kTable) return std::nullopt;
    node = F::Address(pte, above);
  }
  return node;
}

// Where the entry of `level` for `va` is in memory. Precondition: its node exists.
template <PagingFormat F>
Pte* EntryAt(const PhysicalMemory& memory, PhysAddr root, VirtAddr va, int level) {
  int shift = kPageBits;
  for (int below = 1; below < level; ++below) shift += F::IndexBits(below);
  const uint64_t index = (va.value() >> shift) & ((uint64_t{1} << F::IndexBits(level)) - 1);
  return reinterpret_cast<Pte*>(memory.Data(*TableAt<F>(memory, root, va, level))) + index;
}

namespace soft_mmu_internal {

template <PagingFormat F>
void AddNode(const PhysicalMemory& memory, PhysAddr node, int level, int shift, uint64_t va,
             uint64_t first, uint64_t last, AbstractTable& view) {
  shift -= F::IndexBits(level);
  for (uint64_t index = first; index <= last; ++index) {
    const Pte pte = RawEntry(memory, node, index);
    if (F::Kind(pte, level) == EntryKind::kAbsent) continue;
    uint64_t start = va + (index << shift);
    if (F::Kind(pte, level) == EntryKind::kTable) {
      const uint64_t below = (uint64_t{1} << F::IndexBits(level - 1)) - 1;
      AddNode<F>(memory, F::Address(pte, level), level - 1, shift, start, 0, below, view);
      continue;
    }
    const bool upper = (start >> (F::kAddressBits - 1)) != 0;
    if (F::kSignExtension == SignExtension::kFromTopBit && upper) {
      start |= ~((uint64_t{1} << F::kAddressBits) - 1);
    }
    view.Map({VirtAddr(start), VirtAddr(start + (uint64_t{1} << shift))}, F::Address(pte, level),
             F::Property(pte, level));
  }
}

}  // namespace soft_mmu_internal

// What the root's entries `first` to `last` mean.
template <PagingFormat F>
AbstractTable ViewOf(const PhysicalMemory& memory, PhysAddr root, uint64_t first, uint64_t last) {
  AbstractTable view;
  soft_mmu_internal::AddNode<F>(memory, root, F::kLevels, F::kAddressBits, 0, first, last, view);
  return view;
}
template <PagingFormat F>
AbstractTable ViewOf(const PhysicalMemory& memory, PhysAddr root) {
  return ViewOf<F>(memory, root, 0, (uint64_t{1} << F::IndexBits(F::kLevels)) - 1);
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_SOFT_MMU_H_

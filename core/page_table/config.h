// SPDX-License-Identifier: Apache-2.0
//
// What a page table is parameterised by: a paging format, the part of the address space it manages,
// and the items that it maps. After the configuration contract of the Asterinas page table
// (PageTableConfig and its proof obligations).

#ifndef PADDOCK_CORE_PAGE_TABLE_CONFIG_H_
#define PADDOCK_CORE_PAGE_TABLE_CONFIG_H_

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/tlb/tlb_context.h"

namespace paddock {

// An item as a leaf entry holds it, without ownership. `level` says the size: 1 is one base page.
struct RawItem {
  PhysAddr frame;
  int level = 1;
  PageProperty property;

  friend bool operator==(const RawItem&, const RawItem&) = default;
};

// The bits above the format's address width in the lowest address that C manages: all ones in the
// upper half of a sign-extended format, else zeros.
template <typename C>
constexpr uint64_t LeadingBits() {
  using Geo = Geometry<typename C::Format>;
  const uint64_t first = C::kTopLevelFirst * Geo::EntrySpan(Geo::kLevels);
  return Geo::ToVirt(first).value() & ~(Geo::kSpan - 1);
}

// Whether C's root entries exist and map one stretch of addresses: at least one of them, none
// beyond the root, and not on both sides of the hole of non-canonical addresses. Then no end of a
// range overflows: offsets stay below 2^63, and only the end of the very last page is 2^64, which
// is written 0.
template <typename C>
constexpr bool ManagesOneStretch() {
  using Geo = Geometry<typename C::Format>;
  if (C::kTopLevelFirst > C::kTopLevelLast) return false;
  if (C::kTopLevelLast >= Geo::Entries(Geo::kLevels)) return false;
  const uint64_t last = C::kTopLevelLast * Geo::EntrySpan(Geo::kLevels);
  return Geo::ToVirt(last).value() == (last | LeadingBits<C>());
}

template <typename C>
concept ManagesAddresses = PagingFormat<typename C::Format> && requires {
  typename std::integral_constant<uint64_t, C::kTopLevelFirst>;
  typename std::integral_constant<uint64_t, C::kTopLevelLast>;
  typename std::bool_constant<C::kTopLevelRemovable>;
  typename std::integral_constant<TlbScope, C::kTlbScope>;
} && ManagesOneStretch<C>();

// What a configuration C provides. What a compiler can see is asked for here; the rest of the
// contract is a test suite, tests/support/config_conformance.h, and docs/writing-a-configuration.md
// leads through both.
//
//   C(FrameTable&)      cheap, and the same for the same frames: a table makes several of them
//   Format              the paging format
//   kTopLevelFirst,     the first and the last root entry that the table manages; the others may be
//   kTopLevelLast       shared with another table and are never touched
//   kTopLevelRemovable  whether tables right below the root may be cut out; not if they are shared
//   kTlbScope           which CPUs may hold translations of the table
//
//   Item                what is mapped: movable, owns what must stay alive while it is mapped; its
//                       member `property` says how
//   ItemIntoRaw(Item&&) -> RawItem
//                       gives up ownership: from now on the entry owns it
//   ItemFromRaw(RawItem) -> Item
//                       takes ownership back. The exact inverse of ItemIntoRaw, also for what an
//                       entry became while it was mapped: one of the pieces of a huge page, all of
//                       which together own what the whole owned, or the same frames with another
//                       property that leaves IsTracked as it was
//   RawOf(const Item&) -> RawItem
//                       what ItemIntoRaw would return
//   CloneRaw(RawItem) -> StatusOr<Item>
//                       a second item of what an entry owns: one more reference to each frame of a
//                       tracked item and no other change, none at all for an untracked one.
//                       RESOURCE_EXHAUSTED if a reference count is saturated; nothing has changed
//   IsTracked(RawItem) -> bool
//                       whether the entry owns a reference to each of its base frames, which are
//                       frames of the FrameTable then; of an untracked item they need not be.
//                       Decided by neither the accessed nor the dirty bit, and for a huge page as
//                       for its pieces
//   Owns(const Item&) -> bool
//                       whether the item may be mapped here; frames of another machine may not
//
// and may provide:
//
//   kLockedEndBound     the offset by which ranges of cursors end, if that is before the end of
//                       what the table manages
//   kReservedSoftware   software bits of a RawItem's property in which C keeps notes of its own;
//                       users of the table see them and cannot change them
//   PagesOf(const Item&) -> uint64_t
//                       how many base pages, of neighbouring addresses from RawOf(item).frame on,
//                       the item has; 0 if it has a part of one. CursorMut::MapPages then maps
//                       items of any number, whatever level RawOf says, and each page becomes an
//                       item of its own
//
// A raw item is what a leaf holds. One that the format cannot hold (its level, alignment, address
// width or property) is refused when it is to be mapped, before ItemIntoRaw is called.
template <typename C>
concept PageTableConfig =
    std::movable<typename C::Item> && std::constructible_from<C, FrameTable&> &&
    requires(const C config, typename C::Item item, const RawItem raw) {
      { item.property } -> std::convertible_to<PageProperty>;
      { config.ItemIntoRaw(std::move(item)) } -> std::same_as<RawItem>;
      { config.ItemFromRaw(raw) } -> std::same_as<typename C::Item>;
      { config.RawOf(std::as_const(item)) } -> std::same_as<RawItem>;
      { config.Owns(std::as_const(item)) } -> std::same_as<bool>;
      { config.CloneRaw(raw) } -> std::same_as<absl::StatusOr<typename C::Item>>;
      { config.IsTracked(raw) } -> std::same_as<bool>;
    } && ManagesAddresses<C>;

// A configuration that provides PagesOf.
template <typename C>
concept CountsPages = PageTableConfig<C> && requires(const C config, const typename C::Item item) {
  { config.PagesOf(item) } -> std::same_as<uint64_t>;
};

template <PageTableConfig C>
constexpr uint8_t ReservedSoftware() {
  if constexpr (requires { C::kReservedSoftware; }) {
    return C::kReservedSoftware;
  } else {
    return 0;
  }
}

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_CONFIG_H_

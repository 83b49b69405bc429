// SPDX-License-Identifier: Apache-2.0
//
// What a page table is parameterised by: a paging format, the part of the address space it manages,
// and the items that it maps. After the configuration contract of the Asterinas page table.

#ifndef PADDOCK_CORE_PAGE_TABLE_CONFIG_H_
#define PADDOCK_CORE_PAGE_TABLE_CONFIG_H_

#include <concepts>
#include <cstdint>

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

// C provides, besides being constructible from a FrameTable&:
//
//   Format             the paging format
//   Item               what is mapped: movable, owns what must stay alive while it is mapped; its
//                      member `property` says how
//   kTopLevelFirst, kTopLevelLast   the first and the last root entry that this table manages; the
//                      other entries may be shared with another table and are never touched
//   kTopLevelRemovable  whether tables right below the root may be cut out (not if they are shared)
//   kTlbScope          which CPUs may hold translations of it
//   ItemIntoRaw(Item&&) -> RawItem   gives up ownership: the entry owns it now
//   ItemFromRaw(RawItem) -> Item     takes ownership back; the exact inverse of ItemIntoRaw, also
//                      for a part of what was mapped and with another property
//   RawOf(const Item&) -> RawItem    looks, changes nothing
//   Owns(const Item&) -> bool        whether the item is of this table's world
//   CloneRaw(RawItem) -> StatusOr<Item>   a second item of what an entry owns; RESOURCE_EXHAUSTED
//                      if a reference count is saturated
//   IsTracked(RawItem) -> bool       whether the entry owns references to its frames; if not, its
//                      addresses need not be frames of this machine
//
// and may provide:
//
//   kLockedEndBound    the offset by which ranges of cursors end, if that is before the end of what
//                      the table manages
//   kReservedSoftware  software bits of a RawItem's property in which C keeps notes of its own;
//                      users of the table see them and cannot change them
template <typename C>
concept PageTableConfig =
    PagingFormat<typename C::Format> && std::movable<typename C::Item> &&
    std::constructible_from<C, FrameTable&> &&
    requires(const C config, typename C::Item item, const RawItem raw) {
      { C::kTopLevelFirst } -> std::convertible_to<uint64_t>;
      { C::kTopLevelLast } -> std::convertible_to<uint64_t>;
      { C::kTopLevelRemovable } -> std::convertible_to<bool>;
      { C::kTlbScope } -> std::convertible_to<TlbScope>;
      { item.property } -> std::convertible_to<PageProperty>;
      { config.ItemIntoRaw(std::move(item)) } -> std::same_as<RawItem>;
      { config.ItemFromRaw(raw) } -> std::same_as<typename C::Item>;
      { config.RawOf(item) } -> std::same_as<RawItem>;
      { config.Owns(item) } -> std::same_as<bool>;
      { config.CloneRaw(raw) } -> std::same_as<absl::StatusOr<typename C::Item>>;
      { config.IsTracked(raw) } -> std::same_as<bool>;
    } && C::kTopLevelFirst <= C::kTopLevelLast &&
    C::kTopLevelLast < Geometry<typename C::Format>::Entries(C::Format::kLevels);

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

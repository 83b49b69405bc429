// SPDX-License-Identifier: Apache-2.0
//
// A table configuration that maps physical addresses and owns nothing: for tests of structure and
// meaning, where a 1 GiB page must not need 1 GiB of frames.

#ifndef PADDOCK_TESTS_SUPPORT_BARE_CONFIG_H_
#define PADDOCK_TESTS_SUPPORT_BARE_CONFIG_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/page_table/config.h"

namespace paddock {

template <PagingFormat F>
inline constexpr uint64_t kLastRootEntry = Geometry<F>::Entries(F::kLevels) - 1;

// The root entries below the hole of non-canonical addresses, or all if there is no hole.
template <PagingFormat F>
inline constexpr uint64_t kLastLowerEntry =
    F::kSignExtension == SignExtension::kFromTopBit ? kLastRootEntry<F> / 2 : kLastRootEntry<F>;

template <PagingFormat Fmt, uint64_t First = 0, uint64_t Last = kLastLowerEntry<Fmt>,
          bool Removable = true>
class BareConfig {
 public:
  using Format = Fmt;
  using Item = RawItem;
  static constexpr uint64_t kTopLevelFirst = First;
  static constexpr uint64_t kTopLevelLast = Last;
  static constexpr bool kTopLevelRemovable = Removable;
  static constexpr TlbScope kTlbScope = TlbScope::kSpace;

  explicit BareConfig(FrameTable&) {}

  bool Owns(const Item&) const { return true; }
  RawItem RawOf(const Item& item) const { return item; }
  RawItem ItemIntoRaw(Item&& item) const { return item; }
  Item ItemFromRaw(const RawItem& raw) const { return raw; }
  absl::StatusOr<Item> CloneRaw(const RawItem& raw) const { return raw; }
  bool IsTracked(const RawItem&) const { return false; }
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_BARE_CONFIG_H_

// SPDX-License-Identifier: Apache-2.0
//
// Turns a caller's virtual range into offsets that a table can work with, or says what is wrong
// with it.

#ifndef PADDOCK_CORE_PAGE_TABLE_RANGE_CHECK_H_
#define PADDOCK_CORE_PAGE_TABLE_RANGE_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "paddock/arch/address.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/locking.h"

namespace paddock {

inline std::string RangeText(VirtRange range) {
  return absl::StrFormat("range [%#x, %#x)", range.start.value(), range.end.value());
}

// The offsets that a table of configuration C manages.
template <PageTableConfig C>
constexpr OffsetRange ManagedOffsets() {
  using Geo = Geometry<typename C::Format>;
  const uint64_t span = Geo::EntrySpan(Geo::kLevels);
  return OffsetRange{C::kTopLevelFirst * span, (C::kTopLevelLast + 1) * span};
}

// The offset by which ranges of cursors end.
template <PageTableConfig C>
constexpr uint64_t LockedEndBound() {
  constexpr OffsetRange kManaged = ManagedOffsets<C>();
  if constexpr (requires { C::kLockedEndBound; }) {
    static_assert(kManaged.start < C::kLockedEndBound && C::kLockedEndBound <= kManaged.end);
    return C::kLockedEndBound;
  } else {
    return kManaged.end;
  }
}

// The offsets of `range` if it is not empty, page-aligned, and inside the addresses that cursors
// may lock.
template <PageTableConfig C>
constexpr std::optional<OffsetRange> OffsetsOf(VirtRange range) {
  using Geo = Geometry<typename C::Format>;
  constexpr OffsetRange kManaged = ManagedOffsets<C>();
  if (range.IsEmpty() || range.IsReversed() || !range.IsAligned(kPageSize)) return std::nullopt;
  const uint64_t first = Geo::ToOffset(range.start);
  const uint64_t last = Geo::ToOffset(range.last());
  const bool canonical = Geo::IsCanonical(range.start) && Geo::IsCanonical(range.last());
  const bool contiguous = last - first == range.size() - 1 && first <= last;
  if (!canonical || !contiguous || first < kManaged.start || last >= LockedEndBound<C>()) {
    return std::nullopt;
  }
  return OffsetRange{first, last + 1};
}

// Why OffsetsOf refused `range`. INVALID_ARGUMENT: empty, reversed, not page-aligned. OUT_OF_RANGE:
// not inside the managed addresses, non-canonical ones included, or passes the bound of cursors.
template <PageTableConfig C>
ABSL_ATTRIBUTE_NOINLINE absl::Status RangeError(VirtRange range) {
  using Geo = Geometry<typename C::Format>;
  constexpr OffsetRange kManaged = ManagedOffsets<C>();
  if (range.IsEmpty()) return absl::InvalidArgumentError(RangeText(range) + " is empty");
  if (range.IsReversed()) return absl::InvalidArgumentError(RangeText(range) + " is reversed");
  for (const auto& [name, end] : {std::pair("start", range.start), std::pair("end", range.end)}) {
    if (end.IsAligned(kPageSize)) continue;
    return absl::InvalidArgumentError(
        absl::StrFormat("%s is not aligned to 4 KiB: %s %#x", RangeText(range), name, end.value()));
  }
  const auto is_managed = [&](VirtAddr va) {
    const uint64_t offset = Geo::ToOffset(va);
    return Geo::IsCanonical(va) && kManaged.start <= offset && offset < kManaged.end;
  };
  if (is_managed(range.start) && is_managed(range.last()) &&
      Geo::ToOffset(range.last()) >= LockedEndBound<C>()) {
    return absl::OutOfRangeError(
        absl::StrFormat("%s passes %#x, by which the ranges of cursors in this table end",
                        RangeText(range), Geo::ToVirt(LockedEndBound<C>()).value()));
  }
  return absl::OutOfRangeError(
      absl::StrFormat("%s is outside the managed addresses [%#x, %#x]", RangeText(range),
                      Geo::ToVirt(kManaged.start).value(), Geo::ToVirt(kManaged.end - 1).value()));
}

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_RANGE_CHECK_H_

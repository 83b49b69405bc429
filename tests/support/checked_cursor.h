// SPDX-License-Identifier: Apache-2.0
//
// Operations of a cursor, each judged by the abstract table: whether it was to be refused and with
// which code, what it returned, and where the cursor stands. `expected` is what the table should
// map and changes with the operation; what the table does map is the caller's to compare.
//
//   AbstractTable expected;
//   absl::Status held = CheckedUnmap(cursor, expected, 2 * kPageSize);   // INTERNAL: what is wrong
//
// An operation that was refused as it should be is no failure. Nobody runs out of memory: a refusal
// for want of a frame is a failure. Other cursors of the table stay outside of the locked range,
// and hardware leaves it alone meanwhile. Thread safety: that of the cursor.

#ifndef PADDOCK_TESTS_SUPPORT_CHECKED_CURSOR_H_
#define PADDOCK_TESTS_SUPPORT_CHECKED_CURSOR_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/core/spec/contracts.h"
#include "paddock/core/spec/property_edit.h"

namespace paddock {

// The codes with which something must be refused; it must succeed if there are none.
using RefusalCodes = std::vector<absl::StatusCode>;

inline absl::Status CheckCode(absl::string_view what, const absl::Status& got,
                              const RefusalCodes& refusals) {
  if (refusals.empty() ? got.ok() : absl::c_linear_search(refusals, got.code())) {
    return absl::OkStatus();
  }
  std::string wanted = refusals.empty() ? "OK" : "";
  for (const absl::StatusCode code : refusals) {
    absl::StrAppend(&wanted, wanted.empty() ? "" : " or ", absl::StatusCodeToString(code));
  }
  return absl::InternalError(absl::StrCat(what, ": wanted ", wanted, ", got ", got.ToString()));
}

inline absl::Status CheckPosition(absl::string_view what, VirtAddr wanted, VirtAddr got) {
  if (wanted == got) return absl::OkStatus();
  return absl::InternalError(absl::StrFormat("%s: the cursor should stand at %#x, not at %#x", what,
                                             wanted.value(), got.value()));
}

inline absl::Status CheckCount(absl::string_view what, uint64_t wanted, uint64_t got) {
  if (wanted == got) return absl::OkStatus();
  return absl::InternalError(absl::StrFormat("%s: %u pages, not %u", what, got, wanted));
}

// The first of them that is not OK.
inline absl::Status All(std::initializer_list<absl::Status> verdicts) {
  for (const absl::Status& verdict : verdicts) {
    if (!verdict.ok()) return verdict;
  }
  return absl::OkStatus();
}

template <typename CursorType>
RefusalCodes StretchRefusals(const CursorType& cursor, uint64_t length) {
  RefusalCodes codes;
  if (length % kPageSize != 0) codes.push_back(absl::StatusCode::kInvalidArgument);
  if (length > cursor.remaining()) codes.push_back(absl::StatusCode::kOutOfRange);
  return codes;
}

template <typename CursorType>
VirtRange StretchOf(const CursorType& cursor, uint64_t length) {
  return {cursor.virt_addr(), VirtAddr(cursor.virt_addr().value() + length)};
}

template <typename CursorType>
absl::Status CheckedJump(CursorType& cursor, VirtAddr to) {
  const VirtRange locked = cursor.range();
  const VirtAddr before = cursor.virt_addr();
  RefusalCodes refusals;
  if (!to.IsAligned(kPageSize)) refusals.push_back(absl::StatusCode::kInvalidArgument);
  if (to.value() - locked.start.value() > locked.size()) {
    refusals.push_back(absl::StatusCode::kOutOfRange);
  }
  const absl::Status status = cursor.Jump(to);
  return All({CheckCode("Jump", status, refusals),
              CheckPosition("Jump", status.ok() ? to : before, cursor.virt_addr())});
}

template <typename CursorType>
absl::Status CheckedQuery(CursorType& cursor, const AbstractTable& expected) {
  RefusalCodes refusals;
  if (cursor.remaining() == 0) refusals.push_back(absl::StatusCode::kOutOfRange);
  const VirtAddr at = cursor.virt_addr();
  const absl::StatusOr<QueryResult> slot = cursor.Query();
  if (absl::Status held = CheckCode("Query", slot.status(), refusals); !held.ok()) return held;
  if (!slot.ok()) return absl::OkStatus();
  std::optional<QueriedItem> item;
  if (slot->item) item = QueriedItem{slot->item->frame, slot->item->property};
  // A slot may reach beyond the range: only the locked part is anybody's business.
  return All({CheckQuery(expected, cursor.range(), at, slot->range, item, HardwareBits::kExact),
              CheckPosition("Query", at, cursor.virt_addr())});
}

template <typename CursorType>
absl::Status CheckedFindNext(CursorType& cursor, const AbstractTable& expected, uint64_t length) {
  const RefusalCodes refusals = StretchRefusals(cursor, length);
  const VirtRange stretch = StretchOf(cursor, length);
  const absl::StatusOr<std::optional<VirtAddr>> next = cursor.FindNext(length);
  if (absl::Status held = CheckCode("FindNext", next.status(), refusals); !held.ok()) return held;
  if (!next.ok()) return CheckPosition("FindNext", stretch.start, cursor.virt_addr());
  return All({CheckFindNext(expected, stretch, *next),
              CheckPosition("FindNext", next->value_or(stretch.end), cursor.virt_addr())});
}

// Pages in `stretch` whose property has the flag.
inline uint64_t CountWith(const AbstractTable& table, VirtRange stretch, PageFlags flag) {
  uint64_t pages = 0;
  table.ForEachRun(stretch, [&](const MappedRun& run) {
    if (HasAny(run.property.flags, flag)) pages += run.range.size() / kPageSize;
  });
  return pages;
}

template <PageTableConfig C>
absl::Status CheckedUnmap(CursorMut<C>& cursor, AbstractTable& expected, uint64_t length) {
  const RefusalCodes refusals = StretchRefusals(cursor, length);
  const VirtRange stretch = StretchOf(cursor, length);
  uint64_t accessed = 0;
  uint64_t dirty = 0;
  if (refusals.empty()) {
    accessed = CountWith(expected, stretch, PageFlags::kAccessed);
    dirty = CountWith(expected, stretch, PageFlags::kDirty);
  }
  const absl::StatusOr<Removed> removed = cursor.Unmap(length);
  if (absl::Status held = CheckCode("Unmap", removed.status(), refusals); !held.ok()) return held;
  if (!removed.ok()) return CheckPosition("Unmap", stretch.start, cursor.virt_addr());
  return All({CheckCount("Unmap", expected.Unmap(stretch), removed->pages),
              CheckCount("Unmap, accessed", accessed, removed->accessed_pages),
              CheckCount("Unmap, dirty", dirty, removed->dirty_pages),
              CheckPosition("Unmap", stretch.end, cursor.virt_addr())});
}

template <PageTableConfig C>
absl::Status CheckedTakeNext(CursorMut<C>& cursor, AbstractTable& expected, uint64_t length) {
  const RefusalCodes refusals = StretchRefusals(cursor, length);
  const VirtRange stretch = StretchOf(cursor, length);
  const AbstractTable before = expected;
  auto taken = cursor.TakeNext(length);
  if (absl::Status held = CheckCode("TakeNext", taken.status(), refusals); !held.ok()) return held;
  if (!taken.ok()) return CheckPosition("TakeNext", stretch.start, cursor.virt_addr());
  std::optional<VirtRange> range;
  uint64_t pages = 0;
  if (*taken) {
    range = (*taken)->range;
    pages = (*taken)->pages;
    expected.Unmap(*range);
  }
  const VirtAddr end = range ? range->end : stretch.end;
  return All({CheckTakeNext(before, expected, stretch, range, pages, HardwareBits::kExact),
              CheckPosition("TakeNext", end, cursor.virt_addr())});
}

// Whether the format and the table can express the property of a mapping.
template <PageTableConfig C>
bool CanExpress(PageProperty property) {
  const bool global = HasAny(property.flags, PageFlags::kGlobal);
  return C::Format::EncodeLeaf(PhysAddr(0), property, 1).ok() &&
         !(global && C::kTlbScope == TlbScope::kSpace);
}

template <PageTableConfig C>
absl::Status CheckedProtect(CursorMut<C>& cursor, AbstractTable& expected, uint64_t length,
                            const PropertyEdit& edit) {
  RefusalCodes refusals = StretchRefusals(cursor, length);
  const VirtRange stretch = StretchOf(cursor, length);
  if (refusals.empty()) {
    bool expressible = true;
    expected.ForEachRun(stretch, [&](const MappedRun& run) {
      expressible = expressible && CanExpress<C>(edit(run.property));
    });
    if (!expressible) refusals.push_back(absl::StatusCode::kInvalidArgument);
  }
  const absl::StatusOr<uint64_t> pages = cursor.Protect(length, edit);
  if (absl::Status held = CheckCode("Protect", pages.status(), refusals); !held.ok()) return held;
  if (!pages.ok()) return CheckPosition("Protect", stretch.start, cursor.virt_addr());
  return All({CheckCount("Protect", expected.Protect(stretch, edit), *pages),
              CheckPosition("Protect", stretch.end, cursor.virt_addr())});
}

template <PageTableConfig C>
absl::Status CheckedProtectNext(CursorMut<C>& cursor, AbstractTable& expected, uint64_t length,
                                const PropertyEdit& edit) {
  RefusalCodes refusals = StretchRefusals(cursor, length);
  const VirtRange stretch = StretchOf(cursor, length);
  if (refusals.empty()) {
    const std::optional<MappedRun> first = expected.NextRun(stretch);
    if (first && !CanExpress<C>(edit(first->property))) {
      refusals.push_back(absl::StatusCode::kInvalidArgument);
    }
  }
  const AbstractTable before = expected;
  const auto changed = cursor.ProtectNext(length, edit);
  if (absl::Status held = CheckCode("ProtectNext", changed.status(), refusals); !held.ok()) {
    return held;
  }
  if (!changed.ok()) return CheckPosition("ProtectNext", stretch.start, cursor.virt_addr());
  std::optional<VirtRange> range;
  if (*changed) range = (*changed)->range;
  if (range) expected.Protect(*range, edit);
  const VirtAddr end = range ? range->end : stretch.end;
  return All({CheckProtectNext(before, expected, stretch, range, edit, HardwareBits::kExact),
              CheckPosition("ProtectNext", end, cursor.virt_addr())});
}

// `anchor` is what the cursor was opened with.
template <PageTableConfig C>
absl::Status CheckedMap(CursorMut<C>& cursor, AbstractTable& expected, const C& config,
                        Anchor anchor, typename C::Item item) {
  using F = typename C::Format;
  const RawItem raw = config.RawOf(item);
  const VirtAddr at = cursor.virt_addr();
  RefusalCodes refusals;
  bool may_be_refused = false;
  uint64_t span = 0;
  if (raw.level < 1 || raw.level > F::kLevels || !F::IsLeafLevel(raw.level)) {
    refusals.push_back(absl::StatusCode::kInvalidArgument);
  } else {
    span = Geometry<F>::EntrySpan(raw.level);
    const bool top = raw.level == F::kLevels && !C::kTopLevelRemovable;
    if (!at.IsAligned(span) || top || !CanExpress<C>(raw.property)) {
      refusals.push_back(absl::StatusCode::kInvalidArgument);
    }
    if (span > cursor.remaining()) refusals.push_back(absl::StatusCode::kOutOfRange);
    // Over a hole or a huge page the cursor may stand higher than it asked for.
    may_be_refused = raw.level > 1 && anchor == Anchor::kLow && cursor.range().size() <= span;
  }
  const absl::Status status = cursor.Map(std::move(item));
  if (!refusals.empty() || !may_be_refused || !absl::IsInvalidArgument(status)) {
    if (absl::Status held = CheckCode("Map", status, refusals); !held.ok()) return held;
  }
  if (!status.ok()) return CheckPosition("Map", at, cursor.virt_addr());
  const VirtRange mapped{at, VirtAddr(at.value() + span)};
  expected.Map(mapped, raw.frame, raw.property);
  return CheckPosition("Map", mapped.end, cursor.virt_addr());
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_CHECKED_CURSOR_H_

// SPDX-License-Identifier: Apache-2.0
//
// A cursor over a locked virtual range: looks, changes nothing.
//
//   absl::StatusOr<Cursor<C>> cursor = table.OpenCursor(pin, range);
//   while (true) {
//     absl::StatusOr<std::optional<VirtAddr>> next = cursor->FindNext(cursor->remaining());
//     if (!next.ok() || !*next) break;
//     QueryResult slot = *cursor->Query();
//     if (!cursor->Jump(slot.range.end).ok()) break;
//   }
//
// While a cursor lives, no other cursor's range overlaps its own, reading cursors included; what it
// sees is what the last cursor over the range left. It borrows the CPU pin and must be destroyed
// before it, by the thread that opened it. It may be held for long: it delays overlapping cursors,
// never reclamation (unless it was opened with Wait::kTry in a read-side section).
//
// Thread safety: one thread. Failure: a refused call leaves cursor and table as they were. Cost: a
// step to the next page is a few loads; to another table, one load per level between.

#ifndef PADDOCK_CORE_PAGE_TABLE_CURSOR_H_
#define PADDOCK_CORE_PAGE_TABLE_CURSOR_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "paddock/arch/address.h"
#include "paddock/arch/paging_format.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/locking.h"
#include "paddock/core/page_table/node.h"
#include "paddock/core/page_table/page_table_env.h"
#include "paddock/core/page_table/range_check.h"
#include "paddock/core/spec/abstract_table.h"

namespace paddock {

// What stands at an address. `range` is that of the entry that decides it, which may be larger than
// the cursor's own range.
struct QueryResult {
  VirtRange range;
  std::optional<RawItem> item;  // borrowed: valid until the cursor changes the entry or closes
};

template <PageTableConfig C>
class [[nodiscard]] Cursor {
 public:
  using F = typename C::Format;
  using Geo = Geometry<F>;
  using Item = typename C::Item;

  // Use PageTable::OpenCursor.
  Cursor(PageTable<C>& table, const CpuPin& pin, VirtAddr start, const OpenedRange<C>& opened)
      : table_(&table),
        pin_(&pin),
        start_va_(start),
        range_(opened.offsets_),
        at_(range_.start),
        top_(opened.held_.level),
        level_(top_) {
    path_[top_] = opened.held_.covering;
  }
  Cursor(Cursor&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)),
        pin_(other.pin_),
        start_va_(other.start_va_),
        range_(other.range_),
        at_(other.at_),
        top_(other.top_),
        level_(other.level_) {
    for (int level = level_; level <= top_; ++level) path_[level] = other.path_[level];
  }
  Cursor& operator=(Cursor&&) = delete;
  ~Cursor() {
    if (table_ != nullptr) Close();
  }

  // The locked range, where the cursor stands in it, and how many bytes lie ahead.
  VirtRange range() const { return VirtRange{start_va_, VirtOf(range_.end)}; }
  VirtAddr virt_addr() const { return VirtOf(at_); }
  uint64_t remaining() const { return range_.end - at_; }
  // The highest level at which an item can be mapped in the range, if the format has leaves there.
  int highest_level() const {
    return C::kTopLevelRemovable ? top_ : std::min(top_, Geo::kLevels - 1);
  }

  // OUT_OF_RANGE: the cursor stands at the end of its range.
  absl::StatusOr<QueryResult> Query();

  // The same with a counted item. RESOURCE_EXHAUSTED: a reference count is saturated.
  struct CountedResult {
    VirtRange range;
    std::optional<Item> item;
  };
  absl::StatusOr<CountedResult> QueryItem();

  // Moves to the first mapped address within the next `length` bytes and returns it. If there is
  // none the cursor stands at the end of the stretch. INVALID_ARGUMENT: `length` is not a multiple
  // of 4 KiB. OUT_OF_RANGE: the stretch passes the end of the range.
  absl::StatusOr<std::optional<VirtAddr>> FindNext(uint64_t length);

  // Moves to `va`, which may be the end of the range. INVALID_ARGUMENT: not aligned to 4 KiB.
  // OUT_OF_RANGE: outside the range.
  absl::Status Jump(VirtAddr va);

  // What the locked range maps. For checks: allocates, and costs a step per mapping.
  AbstractTable View();

 protected:
  VirtAddr VirtOf(uint64_t offset) const {
    return VirtAddr(start_va_.value() + (offset - range_.start));
  }
  // The addresses that the entry of `level` around the cursor maps.
  VirtRange EntryRange(int level) const {
    const uint64_t span = Geo::EntrySpan(level);
    const VirtAddr start(VirtOf(at_).value() & ~(span - 1));
    return VirtRange{start, VirtAddr(start.value() + span)};
  }

  absl::Status CheckStretch(uint64_t length) const {
    if (length % kPageSize != 0 || length > remaining()) [[unlikely]]
      return StretchError(length);
    return absl::OkStatus();
  }
  ABSL_ATTRIBUTE_NOINLINE absl::Status StretchError(uint64_t length) const;

  // Moves to `offset`; the node stood in stays the current one if it covers the new place.
  void MoveTo(uint64_t offset) {
    while (level_ < top_ && (at_ ^ offset) >> Geo::Shift(level_ + 1) != 0) ++level_;
    at_ = offset;
  }

  uint64_t index() const { return Geo::Index(at_, level_); }
  Node<F>& node() { return path_[level_]; }

  // Walks down to the entry that decides the cursor's address and returns it: a leaf or absent.
  // Precondition: not at the end of the range.
  Pte Decide() {
    Pte pte = node().Load(index());
    while (level_ > 1 && F::Kind(pte, level_) == EntryKind::kTable) {
      EnterChild(pte);
      pte = node().Load(index());
    }
    return pte;
  }

  void EnterChild(Pte table_entry) {
    const Node<F> child = Node<F>::Child(env().frames(), table_entry, level_);
    path_[--level_] = child;
  }

  // Moves to the first leaf before `limit`, or to `limit`. Returns the leaf, or kAbsentPte.
  Pte FindLeaf(uint64_t limit) {
    if (at_ == limit) return kAbsentPte;
    const Pte pte = Decide();
    return F::Kind(pte, level_) == EntryKind::kLeaf ? pte : SearchLeaf(limit);
  }
  // The same, if no leaf stands here.
  ABSL_ATTRIBUTE_NOINLINE Pte SearchLeaf(uint64_t limit) {
    while (at_ < limit) {
      const Pte pte = Decide();
      if (F::Kind(pte, level_) == EntryKind::kLeaf) return pte;
      MoveTo(std::min(limit, NextOccupied()));
    }
    return kAbsentPte;
  }

  // Calls `visit(level, index, leaf)` for the leaves of the current node from here on, up to the
  // first entry that is none or starts at `limit` or later, or to the one for which it returns
  // false; moves there, or to `limit` if a leaf crosses it. `level` is a constant for base pages.
  // Precondition: before `limit`.
  template <typename Visit>
  void VisitLeaves(uint64_t limit, Visit visit) {
    PADDOCK_DCHECK(at_ < limit, "a stretch of no leaves is visited");
    if (level_ == 1) {
      VisitLeavesOf(std::integral_constant<int, 1>(), limit, visit);
    } else {
      VisitLeavesOf(level_, limit, visit);
    }
  }
  template <typename Level, typename Visit>
  void VisitLeavesOf(Level level, uint64_t limit, Visit& visit) {
    const uint64_t node_start = at_ & ~(Geo::NodeSpan(level) - 1);
    const uint64_t node_end = node_start + Geo::NodeSpan(level);
    const uint64_t last = Geo::Index(std::min(limit, node_end) - 1, level);
    const Node<F> node = this->node();
    const uint64_t first = index();
    uint64_t next = first;
    for (; next <= last; ++next) {
      const Pte pte = node.Load(next);
      if (F::Kind(pte, level) != EntryKind::kLeaf || !visit(level, next, pte)) break;
    }
    if (next != first) MoveTo(std::min(limit, node_start + (next << Geo::Shift(level))));
  }

  // The start of the next entry after the current one that stands in an occupied granule, or the
  // end of the node.
  uint64_t NextOccupied() {
    const uint64_t span = Geo::EntrySpan(level_);
    const uint64_t node_start = at_ & ~(Geo::NodeSpan(level_) - 1);
    uint64_t next = index() + 1;
    const uint64_t entries = Geo::Entries(level_);
    while (next < entries && !node().MayBeOccupied(next, level_)) {
      next = (next / Geo::EntriesPerGranule(level_) + 1) * Geo::EntriesPerGranule(level_);
    }
    return node_start + next * span;
  }

  RawItem RawOf(Pte leaf) const {
    return RawItem{F::Address(leaf, level_), level_, F::Property(leaf, level_)};
  }

  PageTable<C>& table() { return *table_; }
  PageTableEnv& env();
  const CpuPin& pin() const { return *pin_; }
  int top() const { return top_; }
  void Close();

  PageTable<C>* table_;
  const CpuPin* pin_;
  VirtAddr start_va_;
  OffsetRange range_;
  uint64_t at_;
  int top_;
  int level_;
  // invariant: path_[l] is the node of level l around at_, for level_ <= l <= top_, unless at_ is
  // the end of that node; the cursor holds its granules in the range.
  std::array<Node<F>, F::kLevels + 1> path_;
};

template <PageTableConfig C>
absl::Status Cursor<C>::StretchError(uint64_t length) const {
  if (length % kPageSize != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("length %#x is not a multiple of 4 KiB", length));
  }
  return absl::OutOfRangeError(
      absl::StrFormat("%#x bytes from %#x pass the end of the locked range, %#x", length,
                      virt_addr().value(), range().end.value()));
}

template <PageTableConfig C>
absl::StatusOr<QueryResult> Cursor<C>::Query() {
  if (remaining() == 0) {
    return absl::OutOfRangeError(
        absl::StrFormat("the cursor stands at the end of its range, %#x", virt_addr().value()));
  }
  const Pte pte = Decide();
  QueryResult result{EntryRange(level_), std::nullopt};
  if (F::Kind(pte, level_) == EntryKind::kLeaf) result.item = RawOf(pte);
  return result;
}

template <PageTableConfig C>
absl::StatusOr<typename Cursor<C>::CountedResult> Cursor<C>::QueryItem() {
  absl::StatusOr<QueryResult> found = Query();
  if (!found.ok()) return found.status();
  CountedResult result{found->range, std::nullopt};
  if (found->item) {
    absl::StatusOr<Item> item = table().config().CloneRaw(*found->item);
    if (!item.ok()) return item.status();
    result.item = *std::move(item);
  }
  return result;
}

template <PageTableConfig C>
absl::StatusOr<std::optional<VirtAddr>> Cursor<C>::FindNext(uint64_t length) {
  if (absl::Status status = CheckStretch(length); !status.ok()) return status;
  if (FindLeaf(at_ + length) == kAbsentPte) return std::nullopt;
  return virt_addr();
}

template <PageTableConfig C>
absl::Status Cursor<C>::Jump(VirtAddr va) {
  if (!va.IsAligned(kPageSize)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("address %#x is not aligned to 4 KiB", va.value()));
  }
  const uint64_t distance = va.value() - start_va_.value();
  if (distance > range_.size()) {
    return absl::OutOfRangeError(
        absl::StrFormat("address %#x is outside the locked %s", va.value(), RangeText(range())));
  }
  MoveTo(range_.start + distance);
  return absl::OkStatus();
}

template <PageTableConfig C>
AbstractTable Cursor<C>::View() {
  AbstractTable view;
  const uint64_t here = at_;
  MoveTo(range_.start);
  for (Pte leaf; (leaf = FindLeaf(range_.end)) != kAbsentPte;) {
    const uint64_t span = Geo::EntrySpan(level_);
    const uint64_t end = std::min(range_.end, (at_ & ~(span - 1)) + span);
    const PhysAddr frame(F::Address(leaf, level_).value() + at_ % span);
    view.Map(VirtRange{virt_addr(), VirtOf(end)}, frame, F::Property(leaf, level_));
    MoveTo(end);
  }
  MoveTo(here);
  return view;
}

template <PageTableConfig C>
PageTableEnv& Cursor<C>::env() {
  return table_->env();
}

template <PageTableConfig C>
void Cursor<C>::Close() {
  RangeLock<C>::Release(env(), HeldRange<F>{path_[top_], top_}, range_);
  env().open_cursors(pin()).Remove(table_->identity());
  env().rcu().Poll(pin());
}

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_CURSOR_H_

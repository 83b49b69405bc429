// SPDX-License-Identifier: Apache-2.0
//
// Random transactions on a window of a table, each operation checked against the abstract table:
// what it returned, and what it left behind as an independent walker sees it.
//
//   RandomCursorOps<Config> ops(table, seed, first_page, pages);
//   for (int i = 0; i < 1000; ++i) ops.Transaction(pin);
//
// Thread safety: one thread; several of them may work on windows of one table that do not overlap.
// Cost: a walk of the window after each operation.

#ifndef PADDOCK_TESTS_SUPPORT_RANDOM_CURSOR_OPS_H_
#define PADDOCK_TESTS_SUPPORT_RANDOM_CURSOR_OPS_H_

#include <cstdint>
#include <optional>
#include <random>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/core/spec/property_edit.h"
#include "paddock/tests/support/checked_cursor.h"
#include "paddock/tests/support/soft_mmu.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {

template <PageTableConfig C>
class RandomCursorOps {
 public:
  using F = typename C::Format;
  using Geo = Geometry<F>;
  using Item = typename C::Item;

  // The window is `pages` pages from page number `first` on.
  RandomCursorOps(PageTable<C>& table, uint64_t seed, uint64_t first, uint64_t pages)
      : table_(table), random_(seed), first_(first), pages_(pages) {}

  const AbstractTable& expected() const { return expected_; }
  uint64_t operations() const { return operations_; }

  // One cursor over a random part of the window, with a few operations.
  void Transaction(const CpuPin& pin) {
    const VirtRange range = RandomPart(first_, pages_);
    const CursorOptions options{.intent = Chance(3) ? Intent::kNoMap : Intent::kMap,
                                .anchor = Chance(3) ? Anchor::kLow : Anchor::kHigh};
    if (Chance(4)) {
      Cursor<C> reader = Must(table_.OpenCursor(pin, range, options));
      for (int i = 0; i < 3; ++i) Look(reader);
      return;
    }
    CursorMut<C> cursor = Must(table_.OpenCursorMut(pin, range, options));
    const int count = 1 + random_() % 5;
    for (int i = 0; i < count; ++i) {
      ++operations_;
      const uint64_t page = random_() % (range.size() / kPageSize);
      ASSERT_TRUE(IsOk(cursor.Jump(range.start.Plus(page * kPageSize))));
      const uint64_t length = (1 + random_() % (cursor.remaining() / kPageSize)) * kPageSize;
      ASSERT_NO_FATAL_FAILURE(Change(cursor, length, options));
      Look(cursor);
    }
  }

  // Compares the whole window.
  void ExpectSame() {
    AbstractTable actual;
    const PhysicalMemory& memory = table_.env().frames().memory();
    for (uint64_t page = first_; page < first_ + pages_; ++page) {
      const VirtAddr va(page * kPageSize);
      const std::optional<MappedPage> found = SoftWalk<F>(memory, table_.root(), va);
      if (found) actual.Map({va, va.Plus(kPageSize)}, found->frame, found->property);
    }
    const auto difference = FirstDifference(expected_, actual, HardwareBits::kExact);
    ASSERT_FALSE(difference) << Describe(*difference);
  }

 private:
  bool Chance(int one_in) { return random_() % one_in == 0; }

  VirtRange RandomPart(uint64_t first, uint64_t pages) {
    // Often whole entries of some level, so that exact spans and cut tables are frequent.
    uint64_t unit = 1;
    if (Chance(2)) unit = Geo::EntrySpan(1 + random_() % Geo::kLevels) / kPageSize;
    if (unit > pages) unit = 1;
    const uint64_t units = pages / unit;
    const uint64_t from = random_() % units;
    const uint64_t count = 1 + (Chance(2) ? 0 : random_() % (units - from));
    const uint64_t start = (first + from * unit) / unit * unit;
    const uint64_t low = start < first ? first : start;
    return {VirtAddr(low * kPageSize), VirtAddr((start + count * unit) * kPageSize)};
  }

  PageProperty RandomProperty() {
    constexpr PageProperty kProperties[] = {kReadUser, kReadWriteUser, kReadExecuteUser};
    PageProperty property = kProperties[random_() % 3];
    property.software = random_() % 4;
    return property;
  }

  std::optional<Item> RandomItem(int level) {
    const uint64_t pages = Geo::EntrySpan(level) / kPageSize;
    if constexpr (std::is_same_v<Item, RawItem>) {
      return RawItem{PhysAddr((random_() % 1024) * pages * kPageSize), level, RandomProperty()};
    } else {
      auto run = table_.env().frames().AllocateSegment(pages, pages, Untyped{}, Zeroing::kLeave);
      if (!run.ok()) return std::nullopt;  // no memory for a huge page just now
      return Item(*std::move(run), RandomProperty());
    }
  }

  template <typename CursorType>
  void Look(CursorType& cursor) {
    const VirtRange locked = cursor.range();
    const uint64_t page = random_() % (locked.size() / kPageSize);
    ASSERT_TRUE(IsOk(CheckedJump(cursor, locked.start.Plus(page * kPageSize))));
    ASSERT_TRUE(IsOk(CheckedQuery(cursor, expected_)));
    const uint64_t length = random_() % (cursor.remaining() / kPageSize + 1) * kPageSize;
    ASSERT_TRUE(IsOk(CheckedFindNext(cursor, expected_, length)));
  }

  void Change(CursorMut<C>& cursor, uint64_t length, const CursorOptions& options) {
    const PropertyEdit edit{.set = Chance(2) ? PageFlags::kWrite : PageFlags::kNone,
                            .clear = Chance(2) ? PageFlags::kExecute : PageFlags::kNone,
                            .software_set = static_cast<uint8_t>(random_() % 4)};
    switch (random_() % 7) {
      case 0:
      case 1:
      case 2:
        ASSERT_NO_FATAL_FAILURE(Map(cursor, options));
        break;
      case 3:
        ASSERT_TRUE(IsOk(CheckedUnmap(cursor, expected_, length)));
        break;
      case 4:
        ASSERT_TRUE(IsOk(CheckedTakeNext(cursor, expected_, length)));
        break;
      case 5:
        ASSERT_TRUE(IsOk(CheckedProtect(cursor, expected_, length, edit)));
        break;
      default:
        ASSERT_TRUE(IsOk(CheckedProtectNext(cursor, expected_, length, edit)));
        break;
    }
    ExpectSame();
  }

  void Map(CursorMut<C>& cursor, const CursorOptions& options) {
    const int level = 1 + random_() % Geo::kLevels;
    if (!F::IsLeafLevel(level)) return;
    const uint64_t span = Geo::EntrySpan(level);
    if (span > pages_ * kPageSize) return;
    if (Chance(2) && level > 1) {
      // To a place where it may fit; at random it seldom does.
      const VirtAddr aligned = cursor.virt_addr().AlignDown(span);
      if (cursor.range().Contains(aligned)) Must(cursor.Jump(aligned));
    }
    std::optional<Item> item = RandomItem(level);
    if (!item) return;
    ASSERT_TRUE(
        IsOk(CheckedMap(cursor, expected_, table_.config(), options.anchor, *std::move(item))));
  }

  PageTable<C>& table_;
  std::mt19937_64 random_;
  const uint64_t first_;
  const uint64_t pages_;
  AbstractTable expected_;
  uint64_t operations_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_RANDOM_CURSOR_OPS_H_

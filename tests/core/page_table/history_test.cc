// SPDX-License-Identifier: Apache-2.0
//
// Every intermediate state is legal: after each single store of an operation an independent walk of
// the whole table finds each page as it was or as it becomes.

#include <algorithm>
#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/table_fixture.h"
#include "paddock/tests/support/table_history.h"

namespace paddock {
namespace {

template <typename F>
class History : public TableTest<BareConfig<Watched<F>>> {
 protected:
  using Config = BareConfig<Watched<F>>;
  using Geo = Geometry<F>;

  // Runs `operation(cursor)` on `range` and judges each page of the first two entries of `level`.
  template <typename Operation>
  void ExpectLegal(VirtRange range, int level, Between between, Operation operation) {
    TableHistory<Watched<F>> history(this->frames().memory(), this->table().root());
    history.Record([&] {
      CursorMut<Config> cursor = this->Open(range);
      operation(cursor);
    });
    const uint64_t window = std::min(2 * Geo::EntrySpan(level), Geo::kSpan);
    EXPECT_TRUE(history.EveryPageWasOldOrNew(this->Bytes(0, window), between));
  }
  template <typename Operation>
  void ExpectLegal(VirtRange range, Operation operation) {
    ExpectLegal(range, 2, Between::kOldOrNew, operation);
  }
  static RawItem Item(uint64_t page, int level = 1, PageProperty property = kReadUser) {
    return RawItem{PhysAddr(page * kPageSize), level, property};
  }
  static PageProperty ReadOnly(PageProperty property) {
    property.flags &= ~PageFlags::kWrite;
    return property;
  }
};

using Formats = testing::Types<tiny::Format2x2, tiny::Format<3, 1>, tiny::Format<3, 2, 2>,
                               x86_64::Format4, x86_64::Format5>;
TYPED_TEST_SUITE(History, Formats);

TYPED_TEST(History, OfAFirstMapping) {
  this->ExpectLegal(this->Pages(1, 1), [&](auto& cursor) { Must(cursor.Map(this->Item(5))); });
}

TYPED_TEST(History, OfAReplacement) {
  this->MapRun(this->Pages(0, 2), 8);
  this->ExpectLegal(this->Pages(0, 2), [&](auto& cursor) {
    Must(cursor.Map(this->Item(5)));
    Must(cursor.Map(this->Item(6)));
  });
}

TYPED_TEST(History, OfAHugePageOverNothingAndOverAHugePage) {
  const uint64_t pages = this->PagesAt(2);
  for (const uint64_t frame : {4 * pages, 6 * pages}) {
    this->ExpectLegal(this->Pages(0, pages),
                      [&](auto& cursor) { Must(cursor.Map(this->Item(frame, 2))); });
  }
}

// A table that becomes a leaf has to be broken before it is made (x86: two sizes in the TLB).
TYPED_TEST(History, OfAHugePageOverATableHasNothingBetweenButABreak) {
  const uint64_t pages = this->PagesAt(2);
  this->MapRun(this->Pages(0, 2), 9);
  this->ExpectLegal(this->Pages(0, pages), 2, Between::kOldNewOrAbsent,
                    [&](auto& cursor) { Must(cursor.Map(this->Item(4 * pages, 2))); });
}

TYPED_TEST(History, OfABasePageOverAHugePage) {
  const uint64_t pages = this->PagesAt(2);
  this->MapPage(VirtAddr(0), PhysAddr(4 * pages * kPageSize), 2);
  this->ExpectLegal(this->Pages(1, 1), [&](auto& cursor) { Must(cursor.Map(this->Item(3))); });
}

TYPED_TEST(History, OfAnUnmappingOfPages) {
  const uint64_t pages = this->PagesAt(2);
  this->MapRun(this->Pages(0, pages), 64 * pages);
  this->ExpectLegal(this->Pages(1, pages - 1), [&](auto& cursor) {
    EXPECT_EQ(Must(cursor.Unmap(cursor.remaining())).pages, pages - 1);
  });
}

TYPED_TEST(History, OfACutTable) {
  const uint64_t pages = this->PagesAt(2);
  this->MapRun(this->Pages(0, pages), 64 * pages);
  this->ExpectLegal(this->Pages(0, pages), [&](auto& cursor) {
    EXPECT_EQ(Must(cursor.Unmap(cursor.remaining())).pages, pages);
  });
}

TYPED_TEST(History, OfAPartOfAHugePageUnmapped) {
  const uint64_t pages = this->PagesAt(2);
  this->MapPage(VirtAddr(0), PhysAddr(4 * pages * kPageSize), 2);
  this->ExpectLegal(this->Pages(1, 1),
                    [&](auto& cursor) { EXPECT_EQ(Must(cursor.Unmap(kPageSize)).pages, 1u); });
}

TYPED_TEST(History, OfAPartOfAHugePageTaken) {
  const uint64_t pages = this->PagesAt(2);
  this->MapPage(VirtAddr(0), PhysAddr(4 * pages * kPageSize), 2);
  this->ExpectLegal(this->Pages(1, 1),
                    [&](auto& cursor) { EXPECT_TRUE(Must(cursor.TakeNext(kPageSize))); });
}

TYPED_TEST(History, OfAPartOfAHugePageProtected) {
  const uint64_t pages = this->PagesAt(2);
  this->MapPage(VirtAddr(0), PhysAddr(4 * pages * kPageSize), 2);
  this->ExpectLegal(this->Pages(1, 1), [&](auto& cursor) {
    EXPECT_EQ(Must(cursor.Protect(kPageSize, &TestFixture::ReadOnly)), 1u);
  });
}

TYPED_TEST(History, OfPagesProtectedOneByOne) {
  this->MapRun(this->Pages(0, 2), 9);
  this->ExpectLegal(this->Pages(0, 2), [&](auto& cursor) {
    EXPECT_EQ(Must(cursor.Protect(2 * kPageSize, &TestFixture::ReadOnly)), 2u);
  });
}

// Formats with leaves at level 3.
template <typename F>
class DeepHistory : public History<F> {};
using DeepFormats = testing::Types<tiny::Format<3, 1>, tiny::Format<3, 2, 2>, tiny::Format<4, 1>>;
TYPED_TEST_SUITE(DeepHistory, DeepFormats);

TYPED_TEST(DeepHistory, OfTwoLevelsOfSplitting) {
  const uint64_t pages = this->PagesAt(3);
  for (uint64_t page = 0; page < pages; ++page) {
    this->MapPage(VirtAddr(0), PhysAddr(4 * pages * kPageSize), 3);
    this->ExpectLegal(this->Pages(page, 1), 3, Between::kOldOrNew,
                      [&](auto& cursor) { EXPECT_EQ(Must(cursor.Unmap(kPageSize)).pages, 1u); });
    EXPECT_TRUE(IsOk(this->Open(this->Pages(0, pages)).Unmap(pages * kPageSize)));
  }
}

TYPED_TEST(DeepHistory, OfAStretchWithBothBordersInsideHugePages) {
  const uint64_t pages = this->PagesAt(3);
  this->MapPage(VirtAddr(0), PhysAddr(4 * pages * kPageSize), 3);
  this->MapPage(VirtAddr(pages * kPageSize), PhysAddr(8 * pages * kPageSize), 3);
  this->ExpectLegal(this->Pages(1, 2 * pages - 2), 3, Between::kOldOrNew, [&](auto& cursor) {
    EXPECT_EQ(Must(cursor.Unmap(cursor.remaining())).pages, 2 * pages - 2);
  });
}

TYPED_TEST(DeepHistory, OfALevelTwoTableThatIsCut) {
  const uint64_t pages = this->PagesAt(3);
  this->MapRun(this->Pages(0, pages), 64);
  this->ExpectLegal(this->Pages(0, pages), 3, Between::kOldOrNew, [&](auto& cursor) {
    EXPECT_EQ(Must(cursor.Unmap(cursor.remaining())).pages, pages);
  });
}

using X86History = History<x86_64::Format4>;

TEST_F(X86History, TwoLevelsOfSplittingOfAGibibyte) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  MapPage(VirtAddr(0), PhysAddr(4 * kGiB), 3);
  // Judged on the first two entries of level 2.
  ExpectLegal(Pages(700, 1),
              [&](auto& cursor) { EXPECT_EQ(Must(cursor.Unmap(kPageSize)).pages, 1u); });
}

// The memory type of a live page may not change under a TLB entry: clear, flush, map anew.
TEST_F(X86History, AChangeOfMemoryTypeIsBrokenBeforeItIsMade) {
  MapRun(Pages(0, 1), 9);
  TableHistory<Watched<x86_64::Format4>> history(frames().memory(), table().root());
  const uint64_t flushes = world().tlb().stats().batches;
  history.Record([&] {
    CursorMut<Config> cursor = Open(Pages(0, 1));
    EXPECT_TRUE(Must(cursor.ProtectNext(kPageSize, [](PageProperty property) {
      property.cache = CachePolicy::kUncacheable;
      return property;
    })));
  });
  ASSERT_EQ(history.views().size(), 3u) << "the old entry, none, the new entry";
  EXPECT_TRUE(history.views()[1].empty());
  EXPECT_EQ(history.views()[2].Query(VirtAddr(0))->property.cache, CachePolicy::kUncacheable);
  EXPECT_GT(world().tlb().stats().batches, flushes);
}

TEST_F(X86History, AReplacementByAnotherMemoryTypeOfTheSameFrameIsBrokenBeforeItIsMade) {
  MapRun(Pages(0, 1), 9);
  TableHistory<Watched<x86_64::Format4>> history(frames().memory(), table().root());
  history.Record([&] {
    CursorMut<Config> cursor = Open(Pages(0, 1));
    Must(cursor.Map(Item(9, 1, {kReadUser.flags, CachePolicy::kWriteCombining})));
  });
  ASSERT_EQ(history.views().size(), 3u);
  EXPECT_TRUE(history.views()[1].empty());
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// "Mapping", on tables of physical addresses.

#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/concurrency/check.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr uint64_t kMiB2 = uint64_t{2} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

using Mapping = TableTest<BareConfig<x86_64::Format4>>;
using TinyMapping = TableTest<BareConfig<tiny::Format<3, 1>>>;

TEST_F(Mapping, EveryPropertySurvivesARoundTripThroughATableAtEveryLevel) {
  for (const int level : {1, 2, 3}) {
    for (int flags = 0; flags < 64; ++flags) {
      for (int cache = 0; cache < kCachePolicyCount; ++cache) {
        const PageProperty property{PageFlags::kRead | static_cast<PageFlags>(2 * flags),
                                    static_cast<CachePolicy>(cache),
                                    static_cast<uint8_t>(flags * 5 + cache)};
        const VirtAddr va(4 * kGiB);
        CursorMut<Config> cursor = Open({va, va.Plus(Geo::EntrySpan(level))});
        if (HasAny(property.flags, PageFlags::kGlobal)) {
          // For the table of the whole machine only.
          ASSERT_TRUE(Refused(cursor.Map(RawItem{PhysAddr(8 * kGiB), level, property}),
                              StatusCode::kInvalidArgument, {"kGlobal"}));
          continue;
        }
        const absl::Status mapped = cursor.Map(RawItem{PhysAddr(8 * kGiB), level, property});
        if (HasAny(property.flags, PageFlags::kGlobal)) {
          // Only for addresses that all spaces share: see KernelHalf.
          ASSERT_TRUE(Refused(mapped, StatusCode::kInvalidArgument, {"kGlobal"}));
          continue;
        }
        ASSERT_TRUE(IsOk(mapped));
        ASSERT_TRUE(IsOk(cursor.Jump(va)));
        const QueryResult slot = Must(cursor.Query());
        ASSERT_EQ(slot.item, (RawItem{PhysAddr(8 * kGiB), level, property}));
        ASSERT_EQ(Hardware(va), (MappedPage{PhysAddr(8 * kGiB), level, property}));
        ASSERT_TRUE(IsOk(cursor.Unmap(Geo::EntrySpan(level))));
      }
    }
  }
}

TEST_F(Mapping, AnItemThatDoesNotFitIsRefusedWithTheReason) {
  CursorMut<Config> cursor = Open(Bytes(0, 2 * kGiB));
  const struct {
    uint64_t at;
    RawItem item;
    StatusCode code;
    absl::string_view value, rule;
  } cases[] = {
      {0x1000, {PhysAddr(0), 2, kReadUser}, StatusCode::kInvalidArgument, "0x1000", "aligned"},
      {kMiB2, {PhysAddr(0), 3, kReadUser}, StatusCode::kInvalidArgument, "0x200000", "aligned"},
      {0, {PhysAddr(0x1000), 2, kReadUser}, StatusCode::kInvalidArgument, "0", "physical address"},
      {0, {PhysAddr(0x123), 1, kReadUser}, StatusCode::kInvalidArgument, "0", "physical address"},
      {0, {PhysAddr(0), 4, kReadUser}, StatusCode::kInvalidArgument, "0", "no leaves"},
      {0, {PhysAddr(0), 0, kReadUser}, StatusCode::kInvalidArgument, "0", "no leaves"},
      {0, {PhysAddr(0), 5, kReadUser}, StatusCode::kInvalidArgument, "0", "no leaves"},
      {0,
       {PhysAddr(uint64_t{1} << 52), 1, kReadUser},
       StatusCode::kInvalidArgument,
       "0",
       "more bits"},
      {0x3000,
       {PhysAddr(0), 1, {PageFlags::kWrite}},
       StatusCode::kInvalidArgument,
       "0x3000",
       "flags"},
  };
  for (const auto& [at, item, code, value, rule] : cases) {
    ASSERT_TRUE(IsOk(cursor.Jump(VirtAddr(at))));
    EXPECT_TRUE(Refused(cursor.Map(RawItem(item)), code, {value, rule}));
    EXPECT_EQ(cursor.virt_addr(), VirtAddr(at));
  }
  EXPECT_TRUE(View().empty());
  EXPECT_EQ(frames().used_pages(), 2u);  // the root and the node that the cursor covers
}

TEST_F(Mapping, MixedSizesOverMoreThanAGibibyteReadBackAtEveryOffset) {
  std::mt19937_64 random(TestSeed());
  AbstractTable expected;
  const VirtAddr start(3 * kGiB);
  // With contracts, each step looks at all that is mapped.
  constexpr uint64_t kBytes = (kContractsChecked ? 2 : 5) * kGiB;
  {
    // One huge page of 1 GiB, a stretch of 2 MiB pages, base pages up to the next border, and so
    // on.
    CursorMut<Config> cursor = Open({start, start.Plus(kBytes)});
    uint64_t frame = 64 * kGiB;
    while (cursor.remaining() >= kGiB) {
      const uint64_t at = cursor.virt_addr().value();
      int level = 1;
      if (at % kGiB == 0 && random() % 2 == 0) {
        level = 3;
      } else if (at % kMiB2 == 0 && random() % 64 != 0) {
        level = 2;
      }
      const uint64_t span = Geo::EntrySpan(level);
      frame = (frame + span - 1) / span * span;
      const PageProperty property = random() % 2 ? kReadWriteUser : kReadExecuteUser;
      expected.Map(Bytes(at, span), PhysAddr(frame), property);
      ASSERT_TRUE(IsOk(cursor.Map(RawItem{PhysAddr(frame), level, property})));
      frame += span;
      if (level == 1 && random() % 16 == 0) {
        // A hole up to the next 2 MiB border.
        const uint64_t border = (at / kMiB2 + 1) * kMiB2;
        ASSERT_TRUE(IsOk(cursor.Jump(VirtAddr(border))));
      }
    }
  }
  EXPECT_TRUE(SameView(expected, View()));
  RcuReadGuard guard(env().rcu(), pin());
  for (int i = 0; i < 20000; ++i) {
    const VirtAddr va = start.Plus(random() % kBytes);
    const auto found = table().Walk(guard, va);
    const auto page = expected.Query(va);
    ASSERT_EQ(found.has_value(), page.has_value()) << std::hex << va.value();
    if (!found) continue;
    ASSERT_EQ(found->address, page->frame.Plus(va.value() % kPageSize)) << std::hex << va.value();
    ASSERT_EQ(found->item.property, page->property);
    ASSERT_TRUE(found->range.Contains(va));
  }
}

TEST_F(Mapping, OneBasePageUnmappedFromInsideAHugePageLeavesItsNeighbours) {
  for (const int level : {2, 3}) {
    SCOPED_TRACE(level);
    const VirtAddr va(16 * kGiB);
    const uint64_t span = Geo::EntrySpan(level);
    MapPage(va, PhysAddr(32 * kGiB), level);
    AbstractTable expected = View();
    const VirtRange hole = {va.Plus(37 * kPageSize), va.Plus(38 * kPageSize)};
    expected.Unmap(hole);
    const uint64_t frames_before = UsedFrames();
    EXPECT_EQ(Must(Open(hole, {.intent = Intent::kNoMap}).Unmap(kPageSize)).pages, 1u);
    EXPECT_TRUE(SameView(expected, View()));
    EXPECT_EQ(UsedFrames(), frames_before + level - 1);  // a table for each level of splitting
    EXPECT_EQ(Must(Open({va, va.Plus(span)}).Unmap(span)).pages, span / kPageSize - 1);
    EXPECT_TRUE(View().empty());
  }
}

TEST_F(Mapping, ProtectingTwoPagesInsideAHugePageTouchesOnlyThose) {
  for (const int level : {2, 3}) {
    SCOPED_TRACE(level);
    const VirtAddr va(16 * kGiB);
    MapPage(va, PhysAddr(32 * kGiB), level);
    AbstractTable expected = View();
    const VirtRange two = {va.Plus(511 * kPageSize), va.Plus(513 * kPageSize)};
    const VirtRange pair =
        level == 2 ? VirtRange{va.Plus(8 * kPageSize), va.Plus(10 * kPageSize)} : two;
    const auto read_only = [](PageProperty property) {
      property.flags &= ~PageFlags::kWrite;
      return property;
    };
    expected.Protect(pair, read_only);
    {
      CursorMut<Config> cursor = Open(pair, {.intent = Intent::kNoMap});
      EXPECT_EQ(Must(cursor.Protect(2 * kPageSize, read_only)), 2u);
      EXPECT_EQ(cursor.virt_addr(), pair.end);
    }
    EXPECT_TRUE(SameView(expected, View()));
    const uint64_t span = Geo::EntrySpan(level);
    EXPECT_TRUE(IsOk(Open({va, va.Plus(span)}).Unmap(span)));
  }
}

TEST_F(Mapping, ARemovalOfALargeStretchTakesWholeSubtreesAndCountsTheirPages) {
  const VirtAddr va(64 * kGiB);
  const uint64_t before = UsedFrames();
  for (uint64_t i = 0; i < 40; ++i)
    MapRun({va.Plus(i * kMiB2), va.Plus(i * kMiB2 + 3 * kPageSize)}, i);
  MapPage(va.Plus(kGiB), PhysAddr(kGiB), 2);
  MapPage(va.Plus(2 * kGiB), PhysAddr(kGiB), 3);
  ASSERT_GT(UsedFrames(), before + 40);
  {
    CursorMut<Config> cursor = Open({va, va.Plus(3 * kGiB)}, {.intent = Intent::kNoMap});
    EXPECT_EQ(Must(cursor.Unmap(3 * kGiB)).pages, 40 * 3 + PagesAt(2) + PagesAt(3));
    EXPECT_EQ(cursor.remaining(), 0u);
  }
  EXPECT_TRUE(View().empty());
  EXPECT_EQ(UsedFrames(), before + 1);  // the covering node, of level 3, stays: R6
}

TEST_F(TinyMapping, ExactSpansAreCutAtEveryLevelUpToTheRoot) {
  for (const int level : {2, 3}) {
    const uint64_t span = Geo::EntrySpan(level);
    MapRun({VirtAddr(span), VirtAddr(2 * span)}, 16);
    ASSERT_GT(UsedFrames(), 1u);
    CursorMut<Config> cursor =
        Open({VirtAddr(span), VirtAddr(2 * span)}, {.intent = Intent::kNoMap});
    EXPECT_EQ(Must(cursor.Unmap(span)).pages, PagesAt(level));
  }
  // The level-2 cursor covered a node below the root, which it must leave.
  EXPECT_EQ(UsedFrames(), 2u);
  EXPECT_TRUE(IsOk(Open({VirtAddr(0), VirtAddr(Geo::kSpan)}).Unmap(Geo::kSpan)));
  EXPECT_EQ(UsedFrames(), 1u);
}

TEST_F(Mapping, TakeNextGivesItemsAndWholeTables) {
  const VirtAddr va(kGiB);
  MapRun({va, va.Plus(4 * kPageSize)}, 100);
  MapPage(va.Plus(kMiB2), PhysAddr(kGiB), 2);
  CursorMut<Config> cursor = Open({va, va.Plus(4 * kMiB2)});
  const auto table = Must(cursor.TakeNext(4 * kMiB2));
  ASSERT_TRUE(table);
  EXPECT_EQ(table->range, (VirtRange{va, va.Plus(kMiB2)}));
  EXPECT_EQ(table->pages, 4u);
  EXPECT_FALSE(table->item);
  const auto huge = Must(cursor.TakeNext(cursor.remaining()));
  ASSERT_TRUE(huge);
  EXPECT_EQ(huge->range, (VirtRange{va.Plus(kMiB2), va.Plus(2 * kMiB2)}));
  EXPECT_EQ(huge->pages, 512u);
  EXPECT_EQ(huge->item->frame, PhysAddr(kGiB));
  EXPECT_FALSE(Must(cursor.TakeNext(cursor.remaining())));
  EXPECT_EQ(cursor.remaining(), 0u);
  EXPECT_TRUE(View().empty());
}

TEST_F(Mapping, TakeNextSplitsWhatIsOnlyPartlyInside) {
  const VirtAddr va(kGiB);
  MapPage(va, PhysAddr(kGiB), 2);
  AbstractTable expected = View();
  expected.Unmap({va.Plus(0x3000), va.Plus(0x4000)});
  CursorMut<Config> cursor = Open({va, va.Plus(kMiB2)});
  ASSERT_TRUE(IsOk(cursor.Jump(va.Plus(0x3000))));
  const auto taken = Must(cursor.TakeNext(2 * kPageSize));
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->range, (VirtRange{va.Plus(0x3000), va.Plus(0x4000)}));
  EXPECT_EQ(taken->item->frame, PhysAddr(kGiB + 0x3000));
  EXPECT_TRUE(SameView(expected, View()));
}

// What a 2 MiB entry may hold before a 2 MiB item is mapped there, by a cursor over exactly that
// entry.
TEST_F(Mapping, ACursorOverExactlyOneEntryMapsAHugeItemWhateverWasThere) {
  const VirtAddr va(kGiB);
  const VirtRange entry{va, va.Plus(kMiB2)};
  const uint64_t empty = [&] {
    {
      CursorMut<Config> creates_the_nodes = Open(entry);
    }
    return UsedFrames();
  }();
  for (int before = 0; before < 4; ++before) {
    SCOPED_TRACE(before);
    if (before == 1) MapRun({va.Plus(0x5000), va.Plus(0x9000)}, 7);
    if (before == 2) MapPage(va, PhysAddr(2 * kGiB), 2);
    if (before == 3) {
      // A table that became empty.
      MapPage(va.Plus(0x5000), PhysAddr(0x1000));
      ASSERT_TRUE(IsOk(Open({va.Plus(0x5000), va.Plus(0x6000)}).Unmap(kPageSize)));
    }
    CursorMut<Config> cursor = Open(entry);
    ASSERT_TRUE(IsOk(cursor.Map(RawItem{PhysAddr(4 * kGiB), 2, kReadUser})));
    EXPECT_EQ(cursor.virt_addr(), entry.end);
    EXPECT_EQ(Hardware(va.Plus(kMiB2 - kPageSize)),
              (MappedPage{PhysAddr(4 * kGiB + kMiB2 - kPageSize), 2, kReadUser}));
    EXPECT_EQ(View().mapped_pages(), 512u);
    ASSERT_TRUE(IsOk(cursor.Jump(va)));
    EXPECT_EQ(Must(cursor.Unmap(kMiB2)).pages, 512u);
  }
  EXPECT_EQ(UsedFrames(), empty);
}

TEST_F(Mapping, ACursorThatIntendsNotToMapAllocatesNothing) {
  const uint64_t before = frames().used_pages();
  const VirtRange range = Bytes(kGiB, 0x5000);
  {
    CursorMut<Config> cursor = Open(range, {.intent = Intent::kNoMap});
    EXPECT_EQ(Must(cursor.Unmap(0x5000)).pages, 0u);
    ASSERT_TRUE(IsOk(cursor.Jump(range.start)));
    EXPECT_FALSE(Must(cursor.TakeNext(0x5000)));
  }
  {
    Cursor<Config> cursor = Must(table().OpenCursor(pin(), range));
    EXPECT_FALSE(Must(cursor.FindNext(0x5000)));
  }
  EXPECT_EQ(frames().used_pages(), before);
}

}  // namespace
}  // namespace paddock

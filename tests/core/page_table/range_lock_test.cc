// SPDX-License-Identifier: Apache-2.0
//
// The rules of the range lock, seen in the lock words: what a cursor claims, where, and when it
// lets go. Rules about cut nodes and waiting are in tests/conformance.

#include <cstdint>
#include <optional>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

constexpr uint64_t kMiB2 = uint64_t{2} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kAll = ~uint64_t{0};

class RangeLockTest : public TableTest<BareConfig<x86_64::Format4>> {
 protected:
  // The claims in the node of `level` around `va`.
  uint64_t Claims(VirtAddr va, int level) { return NodeSlot(va, level).lock.load(sync::seq_cst); }
  void TearDown() override {
    ExpectNoClaims(frames());
    TableTest::TearDown();
  }
};

TEST_F(RangeLockTest, OnlyTheGranulesOfTheRangeAreClaimedAndNothingAbove) {
  const CursorMut<Config> cursor = Open(Pages(4, 8));
  EXPECT_EQ(Claims(VirtAddr(0), 1), 0b11u);
  for (const int level : {2, 3, 4}) EXPECT_EQ(Claims(VirtAddr(0), level), 0u) << level;
}

TEST_F(RangeLockTest, ARangeThatCrossesABorderIsClaimedBelowItToo) {
  MapRun(Pages(510, 4), 1);
  const CursorMut<Config> cursor = Open(Pages(510, 4));
  EXPECT_EQ(Claims(VirtAddr(0), 2), 1u);
  EXPECT_EQ(Claims(VirtAddr(0), 1), uint64_t{1} << 63);
  EXPECT_EQ(Claims(VirtAddr(kMiB2), 1), 1u);
  EXPECT_EQ(Claims(VirtAddr(0), 3), 0u);
}

TEST_F(RangeLockTest, TheAnchorDependsOnTheRangeAndTheRequestAlone) {
  // Nothing there, a table there, a huge page there.
  for (int state = 0; state < 3; ++state) {
    SCOPED_TRACE(state);
    if (state == 1) MapRun(Pages(0, 4), 1);
    if (state == 2) MapPage(VirtAddr(0), PhysAddr(kGiB), 2);
    {
      const CursorMut<Config> high = Open(Bytes(0, kMiB2));
      EXPECT_EQ(Claims(VirtAddr(0), 2), 1u);
      if (state == 1) {
        EXPECT_EQ(Claims(VirtAddr(0), 1), kAll);
      }
    }
    if (state == 2) continue;
    const CursorMut<Config> low = Open(Bytes(0, kMiB2), {.anchor = Anchor::kLow});
    EXPECT_EQ(Claims(VirtAddr(0), 2), 0u);
    EXPECT_EQ(Claims(VirtAddr(0), 1), kAll);
  }
}

// R8: occupancy may save descending, never claiming.
TEST_F(RangeLockTest, EmptyGranulesAreClaimedToo) {
  MapRun(Pages(0, 1), 1);
  {
    const CursorMut<Config> cursor = Open(Bytes(0, kGiB));
    EXPECT_EQ(Claims(VirtAddr(0), 3), 1u);
    EXPECT_EQ(Claims(VirtAddr(0), 2), kAll);
    EXPECT_EQ(Claims(VirtAddr(0), 1), kAll);
  }
  ASSERT_TRUE(IsOk(Open(Pages(0, 1)).Unmap(kPageSize)));
  const CursorMut<Config> cursor = Open(Bytes(0, kGiB));
  EXPECT_EQ(Claims(VirtAddr(0), 1), kAll) << "in a table that maps nothing";
}

// R3, for a hole and for a huge page.
TEST_F(RangeLockTest, TheCoveringNodeIsTheLowestThatExists) {
  MapRun(Bytes(kMiB2, kPageSize), 1);
  MapPage(VirtAddr(8 * kMiB2), PhysAddr(kGiB), 2);
  const uint64_t used = UsedFrames();
  {
    const CursorMut<Config> hole = Open(Pages(3, 1), {.intent = Intent::kNoMap});
    EXPECT_EQ(Claims(VirtAddr(0), 2), 1u);
  }
  {
    const CursorMut<Config> huge = Open(Bytes(8 * kMiB2 + kPageSize, kPageSize));
    EXPECT_EQ(Claims(VirtAddr(0), 2), 0b10u);
  }
  {
    const CursorMut<Config> high_hole =
        Open(Bytes(100 * kGiB, kPageSize), {.intent = Intent::kNoMap});
    EXPECT_EQ(Claims(VirtAddr(0), 3), uint64_t{1} << 12);
  }
  EXPECT_EQ(UsedFrames(), used);
}

// R5.
TEST_F(RangeLockTest, TablesMadeUnderACursorAreBornWithExactlyItsGranules) {
  MapRun(Bytes(kMiB2, kPageSize), 1);
  MapPage(VirtAddr(8 * kMiB2), PhysAddr(kGiB), 2);
  {
    CursorMut<Config> mapping = Open(Pages(17, 1), {.intent = Intent::kNoMap});
    Must(mapping.Map(RawItem{PhysAddr(0x1000), 1, kReadUser}));
    EXPECT_EQ(Claims(VirtAddr(0), 1), 0b100u);
  }
  CursorMut<Config> splitting = Open(Bytes(8 * kMiB2 + 9 * kPageSize, 8 * kPageSize));
  EXPECT_EQ(Must(splitting.Unmap(kPageSize)).pages, 1u);
  EXPECT_EQ(Claims(VirtAddr(8 * kMiB2), 1), 0b110u);
  // The rest of the new table is free, although the entry above it is held.
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    auto other = Must(table().TryOpenCursorMut(cpu, Bytes(8 * kMiB2, kPageSize)));
    EXPECT_EQ(Must(other.Unmap(kPageSize)).pages, 1u);
  });
}

// R6.
TEST_F(RangeLockTest, TheCoveringNodeItselfIsNeverCut) {
  MapRun(Bytes(0, kMiB2), 1);
  const PhysAddr leaf_table = *NodeOf(VirtAddr(0), 1);
  EXPECT_EQ(Must(Open(Bytes(0, kMiB2), {.anchor = Anchor::kLow}).Unmap(kMiB2)).pages, 512u);
  EXPECT_EQ(NodeOf(VirtAddr(0), 1), leaf_table);
  EXPECT_EQ(frames().slot(leaf_table).stray.load(sync::seq_cst), 0);
  MapRun(Bytes(0, kMiB2), 1);
  EXPECT_EQ(Must(Open(Bytes(0, kMiB2)).Unmap(kMiB2)).pages, 512u);
  EXPECT_FALSE(NodeOf(VirtAddr(0), 1));
  EXPECT_EQ(frames().slot(leaf_table).stray.load(sync::seq_cst), 1);
}

// R8, R9: cut nodes are let go at the cut, and once.
TEST_F(RangeLockTest, ACutSubtreeIsReleasedAtOnce) {
  MapRun(Pages(0, 1), 1);
  const PhysAddr nodes[] = {*NodeOf(VirtAddr(0), 1), *NodeOf(VirtAddr(0), 2)};
  CursorMut<Config> cursor = Open(Bytes(0, kGiB));
  EXPECT_EQ(Must(cursor.Unmap(kGiB)).pages, 1u);
  for (const PhysAddr node : nodes) {
    EXPECT_EQ(frames().slot(node).lock.load(sync::seq_cst), 0u);
    EXPECT_EQ(frames().slot(node).stray.load(sync::seq_cst), 1);
  }
  EXPECT_EQ(Claims(VirtAddr(0), 3), 1u);
  // A new subtree under the same cursor.
  ASSERT_TRUE(IsOk(cursor.Jump(VirtAddr(0))));
  Must(cursor.Map(RawItem{PhysAddr(0x1000), 1, kReadUser}));
  EXPECT_EQ(Claims(VirtAddr(0), 1), kAll);
}

// An unmap that empties a table whose rest belongs to others leaves the table, and the next wide
// cursor takes it away.
TEST_F(RangeLockTest, ATableEmptiedByNarrowCursorsWaitsForAWideOne) {
  const uint64_t before = [&] {
    {
      CursorMut<Config> makes_the_way = Open(Bytes(0, kMiB2));
    }
    return UsedFrames();
  }();
  MapRun(Pages(0, 1), 1);
  EXPECT_EQ(Must(Open(Pages(0, 1)).Unmap(kPageSize)).pages, 1u);
  EXPECT_EQ(UsedFrames(), before + 1);
  EXPECT_EQ(Must(Open(Bytes(0, kMiB2)).Unmap(kMiB2)).pages, 0u);
  EXPECT_EQ(UsedFrames(), before);
}

TEST_F(RangeLockTest, StatisticsCountWhatHappened) {
  const LockStats before = env().lock_stats();
  std::optional<CursorMut<Config>> cursor = Open(Pages(0, 1));
  CpuThreads threads(world().cpus());
  threads.Run(
      1, [&](const CpuPin& cpu) { EXPECT_FALSE(table().TryOpenCursorMut(cpu, Pages(0, 1)).ok()); });
  threads.Join();
  cursor.reset();
  const LockStats after = env().lock_stats();
  EXPECT_EQ(after.acquired, before.acquired + 1);
  EXPECT_EQ(after.contended, before.contended + 1);
  EXPECT_EQ(after.stray_retries, before.stray_retries);
}

}  // namespace
}  // namespace paddock

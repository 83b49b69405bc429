// SPDX-License-Identifier: Apache-2.0
//
// "Kernel half", the areas: map, query, split, unmap; exhaustion and coalescing; what every space
// sees.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/concurrency/check.h"
#include "paddock/tests/support/kernel_fixture.h"
#include "paddock/tests/support/soft_mmu.h"

namespace paddock {
namespace {

using absl::StatusCode;

class KernelAreas : public KernelAreaTest {
 protected:
  std::optional<MappedPage> Seen(const VmSpace& space, VirtAddr va) {
    return SoftWalk<UserFormat>(machine().memory(), space.root(), va);
  }
};

TEST_F(KernelAreas, AnAreaIsMappedQueriedSplitAndUnmapped) {
  USegment frames = NewFrames(6);
  const PhysAddr first = frames.start();
  KVirtArea low = Must(KVirtArea::MapFrames(machine(), pin(), 8 * kPageSize, kPageSize,
                                            std::move(frames), kReadWriteKernel));
  const VirtAddr start = low.range().start;
  EXPECT_EQ(Must(low.Query(pin(), start.Plus(3 * kPageSize))).item->frames.start(),
            first.Plus(2 * kPageSize));
  KVirtArea high = Must(low.Split(pin(), 4 * kPageSize));
  EXPECT_TRUE(Refused(low.Query(pin(), start.Plus(4 * kPageSize)), StatusCode::kOutOfRange));
  EXPECT_EQ(Must(high.Query(pin(), start.Plus(4 * kPageSize))).item->frames.start(),
            first.Plus(3 * kPageSize));
  EXPECT_TRUE(IsOk(high.Destroy(pin())));
  for (uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(Walk(start.Plus(i * kPageSize)).has_value(), 0 < i && i < 4) << i;
  }
  EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
}

TEST_F(KernelAreas, ExhaustionIsAnErrorThatChangesNothing) {
  KVirtArea area = NewArea(pin(), kWindowPages - 2);
  USegment frames = NewFrames(3);
  const PhysAddr first = frames.start();
  EXPECT_TRUE(Refused(
      KVirtArea::MapFrames(machine(), pin(), 3 * kPageSize, 0, std::move(frames), kReadKernel),
      StatusCode::kResourceExhausted, {"0x3000", "virtual addresses"}));
  EXPECT_EQ(frames.pages(), 3u);  // NOLINT(bugprone-use-after-move): untouched
  EXPECT_EQ(References(first), 1u);
  EXPECT_EQ(kernel().stats().free_pages, 2u);
  EXPECT_TRUE(
      Refused(KVirtArea::MapFrames(machine(), pin(), uint64_t{1} << 60, 0, USegment(), kReadKernel),
              StatusCode::kResourceExhausted));
  EXPECT_TRUE(IsOk(TryNewArea(pin(), 2)));
}

TEST_F(KernelAreas, FreeNeighboursCoalesceInAnyOrder) {
  for (const auto& order : {std::vector<int>{0, 1, 2, 3}, std::vector<int>{3, 2, 1, 0},
                            std::vector<int>{0, 2, 1, 3}, std::vector<int>{1, 3, 0, 2}}) {
    std::vector<KVirtArea> areas;
    for (int i = 0; i < 4; ++i) areas.push_back(NewArea(pin(), kWindowPages / 4));
    for (const int i : order) EXPECT_TRUE(IsOk(areas[i].Destroy(pin())));
    KVirtArea all = NewArea(pin(), kWindowPages);
    EXPECT_TRUE(IsOk(all.Destroy(pin())));
  }
}

TEST_F(KernelAreas, PartsOfASplitAreaCoalesceWithItsNeighbours) {
  KVirtArea first = NewArea(pin(), 8);
  KVirtArea last = NewArea(pin(), 8);
  KVirtArea second = Must(first.Split(pin(), 3 * kPageSize));
  EXPECT_TRUE(IsOk(second.Destroy(pin())));
  EXPECT_TRUE(IsOk(last.Destroy(pin())));
  const KVirtArea most = NewArea(pin(), 13);
  EXPECT_EQ(most.range().start, first.range().end);
}

TEST_F(KernelAreas, EverySpacePastAndFutureSeesAnAreaAndItsEnd) {
  const auto before = NewSpace();
  KVirtArea area = NewArea(pin(), 2);
  const auto after = NewSpace();
  const VirtAddr va = area.range().start.Plus(kPageSize);
  for (const auto& space : {before, after}) {
    EXPECT_EQ(Seen(*space, va), (MappedPage{FrameAt(va), 1, kReadWriteKernel}));
  }
  EXPECT_TRUE(IsOk(area.Destroy(pin())));
  for (const auto& space : {before, after}) EXPECT_FALSE(Seen(*space, va));
}

// Nothing was copied when a space was made: what an area needed new tables for is seen as well.
TEST_F(KernelAreas, TablesMadeAfterASpaceAreSharedWithIt) {
  const auto space = NewSpace();
  const KVirtArea area = NewArea(pin(), 1);
  for (int level = 1; level <= 3; ++level) {
    const auto table = TableAt<UserFormat>(machine().memory(), machine().kernel_table().root(),
                                           area.range().start, level);
    ASSERT_TRUE(table);
    EXPECT_EQ(TableAt<UserFormat>(machine().memory(), space->root(), area.range().start, level),
              table);
  }
}

TEST_F(KernelAreas, WhatIsMappedInTheWindowOutsideOfAreasBreaksTheInvariants) {
  const KVirtArea area = NewArea(pin(), 1);
  // Not where the next area goes, which would make it a mapping inside of an area.
  const VirtAddr next_area = area.range().end;
  const VirtRange stray{next_area.Plus(kPageSize), next_area.Plus(2 * kPageSize)};
  {
    auto cursor = Must(kernel().table().OpenCursorMut(pin(), stray));
    Must(cursor.Map(KernelItem(NewFrame(), kReadKernel)));
  }
  EXPECT_TRUE(Refused(kernel().CheckInvariants(pin()), StatusCode::kInternal, {"in no area"}));
  // Where contracts are checked, the next step finds it.
  if constexpr (kContractsChecked) {
    EXPECT_DEATH({ const KVirtArea next = NewArea(pin(), 1); }, "in no area");
  }
  EXPECT_TRUE(IsOk(Must(kernel().table().OpenCursorMut(pin(), stray)).Unmap(kPageSize)));
  EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/sizing.h"

#include "gtest/gtest.h"

namespace paddock {
namespace {

constexpr uint64_t kTable = uint64_t{1} << 21;  // what one table of the lowest level covers

TraceOperation Operation(TraceOpKind kind, uint64_t start, uint64_t pages) {
  TraceOperation operation;
  operation.kind = kind;
  operation.range = {VirtAddr(start), VirtAddr(start + pages * kPageSize)};
  return operation;
}

TraceOperation Fault(uint64_t start) { return Operation(TraceOpKind::kFault, start, 1); }

class TraceSizerTest : public ::testing::Test {
 protected:
  TraceSizer sizer_;
  TraceSizer::Space space_{sizer_};
};

TEST_F(TraceSizerTest, CountsAPageThatIsTouchedTwiceOnce) {
  space_.Apply(Fault(0x1000));
  space_.Apply(Fault(0x1000));
  EXPECT_EQ(sizer_.sizing().peak_pages, 1u);
  EXPECT_EQ(sizer_.sizing().touched_pages, 1u);
}

TEST_F(TraceSizerTest, RemembersThePeakAfterUnmapping) {
  for (uint64_t page = 0; page < 600; ++page) space_.Apply(Fault(page * kPageSize));
  space_.Apply(Operation(TraceOpKind::kUnmap, 0x1000, 550));
  for (uint64_t page = 0; page < 100; ++page) space_.Apply(Fault(kTable * 8 + page * kPageSize));
  EXPECT_EQ(sizer_.sizing().peak_pages, 600u);
  EXPECT_EQ(sizer_.sizing().touched_pages, 700u);
}

TEST_F(TraceSizerTest, CountsPagesThatComeBackAfterADiscard) {
  space_.Apply(Fault(0x1000));
  space_.Apply(Operation(TraceOpKind::kDiscard, 0x1000, 1));
  space_.Apply(Fault(0x1000));
  space_.Apply(Fault(0x2000));
  EXPECT_EQ(sizer_.sizing().peak_pages, 2u);
  EXPECT_EQ(sizer_.sizing().touched_pages, 2u);
}

TEST_F(TraceSizerTest, MovesWhatFitsAndDropsTheRest) {
  for (uint64_t page = 0; page < 4; ++page) space_.Apply(Fault(page * kPageSize));
  TraceOperation move = Operation(TraceOpKind::kMove, kTable, 2);
  move.source = {VirtAddr(0), VirtAddr(4 * kPageSize)};
  space_.Apply(move);
  for (uint64_t page = 0; page < 2; ++page) space_.Apply(Fault(kTable + page * kPageSize));
  space_.Apply(Fault(0));
  space_.Apply(Fault(kPageSize));
  EXPECT_EQ(sizer_.sizing().peak_pages, 4u) << "two were moved, two dropped, two are new";
  EXPECT_EQ(sizer_.sizing().touched_pages, 6u);
}

TEST_F(TraceSizerTest, PopulatesWholeRanges) {
  space_.Apply(Operation(TraceOpKind::kPopulate, 0x1000, 3));
  TraceOperation reserve = Operation(TraceOpKind::kReserve, 0x10000, 5);
  reserve.backing = TraceBacking::kNow;
  space_.Apply(reserve);
  EXPECT_EQ(sizer_.sizing().peak_pages, 8u);
}

TEST_F(TraceSizerTest, AddsUpProcesses) {
  TraceSizer::Space other(sizer_);
  space_.Apply(Fault(0x1000));
  other.Apply(Fault(0x1000));
  EXPECT_EQ(sizer_.sizing().peak_pages, 2u);
  EXPECT_EQ(sizer_.sizing().table_pages, 8u);
}

TEST_F(TraceSizerTest, CountsTheTablesOnTheWay) {
  EXPECT_EQ(sizer_.sizing().table_pages, 1u);
  space_.Apply(Fault(0));
  EXPECT_EQ(sizer_.sizing().table_pages, 4u);
  space_.Apply(Fault(kTable - kPageSize));
  EXPECT_EQ(sizer_.sizing().table_pages, 4u);
  space_.Apply(Fault(kTable));
  EXPECT_EQ(sizer_.sizing().table_pages, 5u);
  space_.Apply(Fault(kTable << 9));
  EXPECT_EQ(sizer_.sizing().table_pages, 7u);
  space_.Apply(Fault(kTable << 18));
  EXPECT_EQ(sizer_.sizing().table_pages, 10u);
}

TEST_F(TraceSizerTest, AReservationCostsTheTablesAtItsEndsOnly) {
  space_.Apply(Operation(TraceOpKind::kReserve, 0x1000, uint64_t{1} << 30));
  EXPECT_EQ(sizer_.sizing().peak_pages, 0u);
  EXPECT_EQ(sizer_.sizing().table_pages, 7u);
}

}  // namespace
}  // namespace paddock

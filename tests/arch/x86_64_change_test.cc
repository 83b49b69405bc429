// SPDX-License-Identifier: Apache-2.0
//
// What changes of live x86-64 entries need: the table of SDM 4.10.4, row by row, then every pair.

#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/arch/x86_64.h"

namespace paddock::x86_64 {
namespace {

constexpr PhysAddr kFrame(0x4000'0000);
constexpr PhysAddr kOtherFrame(0x8000'0000);

Pte Leaf(PageFlags flags, int level, CachePolicy cache = CachePolicy::kWriteBack,
         PhysAddr frame = kFrame) {
  const EncodeResult result = Format4::EncodeLeaf(frame, {flags, cache, 0}, level);
  EXPECT_TRUE(result.ok()) << EncodeErrorText(result.error);
  return result.pte;
}

constexpr PageFlags kR = PageFlags::kRead;
constexpr PageFlags kW = PageFlags::kWrite;
constexpr PageFlags kX = PageFlags::kExecute;
constexpr PageFlags kU = PageFlags::kUser;
constexpr PageFlags kG = PageFlags::kGlobal;
constexpr PageFlags kA = PageFlags::kAccessed;
constexpr PageFlags kD = PageFlags::kDirty;

struct Row {
  const char* change;
  PageFlags before;
  PageFlags after;
  FlushNeed need;
};

class EveryLeafLevel : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(X86, EveryLeafLevel, testing::Values(1, 2, 3));

TEST_P(EveryLeafLevel, FlagChangesFollowTheTable) {
  constexpr Row kRows[] = {
      {"nothing", kR | kW, kR | kW, FlushNeed::kNone},
      {"RW 0 -> 1", kR, kR | kW, FlushNeed::kDeferrable},
      {"XD 1 -> 0", kR, kR | kX, FlushNeed::kDeferrable},
      {"US 0 -> 1", kR, kR | kU, FlushNeed::kDeferrable},
      {"US 0 -> 1, executable (SMEP)", kR | kX, kR | kX | kU, FlushNeed::kRequired},
      {"US 0 -> 1 together with XD 1 -> 0", kR, kR | kX | kU, FlushNeed::kDeferrable},
      {"RW 1 -> 0", kR | kW, kR, FlushNeed::kRequired},
      {"XD 0 -> 1", kR | kX, kR, FlushNeed::kRequired},
      {"US 1 -> 0", kR | kU, kR, FlushNeed::kRequired},
      {"more and less at once", kR | kW, kR | kX, FlushNeed::kRequired},
      {"G 0 -> 1", kR, kR | kG, FlushNeed::kRequired},
      {"G 1 -> 0", kR | kG, kR, FlushNeed::kRequired},
      {"A and D set", kR | kW, kR | kW | kA | kD, FlushNeed::kNone},
      {"A 1 -> 0", kR | kA, kR, FlushNeed::kRequired},
      {"D 1 -> 0", kR | kW | kA | kD, kR | kW | kA, FlushNeed::kRequired},
      {"D 1 -> 0 with more permission", kR | kD, kR | kW, FlushNeed::kRequired},
  };
  for (const Row& row : kRows) {
    EXPECT_EQ(
        Format4::FlushFor(Leaf(row.before, GetParam()), Leaf(row.after, GetParam()), GetParam()),
        row.need)
        << row.change;
  }
}

TEST_P(EveryLeafLevel, EveryPairOfFlagsIsJudgedByWhatAStaleEntryWouldDo) {
  const int level = GetParam();
  const auto all = static_cast<int>(kAllPageFlags);
  for (int from = 1; from <= all; from += 2) {
    for (int to = 1; to <= all; to += 2) {
      const auto before = static_cast<PageFlags>(from);
      const auto after = static_cast<PageFlags>(to);
      const PageFlags lost = before & ~after;
      const PageFlags gained = after & ~before;
      const bool kernel_may_still_fetch = HasAny(gained, kU) && HasAny(before, kX);
      FlushNeed need = FlushNeed::kNone;
      if (HasAny(gained, kW | kX | kU)) need = FlushNeed::kDeferrable;
      if (lost != PageFlags::kNone || HasAny(gained, kG) || kernel_may_still_fetch) {
        need = FlushNeed::kRequired;
      }
      ASSERT_EQ(Format4::FlushFor(Leaf(before, level), Leaf(after, level), level), need)
          << from << " -> " << to;
    }
  }
}

TEST_P(EveryLeafLevel, AbsentToPresentNeedsNothing) {
  const Pte leaf = Leaf(kR | kW | kU, GetParam());
  EXPECT_EQ(Format4::FlushFor(kAbsentPte, leaf, GetParam()), FlushNeed::kNone);
  const Pte marked_absent = Pte{0x5a5a} << 1;
  EXPECT_EQ(Format4::FlushFor(marked_absent, leaf, GetParam()), FlushNeed::kNone);
  EXPECT_TRUE(Format4::IsSafeLiveChange(marked_absent, leaf, GetParam()));
}

TEST_P(EveryLeafLevel, UnmapAndNewAddressNeedAFlushButNoBreak) {
  const Pte leaf = Leaf(kR, GetParam());
  const Pte moved = Leaf(kR, GetParam(), CachePolicy::kWriteBack, kOtherFrame);
  EXPECT_EQ(Format4::FlushFor(leaf, kAbsentPte, GetParam()), FlushNeed::kRequired);
  EXPECT_EQ(Format4::FlushFor(leaf, moved, GetParam()), FlushNeed::kRequired);
  EXPECT_TRUE(Format4::IsSafeLiveChange(leaf, kAbsentPte, GetParam()));
  EXPECT_TRUE(Format4::IsSafeLiveChange(leaf, moved, GetParam()));
}

TEST_P(EveryLeafLevel, AnotherMemoryTypeForTheSameFrameNeedsABreak) {
  const Pte cached = Leaf(kR, GetParam());
  const Pte combining = Leaf(kR, GetParam(), CachePolicy::kWriteCombining);
  EXPECT_FALSE(Format4::IsSafeLiveChange(cached, combining, GetParam()));
  EXPECT_FALSE(Format4::IsSafeLiveChange(combining, cached, GetParam()));
  const Pte elsewhere = Leaf(kR, GetParam(), CachePolicy::kWriteCombining, kOtherFrame);
  EXPECT_TRUE(Format4::IsSafeLiveChange(cached, elsewhere, GetParam()));
}

TEST_P(EveryLeafLevel, BitsThatTheFormatDoesNotKnowNeedAFlush) {
  const Pte leaf = Leaf(kR, GetParam());
  for (int bit = 57; bit <= 62; ++bit) {
    EXPECT_EQ(Format4::FlushFor(leaf, leaf | Pte{1} << bit, GetParam()), FlushNeed::kRequired);
  }
}

TEST(X86PageSize, SplitIsSafeLiveAndMergeIsNot) {
  const Pte table = Format4::EncodeTable(PhysAddr(0x7000));
  for (int level = 2; level <= 3; ++level) {
    EXPECT_TRUE(Format4::IsSafeLiveChange(Leaf(kR, level), table, level));
    EXPECT_FALSE(Format4::IsSafeLiveChange(table, Leaf(kR, level), level));
    EXPECT_EQ(Format4::FlushFor(Leaf(kR, level), table, level), FlushNeed::kRequired);
    EXPECT_EQ(Format4::FlushFor(table, Leaf(kR, level), level), FlushNeed::kRequired);
  }
}

TEST(X86Tables, AccessedBitSetByHardwareNeedsNothing) {
  const Pte table = Format4::EncodeTable(PhysAddr(0x7000));
  for (int level = 2; level <= 4; ++level) {
    EXPECT_EQ(Format4::FlushFor(table, table | kAccessedBit, level), FlushNeed::kNone);
    EXPECT_EQ(Format4::FlushFor(table | kAccessedBit, table, level), FlushNeed::kRequired);
    EXPECT_EQ(Format4::FlushFor(table, table & ~kWritable, level), FlushNeed::kRequired);
  }
}

}  // namespace
}  // namespace paddock::x86_64

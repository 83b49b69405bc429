// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/soft_mmu.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kPresent = 0x1, kWrite = 0x2, kUser = 0x4, kLarge = 0x80;
constexpr uint64_t kNoExecute = 1ull << 63;
constexpr uint64_t kTable = kPresent | kWrite | kUser;

// Sixteen pages of physical memory with four tables by hand: 0x1000 (level 4) -> 0x2000 -> 0x3000
// -> 0x4000, all at index 0.
class SoftMmuTest : public testing::Test {
 protected:
  static constexpr uint64_t kPages = 16;

  SoftMmuTest() : memory_(kPages * 512) {
    nodes_ = {{0x1000, 4}, {0x2000, 3}, {0x3000, 2}, {0x4000, 1}};
    Entry(0x1000, 0) = 0x2000 | kTable;
    Entry(0x2000, 0) = 0x3000 | kTable;
    Entry(0x3000, 0) = 0x4000 | kTable;
    Entry(0x4000, 0) = 0x5000 | kTable;
  }

  uint64_t& Entry(uint64_t table, uint64_t index) { return memory_[table / 8 + index]; }

  SoftMmu Mmu(MmuConfig config = {}) {
    return SoftMmu(
        {.data = reinterpret_cast<const std::byte*>(memory_.data()), .size = kPages * 4096},
        config);
  }
  bool IsNode(uint64_t frame, int level) {
    const auto it = nodes_.find(frame);
    return it != nodes_.end() && it->second == level;
  }
  MmuWalk Walk(uint64_t va, MmuConfig config = {}) {
    return Mmu(config).Walk(0x1000, va, [&](uint64_t f, int l) { return IsNode(f, l); });
  }
  MmuScan Scan(uint64_t first, uint64_t last, MmuConfig config = {}) {
    seen_.clear();
    return Mmu(config).Scan(
        0x1000, first, last, [&](uint64_t f, int l) { return IsNode(f, l); },
        [&](uint64_t va, const MmuTranslation& t) { seen_.emplace_back(va, t.physical); });
  }
  void ExpectViolation(uint64_t va, const std::string& part, MmuConfig config = {}) {
    const MmuWalk walk = Walk(va, config);
    EXPECT_EQ(walk.outcome, MmuOutcome::kViolation);
    EXPECT_THAT(walk.violation, HasSubstr(part));
  }

  std::vector<uint64_t> memory_;
  std::map<uint64_t, int> nodes_;
  std::vector<std::pair<uint64_t, uint64_t>> seen_;
};

TEST_F(SoftMmuTest, TranslatesABasePageWithItsOffset) {
  const MmuWalk walk = Walk(0xabc);
  ASSERT_EQ(walk.outcome, MmuOutcome::kTranslated);
  EXPECT_EQ(walk.level, 1);
  EXPECT_EQ(walk.entry_address, 0x4000u);
  EXPECT_EQ(walk.translation.physical, 0x5abcu);
  EXPECT_EQ(walk.translation.page_bytes, 4096u);
  EXPECT_TRUE(walk.translation.writable && walk.translation.user && walk.translation.executable);
  EXPECT_FALSE(walk.translation.global || walk.translation.accessed || walk.translation.dirty);
}

TEST_F(SoftMmuTest, RightsAreTakenAwayByAnyLevel) {
  Entry(0x1000, 0) = 0x2000 | kPresent | kUser;
  EXPECT_FALSE(Walk(0).translation.writable);
  Entry(0x2000, 0) = 0x3000 | kPresent | kWrite;
  EXPECT_FALSE(Walk(0).translation.user);
  EXPECT_TRUE(Walk(0).translation.executable);
  Entry(0x3000, 0) |= kNoExecute;
  EXPECT_FALSE(Walk(0).translation.executable);
}

TEST_F(SoftMmuTest, ReadsHardwareBitsGlobalAndCaching) {
  Entry(0x4000, 0) = 0x5000 | kPresent | 0x20 | 0x40 | 0x100 | 0x80 | 0x10 | 0x8;
  const MmuTranslation small = Walk(0).translation;
  EXPECT_TRUE(small.accessed && small.dirty && small.global);
  EXPECT_EQ(small.pat_index, 7);
  Entry(0x3000, 0) = kPresent | kLarge | (1 << 12);
  EXPECT_EQ(Walk(0, {.leaves = MmuLeafPlace::kAnywhere}).translation.pat_index, 4);
}

TEST_F(SoftMmuTest, TranslatesLargeAndGigabytePages) {
  const MmuConfig anywhere{.leaves = MmuLeafPlace::kAnywhere};
  Entry(0x3000, 1) = 0x40'0000 | kTable | kLarge;
  const MmuWalk large = Walk(0x20'1234, anywhere);
  EXPECT_EQ(large.outcome, MmuOutcome::kTranslated);
  EXPECT_EQ(large.translation.physical, 0x40'1234u);
  EXPECT_EQ(large.translation.page_bytes, 2u << 20);
  Entry(0x2000, 1) = 0x8000'0000 | kTable | kLarge;
  const MmuWalk gigabyte = Walk(0x4000'5678, anywhere);
  EXPECT_EQ(gigabyte.translation.physical, 0x8000'5678u);
  EXPECT_EQ(gigabyte.translation.page_bytes, 1u << 30);
}

TEST_F(SoftMmuTest, AnAbsentEntryIsAFaultWhateverElseItHolds) {
  Entry(0x4000, 3) = ~uint64_t{kPresent};
  const MmuWalk walk = Walk(0x3000);
  EXPECT_EQ(walk.outcome, MmuOutcome::kNotPresent);
  EXPECT_EQ(walk.level, 1);
  EXPECT_EQ(Walk(0x1'0000'0000'0).outcome, MmuOutcome::kNotPresent);
}

TEST_F(SoftMmuTest, NonCanonicalAddressesReadNothing) {
  const MmuWalk walk = Walk(0x0000'8000'0000'0000);
  EXPECT_EQ(walk.outcome, MmuOutcome::kNonCanonical);
  EXPECT_EQ(walk.level, 0);
  EXPECT_EQ(Walk(0xffff'7fff'ffff'ffff).outcome, MmuOutcome::kNonCanonical);
  EXPECT_EQ(Walk(0xffff'8000'0000'0000).outcome, MmuOutcome::kNotPresent);
}

TEST_F(SoftMmuTest, ReservedAddressBitsAreAViolationAtEveryLevel) {
  const MmuConfig narrow{.physical_bits = 40};
  for (const uint64_t table : {0x1000, 0x2000, 0x3000, 0x4000}) {
    const uint64_t entry = Entry(table, 0);
    Entry(table, 0) |= 1ull << 45;
    ExpectViolation(0, "has reserved bits 0x200000000000 set", narrow);
    Entry(table, 0) = entry;
  }
}

TEST_F(SoftMmuTest, NoExecuteIsReservedWhereItIsOff) {
  Entry(0x4000, 0) |= kNoExecute;
  EXPECT_EQ(Walk(0).outcome, MmuOutcome::kTranslated);
  ExpectViolation(0, "reserved bits 0x8000000000000000", {.no_execute = false});
}

TEST_F(SoftMmuTest, PageSizeIsReservedWhereThereIsNoSuchPage) {
  Entry(0x1000, 0) |= kLarge;
  ExpectViolation(0, "at level 4: entry");
  Entry(0x1000, 0) &= ~kLarge;
  Entry(0x2000, 0) = 0x4000'0000 | kTable | kLarge;
  ExpectViolation(0, "at level 3: entry", {.gigabyte_pages = false});
}

TEST_F(SoftMmuTest, AddressBitsInsideALargePageAreReserved) {
  Entry(0x3000, 0) = 0x20'0000 | kTable | kLarge | (1 << 13);
  ExpectViolation(0, "reserved bits 0x2000", {.leaves = MmuLeafPlace::kAnywhere});
  Entry(0x2000, 0) = 0x4000'0000 | kTable | kLarge | (1 << 29);
  ExpectViolation(0, "reserved bits 0x20000000", {.leaves = MmuLeafPlace::kAnywhere});
}

TEST_F(SoftMmuTest, ATableOutsideMemoryIsAViolationAndIsNotRead) {
  Entry(0x3000, 0) = 0xffff'ffff'f000 | kTable;
  ExpectViolation(0, "table 0xfffffffff000 is outside physical memory");
  Entry(0x3000, 0) = (kPages * 4096) | kTable;
  ExpectViolation(0, "outside physical memory");
}

TEST_F(SoftMmuTest, ALeafOutsideMemoryIsAViolationUnlessAllowed) {
  Entry(0x4000, 0) = (kPages * 4096) | kTable;
  ExpectViolation(0, "maps 0x10000, outside physical memory");
  EXPECT_EQ(Walk(0, {.leaves = MmuLeafPlace::kAnywhere}).outcome, MmuOutcome::kTranslated);
  Entry(0x3000, 0) = 0 | kTable | kLarge;
  ExpectViolation(0, "outside physical memory");
}

TEST_F(SoftMmuTest, AFreedNodeOrOneOfAnotherLevelIsAViolation) {
  nodes_.erase(0x3000);
  ExpectViolation(0, "at level 2: frame 0x3000 is not a live node of level 2");
  nodes_[0x3000] = 1;
  ExpectViolation(0, "frame 0x3000 is not a live node of level 2");
  nodes_[0x3000] = 2;
  EXPECT_EQ(Walk(0).outcome, MmuOutcome::kTranslated);
  nodes_.erase(0x1000);
  ExpectViolation(0, "frame 0x1000 is not a live node of level 4");
}

TEST_F(SoftMmuTest, MemoryMayBeginAboveZero) {
  const SoftMmu mmu({.data = reinterpret_cast<const std::byte*>(memory_.data()),
                     .size = kPages * 4096,
                     .first = 0x1000'0000});
  for (const uint64_t table : {0x1000, 0x2000, 0x3000, 0x4000}) Entry(table, 0) += 0x1000'0000;
  const MmuWalk walk = mmu.Walk(0x1000'1000, 0x8, [](uint64_t, int) { return true; });
  EXPECT_EQ(walk.outcome, MmuOutcome::kTranslated);
  EXPECT_EQ(walk.translation.physical, 0x1000'5008u);
  const MmuWalk below = mmu.Walk(0x1000, 0x8, [](uint64_t, int) { return true; });
  EXPECT_EQ(below.outcome, MmuOutcome::kViolation);
}

TEST_F(SoftMmuTest, AScanVisitsEveryLeafInOrderInBothHalves) {
  Entry(0x4000, 511) = 0x6000 | kTable;
  Entry(0x3000, 1) = 0x20'0000 | kTable | kLarge;
  Entry(0x1000, 511) = 0x7000 | kTable;
  nodes_[0x7000] = 3;
  Entry(0x7000, 511) = 0x4000'0000 | kTable | kLarge;
  const MmuConfig anywhere{.leaves = MmuLeafPlace::kAnywhere};
  const MmuScan scan = Scan(0, ~0ull, anywhere);
  EXPECT_THAT(scan.violations, ElementsAre());
  EXPECT_EQ(scan.nodes, 5u);
  EXPECT_EQ(scan.leaves, 4u);
  EXPECT_THAT(seen_, ElementsAre(std::make_pair(0x0, 0x5000), std::make_pair(0x1f'f000, 0x6000),
                                 std::make_pair(0x20'0000, 0x20'0000),
                                 std::make_pair(0xffff'ffff'c000'0000ull, 0x4000'0000)));
}

TEST_F(SoftMmuTest, AScanKeepsToItsRange) {
  Entry(0x4000, 1) = 0x6000 | kTable;
  Entry(0x4000, 2) = 0x7000 | kTable;
  Entry(0x3000, 1) = 0x20'0000 | kTable | kLarge;
  const MmuConfig anywhere{.leaves = MmuLeafPlace::kAnywhere};
  Scan(0x1800, 0x1fff, anywhere);
  EXPECT_THAT(seen_, ElementsAre(std::make_pair(0x1000, 0x6000)));
  Scan(0x2000, 0x20'0000, anywhere);
  EXPECT_THAT(seen_,
              ElementsAre(std::make_pair(0x2000, 0x7000), std::make_pair(0x20'0000, 0x20'0000)));
  Scan(0x30'0000, 0x30'0fff, anywhere);
  EXPECT_THAT(seen_, ElementsAre(std::make_pair(0x20'0000, 0x20'0000)));
  Scan(0x0000'8000'0000'0000, ~0ull, anywhere);
  EXPECT_THAT(seen_, ElementsAre());
}

TEST_F(SoftMmuTest, AScanReportsATableReachedTwiceAndGoesOn) {
  Entry(0x3000, 5) = 0x4000 | kTable;
  Entry(0x3000, 6) = 0x9000 | kTable;
  const MmuScan scan = Scan(0, ~0ull);
  EXPECT_EQ(scan.leaves, 1u);
  ASSERT_EQ(scan.violations.size(), 2u);
  EXPECT_THAT(scan.violations[0], HasSubstr("table 0x4000 is reached twice"));
  EXPECT_THAT(scan.violations[1], HasSubstr("frame 0x9000 is not a live node of level 1"));
}

TEST_F(SoftMmuTest, FiveLevelsAreOneMore) {
  Entry(0x8000, 0) = 0x1000 | kTable;
  nodes_[0x8000] = 5;
  const SoftMmu mmu = Mmu({.levels = 5});
  const auto is_node = [&](uint64_t f, int l) { return IsNode(f, l); };
  EXPECT_EQ(mmu.Walk(0x8000, 0x10, is_node).translation.physical, 0x5010u);
  EXPECT_EQ(mmu.Walk(0x8000, 0x0000'8000'0000'0000, is_node).outcome, MmuOutcome::kNotPresent);
}

}  // namespace
}  // namespace paddock

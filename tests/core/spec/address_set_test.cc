// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/spec/address_set.h"

#include <bitset>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

VirtRange Bytes(uint64_t first, uint64_t end) { return {VirtAddr(first), VirtAddr(end)}; }

std::vector<VirtRange> RangesOf(const AddressSet& set) {
  std::vector<VirtRange> ranges;
  set.ForEach([&](VirtRange range) { ranges.push_back(range); });
  return ranges;
}

TEST(AddressSet, RangesThatTouchBecomeOne) {
  AddressSet set(Bytes(0x10, 0x20));
  set.Insert(Bytes(0x30, 0x40));
  EXPECT_EQ(RangesOf(set), (std::vector{Bytes(0x10, 0x20), Bytes(0x30, 0x40)}));
  set.Insert(Bytes(0x20, 0x30));
  EXPECT_EQ(RangesOf(set), (std::vector{Bytes(0x10, 0x40)}));
}

TEST(AddressSet, ErasingAMiddleLeavesBothSides) {
  AddressSet set(Bytes(0x10, 0x40));
  set.Erase(Bytes(0x20, 0x21));
  EXPECT_EQ(RangesOf(set), (std::vector{Bytes(0x10, 0x20), Bytes(0x21, 0x40)}));
  EXPECT_FALSE(set.Contains(VirtAddr(0x20)));
  EXPECT_EQ(set.FirstAbsent(Bytes(0x18, 0x30)), VirtAddr(0x20));
}

TEST(AddressSet, EmptyRangesChangeNothingAndAreAlwaysInside) {
  AddressSet set;
  set.Insert(Bytes(0x10, 0x10));
  EXPECT_TRUE(set.empty());
  set.Insert(Bytes(0x10, 0x20));
  set.Erase(Bytes(0x18, 0x18));
  EXPECT_EQ(RangesOf(set), (std::vector{Bytes(0x10, 0x20)}));
  EXPECT_TRUE(set.ContainsAll(Bytes(0x50, 0x50)));
  EXPECT_TRUE(set.Part(Bytes(0x18, 0x18)).empty());
}

TEST(AddressSet, ReachesBothEndsOfTheAddresses) {
  AddressSet set(Bytes(~uint64_t{0xf}, 0));
  EXPECT_TRUE(set.Contains(VirtAddr(~uint64_t{0})));
  EXPECT_TRUE(set.ContainsAll(Bytes(~uint64_t{0x7}, 0)));
  set.Insert(Bytes(0, 1));
  EXPECT_EQ(RangesOf(set), (std::vector{Bytes(0, 1), Bytes(~uint64_t{0xf}, 0)}));
  set.Insert(Bytes(~uint64_t{0x1f}, ~uint64_t{0xf}));
  set.Erase(Bytes(~uint64_t{0}, 0));
  EXPECT_EQ(RangesOf(set), (std::vector{Bytes(0, 1), Bytes(~uint64_t{0x1f}, ~uint64_t{0})}));
}

TEST(AddressSet, AgreesWithBitsUnderRandomOperations) {
  constexpr uint64_t kBytes = 64;
  std::mt19937_64 random(TestSeed());
  AddressSet set;
  std::bitset<kBytes> bits;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t first = random() % kBytes;
    const uint64_t end = first + random() % (kBytes - first + 1);
    const bool insert = random() % 2 == 0;
    insert ? set.Insert(Bytes(first, end)) : set.Erase(Bytes(first, end));
    for (uint64_t i = first; i < end; ++i) bits[i] = insert;

    AddressSet expected;
    for (uint64_t i = 0; i < kBytes; ++i) {
      if (bits[i]) expected.Insert(Bytes(i, i + 1));
      ASSERT_EQ(set.Contains(VirtAddr(i)), bits[i]) << "address " << i;
    }
    ASSERT_EQ(set, expected) << "not the longest ranges";
    const uint64_t from = random() % kBytes;
    const uint64_t to = from + random() % (kBytes - from + 1);
    uint64_t absent = from;
    while (absent < to && bits[absent]) ++absent;
    ASSERT_EQ(set.FirstAbsent(Bytes(from, to)).value_or(VirtAddr(to)), VirtAddr(absent));
    AddressSet rest = set.Part(Bytes(from, to));
    rest.Insert(set.Part(Bytes(0, from)));
    rest.Insert(set.Part(Bytes(to, kBytes)));
    ASSERT_EQ(rest, set);
  }
}

}  // namespace
}  // namespace paddock

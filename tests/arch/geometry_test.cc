// SPDX-License-Identifier: Apache-2.0

#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/address.h"
#include "paddock/arch/paging_format.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"

namespace paddock {
namespace {

template <typename F>
class GeometryOf : public testing::Test {};

using Formats = testing::Types<x86_64::Format4, x86_64::Format5, tiny::Format2x2,
                               tiny::Format<1, 6>, tiny::Format<3, 9, 8>, tiny::Format<4, 2, 8>>;
TYPED_TEST_SUITE(GeometryOf, Formats);

TYPED_TEST(GeometryOf, SpansMultiplyUpToTheWholeSpace) {
  using G = Geometry<TypeParam>;
  uint64_t span = kPageSize;
  for (int level = 1; level <= G::kLevels; ++level) {
    EXPECT_EQ(G::EntrySpan(level), span);
    EXPECT_EQ(uint64_t{1} << G::Shift(level), span);
    span *= G::Entries(level);
    EXPECT_EQ(G::NodeSpan(level), span);
  }
  EXPECT_EQ(G::kSpan, span);
}

TYPED_TEST(GeometryOf, GranulesPartitionANodeAndFitALockWord) {
  using G = Geometry<TypeParam>;
  for (int level = 1; level <= G::kLevels; ++level) {
    EXPECT_GE(G::GranuleCount(level), 1u);
    EXPECT_LE(G::GranuleCount(level), 64u);
    EXPECT_EQ(G::GranuleCount(level) * G::EntriesPerGranule(level), G::Entries(level));
  }
}

TYPED_TEST(GeometryOf, IndicesRebuildTheOffset) {
  using G = Geometry<TypeParam>;
  for (uint64_t i = 0; i < 1000; ++i) {
    const uint64_t page = (i * 0x9e37'79b9'7f4a'7c15) & (G::kSpan - 1) & ~(kPageSize - 1);
    uint64_t rebuilt = 0;
    for (int level = 1; level <= G::kLevels; ++level) {
      ASSERT_LT(G::Index(page, level), G::Entries(level));
      rebuilt += G::Index(page, level) * G::EntrySpan(level);
    }
    ASSERT_EQ(rebuilt, page);
  }
}

TYPED_TEST(GeometryOf, FirstAndLastOffsetSitInTheFirstAndLastEntries) {
  using G = Geometry<TypeParam>;
  for (int level = 1; level <= G::kLevels; ++level) {
    EXPECT_EQ(G::Index(0, level), 0u);
    EXPECT_EQ(G::Index(G::kSpan - 1, level), G::Entries(level) - 1);
  }
}

TYPED_TEST(GeometryOf, OffsetsAndCanonicalAddressesAreInverse) {
  using G = Geometry<TypeParam>;
  for (const uint64_t offset : {uint64_t{0}, kPageSize, G::kSpan / 2 - 1, G::kSpan / 2,
                                G::kSpan - kPageSize, G::kSpan - 1}) {
    EXPECT_TRUE(G::IsCanonical(G::ToVirt(offset)));
    EXPECT_EQ(G::ToOffset(G::ToVirt(offset)), offset);
  }
}

TEST(Canonical, FortyEightBitsHaveAHoleInTheMiddle) {
  using G = Geometry<x86_64::Format4>;
  EXPECT_TRUE(G::IsCanonical(VirtAddr(0)));
  EXPECT_TRUE(G::IsCanonical(VirtAddr(0x0000'7fff'ffff'ffff)));
  EXPECT_FALSE(G::IsCanonical(VirtAddr(0x0000'8000'0000'0000)));
  EXPECT_FALSE(G::IsCanonical(VirtAddr(0xffff'7fff'ffff'ffff)));
  EXPECT_TRUE(G::IsCanonical(VirtAddr(0xffff'8000'0000'0000)));
  EXPECT_TRUE(G::IsCanonical(VirtAddr(~uint64_t{0})));
  EXPECT_EQ(G::ToOffset(VirtAddr(0xffff'8000'0000'0000)), uint64_t{1} << 47);
}

TEST(Canonical, FiftySevenBitsHaveAHoleInTheMiddle) {
  using G = Geometry<x86_64::Format5>;
  EXPECT_TRUE(G::IsCanonical(VirtAddr(0x0000'8000'0000'0000)));
  EXPECT_TRUE(G::IsCanonical(VirtAddr(0x00ff'ffff'ffff'ffff)));
  EXPECT_FALSE(G::IsCanonical(VirtAddr(0x0100'0000'0000'0000)));
  EXPECT_FALSE(G::IsCanonical(VirtAddr(0xfeff'ffff'ffff'ffff)));
  EXPECT_TRUE(G::IsCanonical(VirtAddr(0xff00'0000'0000'0000)));
  EXPECT_TRUE(G::IsCanonical(VirtAddr(~uint64_t{0})));
}

TEST(Canonical, WithoutSignExtensionEverythingAboveIsOutside) {
  using G = Geometry<tiny::Format2x2>;
  EXPECT_TRUE(G::IsCanonical(VirtAddr(0x2000)));
  EXPECT_TRUE(G::IsCanonical(VirtAddr(0x3fff)));
  EXPECT_FALSE(G::IsCanonical(VirtAddr(0x4000)));
  EXPECT_FALSE(G::IsCanonical(VirtAddr(~uint64_t{0})));
}

TEST(Granules, ANodeSmallerThanAGranuleIsOneGranule) {
  using G = Geometry<tiny::Format<4, 2, 8>>;
  EXPECT_EQ(G::EntriesPerGranule(1), 4u);
  EXPECT_EQ(G::GranuleCount(1), 1u);
}

TEST(Granules, OneCacheLineOfEntriesOnRealHardware) {
  using G = Geometry<x86_64::Format4>;
  EXPECT_EQ(G::EntriesPerGranule(1) * sizeof(Pte), 64u);
  EXPECT_EQ(G::GranuleCount(4), 64u);
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/arch/tiny.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"

namespace paddock::tiny {
namespace {

using F = Format2x2;

TEST(TinyFormat, HasFourPagesInTwoLevels) {
  using G = Geometry<F>;
  EXPECT_EQ(G::kSpan, 4 * kPageSize);
  EXPECT_EQ(G::EntrySpan(2), 2 * kPageSize);
  EXPECT_EQ(G::EntriesPerGranule(1), 1u);
}

TEST(TinyFormat, DoesNotKeepThePageNumberInPlace) {
  const Pte pte = F::EncodeLeaf(PhysAddr(0x1000), PageProperty{}, 1).pte;
  EXPECT_EQ(pte & 0xfff000, 0u);
  EXPECT_EQ(F::EncodeTable(PhysAddr(0x1000)) & 1, 0u);
}

TEST(TinyFormat, MapsPagesThatAllowNothing) {
  const EncodeResult leaf = F::EncodeLeaf(PhysAddr(0x1000), PageProperty{}, 1);
  ASSERT_TRUE(leaf.ok());
  EXPECT_EQ(F::Kind(leaf.pte, 1), EntryKind::kLeaf);
  EXPECT_EQ(F::Property(leaf.pte, 1), PageProperty{});
}

TEST(TinyFormat, CarriesFourSoftwareBits) {
  PageProperty property = kReadUser;
  property.software = 15;
  EXPECT_TRUE(F::EncodeLeaf(PhysAddr(0), property, 1).ok());
  property.software = 16;
  EXPECT_EQ(F::EncodeLeaf(PhysAddr(0), property, 1).error, EncodeError::kUnsupportedSoftwareBits);
}

TEST(TinyFormat, RootLeafIsTwoPagesAndSplitsIntoThem) {
  const Pte huge = F::EncodeLeaf(PhysAddr(0x4000), kReadWriteUser, 2).pte;
  EXPECT_EQ(F::SplitLeaf(huge, 2, 0), F::EncodeLeaf(PhysAddr(0x4000), kReadWriteUser, 1).pte);
  EXPECT_EQ(F::SplitLeaf(huge, 2, 1), F::EncodeLeaf(PhysAddr(0x5000), kReadWriteUser, 1).pte);
  EXPECT_EQ(F::EncodeLeaf(PhysAddr(0x5000), kReadWriteUser, 2).error,
            EncodeError::kUnalignedAddress);
}

TEST(TinyFormat, MaxLeafLevelKeepsLeavesOutOfTheRoot) {
  using Low = Format<2, 1, 1, 1>;
  EXPECT_EQ(Low::EncodeLeaf(PhysAddr(0), kReadUser, 2).error, EncodeError::kNoLeafAtLevel);
  const Pte leaf = Low::EncodeLeaf(PhysAddr(0), kReadUser, 1).pte;
  EXPECT_EQ(Low::Kind(leaf, 1), EntryKind::kLeaf);
  EXPECT_EQ(Low::Kind(leaf, 2), EntryKind::kAbsent);
}

TEST(TinyFormat, OtherKindsAreAbsent) {
  for (int level = 1; level <= 2; ++level) {
    EXPECT_EQ(F::Kind(~Pte{3}, level), EntryKind::kAbsent);
    EXPECT_EQ(F::Kind(~Pte{0}, level), EntryKind::kAbsent);
  }
}

TEST(TinyFormat, UpgradesAreDeferrableAndDowngradesAreNot) {
  const Pte read = F::EncodeLeaf(PhysAddr(0), kReadUser, 1).pte;
  const Pte write = F::EncodeLeaf(PhysAddr(0), kReadWriteUser, 1).pte;
  EXPECT_EQ(F::FlushFor(read, write, 1), FlushNeed::kDeferrable);
  EXPECT_EQ(F::FlushFor(write, read, 1), FlushNeed::kRequired);
}

TEST(TinyFormat, AnyLeafChangeAndASplitAreSafeLive) {
  PageProperty uncached = kReadUser;
  uncached.cache = CachePolicy::kUncacheable;
  const Pte before = F::EncodeLeaf(PhysAddr(0), kReadUser, 2).pte;
  EXPECT_TRUE(F::IsSafeLiveChange(before, F::EncodeLeaf(PhysAddr(0), uncached, 2).pte, 2));
  EXPECT_TRUE(F::IsSafeLiveChange(before, F::EncodeTable(PhysAddr(0x1000)), 2));
}

}  // namespace
}  // namespace paddock::tiny

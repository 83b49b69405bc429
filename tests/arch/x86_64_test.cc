// SPDX-License-Identifier: Apache-2.0
//
// The encoding itself, against literal bit patterns and the manuals' definition of IA32_PAT rather
// than against the format's own constants.

#include "paddock/arch/x86_64.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"

namespace paddock::x86_64 {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

TEST(X86Encoding, LeavesHaveTheManualsBits) {
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(0x1000), kReadWriteUser, 1).pte, 0x8000'0000'0000'1007u);
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(0x1000), kReadExecuteKernel, 1).pte, 0x1001u);
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(0x20'0000), kReadWriteUser, 2).pte,
            0x8000'0000'0020'0087u);
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(kGiB), kReadExecuteUser, 3).pte, 0x4000'0085u);
  const PageProperty all{kAllPageFlags, CachePolicy::kWriteBack, 0};
  EXPECT_EQ(Format5::EncodeLeaf(PhysAddr(0x1000), all, 1).pte, 0x1167u);
}

TEST(X86Encoding, TablesAllowEverything) {
  EXPECT_EQ(Format4::EncodeTable(PhysAddr(0x000f'ffff'ffff'f000)), 0x000f'ffff'ffff'f007u);
}

TEST(X86Encoding, SoftwareBitsAvoidThoseThatProtectionKeysTake) {
  PageProperty property = kReadExecuteKernel;
  property.software = 0x07;
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(0), property, 1).pte, 0xe01u);
  property.software = 0xf8;
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(0), property, 1).pte, 0x01f0'0000'0000'0001u);
}

TEST(X86Encoding, CachePolicySelectsThatMemoryTypeInThePat) {
  // Memory type codes of the SDM, in the order of CachePolicy.
  constexpr int kTypes[] = {6, 4, 0, 1, 5};
  for (int level = 1; level <= 3; ++level) {
    const int pat_bit = level == 1 ? 7 : 12;
    for (int policy = 0; policy < kCachePolicyCount; ++policy) {
      PageProperty property = kReadKernel;
      property.cache = static_cast<CachePolicy>(policy);
      const Pte pte = Format4::EncodeLeaf(PhysAddr(0), property, level).pte;
      const uint64_t entry = ((pte >> 3) & 1) | ((pte >> 4) & 1) << 1 | ((pte >> pat_bit) & 1) << 2;
      EXPECT_EQ((kPatMsr >> (8 * entry)) & 0xff, static_cast<uint64_t>(kTypes[policy]))
          << "policy " << policy << " level " << level;
    }
  }
}

TEST(X86Encoding, EveryPatIndexDecodesToItsMemoryType) {
  // By PAT index: WB, WT, UC- (as UC), UC, WC, WP, UC-, UC.
  constexpr CachePolicy kPolicies[] = {CachePolicy::kWriteBack,      CachePolicy::kWriteThrough,
                                       CachePolicy::kUncacheable,    CachePolicy::kUncacheable,
                                       CachePolicy::kWriteCombining, CachePolicy::kWriteProtected,
                                       CachePolicy::kUncacheable,    CachePolicy::kUncacheable};
  for (uint64_t index = 0; index < 8; ++index) {
    const Pte low = (index & 3) << 3 | 1;
    EXPECT_EQ(Format4::Property(low | (index >> 2) << 7, 1).cache, kPolicies[index]);
    EXPECT_EQ(Format4::Property(low | 0x80 | (index >> 2) << 12, 2).cache, kPolicies[index]);
  }
}

TEST(X86Encoding, SplitMovesThePatBit) {
  PageProperty property = kReadWriteExecuteKernel;
  property.cache = CachePolicy::kWriteCombining;
  const Pte two_mib = Format4::EncodeLeaf(PhysAddr(0x20'0000), property, 2).pte;
  EXPECT_EQ(two_mib, 0x20'1083u);
  EXPECT_EQ(Format4::SplitLeaf(two_mib, 2, 0), 0x20'0083u);
  EXPECT_EQ(Format4::SplitLeaf(two_mib, 2, 511), 0x3f'f083u);
  const Pte one_gib = Format4::EncodeLeaf(PhysAddr(kGiB), property, 3).pte;
  EXPECT_EQ(one_gib, 0x4000'1083u);
  EXPECT_EQ(Format4::SplitLeaf(one_gib, 3, 1), 0x4020'1083u);
}

TEST(X86Encoding, SplitKeepsBitsThatTheFormatDoesNotUse) {
  const Pte key = Pte{0b1010} << 59;
  const Pte leaf = Format4::EncodeLeaf(PhysAddr(0), kReadWriteUser, 2).pte | key;
  EXPECT_EQ(Format4::SplitLeaf(leaf, 2, 3) & (Pte{15} << 59), key);
}

TEST(X86Encoding, SplitDropsThePageSizeBitOnlyAtTheLastLevel) {
  const Pte one_gib = Format4::EncodeLeaf(PhysAddr(0), kReadWriteUser, 3).pte;
  const Pte two_mib = Format4::SplitLeaf(one_gib, 3, 0);
  EXPECT_EQ(two_mib & 0x80, 0x80u);
  EXPECT_EQ(Format4::SplitLeaf(two_mib, 2, 0) & 0x80, 0u);
}

TEST(X86Encoding, BitTwelveOfASmallLeafIsAddress) {
  const Pte pte = Format4::EncodeLeaf(PhysAddr(0x1000), kReadKernel, 1).pte;
  EXPECT_EQ(Format4::Address(pte, 1), PhysAddr(0x1000));
  EXPECT_EQ(Format4::Property(pte, 1).cache, CachePolicy::kWriteBack);
}

TEST(X86Encoding, RefusesWhatIsNotReadable) {
  for (const PageFlags flags : {PageFlags::kNone, PageFlags::kWrite | PageFlags::kUser,
                                PageFlags::kExecute, ~PageFlags::kRead}) {
    EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(0), PageProperty{flags}, 1).error,
              EncodeError::kUnsupportedFlags);
  }
}

TEST(X86Encoding, ReportsTheFirstOfSeveralReasons) {
  const PageProperty bad{PageFlags::kNone, static_cast<CachePolicy>(7)};
  const uint64_t wide = uint64_t{1} << 52;
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(wide + 1), bad, 4).error, EncodeError::kNoLeafAtLevel);
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(wide + 1), bad, 1).error, EncodeError::kUnalignedAddress);
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(wide), bad, 1).error, EncodeError::kAddressTooWide);
  EXPECT_EQ(Format4::EncodeLeaf(PhysAddr(0), bad, 1).error, EncodeError::kUnsupportedFlags);
}

TEST(X86Encoding, PhysicalWidthIsThatOfTheProcessor) {
  using Narrow = Format<4, 39>;
  EXPECT_TRUE(Narrow::EncodeLeaf(PhysAddr((uint64_t{1} << 39) - 0x1000), kReadUser, 1).ok());
  EXPECT_EQ(Narrow::EncodeLeaf(PhysAddr(uint64_t{1} << 39), kReadUser, 1).error,
            EncodeError::kAddressTooWide);
}

TEST(X86Kind, ReservedPageSizeBitIsNoLeaf) {
  const Pte pte = 0x87;
  EXPECT_EQ(Format4::Kind(pte, 3), EntryKind::kLeaf);
  EXPECT_EQ(Format4::Kind(pte, 4), EntryKind::kAbsent);
  EXPECT_EQ(Format5::Kind(pte, 5), EntryKind::kAbsent);
  using NoGigabytePages = Format<4, 52, 2>;
  EXPECT_EQ(NoGigabytePages::Kind(pte, 2), EntryKind::kLeaf);
  EXPECT_EQ(NoGigabytePages::Kind(pte, 3), EntryKind::kAbsent);
  EXPECT_EQ(NoGigabytePages::EncodeLeaf(PhysAddr(0), kReadUser, 3).error,
            EncodeError::kNoLeafAtLevel);
}

TEST(X86Kind, BitSevenOfASmallLeafIsNotThePageSize) {
  EXPECT_EQ(Format4::Kind(0x81, 1), EntryKind::kLeaf);
  EXPECT_EQ(Format4::Address(0x1081, 1), PhysAddr(0x1000));
}

TEST(X86Kind, WithoutThePresentBitNothingElseCounts) {
  for (int level = 1; level <= 5; ++level) {
    EXPECT_EQ(Format5::Kind(~Pte{1}, level), EntryKind::kAbsent);
  }
}

TEST(X86Kind, TableAddressIgnoresWhatHardwareAndSoftwarePutBeside) {
  const Pte table = Format4::EncodeTable(PhysAddr(0x7000)) | 0x20 | Pte{0x7ff} << 52;
  EXPECT_EQ(Format4::Kind(table, 2), EntryKind::kTable);
  EXPECT_EQ(Format4::Address(table, 2), PhysAddr(0x7000));
}

}  // namespace
}  // namespace paddock::x86_64

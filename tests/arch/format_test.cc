// SPDX-License-Identifier: Apache-2.0
//
// Laws that every paging format obeys. A new format is added to `Formats`.

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"

namespace paddock {
namespace {

template <typename F>
class EveryFormat : public testing::Test {
 protected:
  using G = Geometry<F>;

  static PhysAddr HighestFrame(int level) {
    return PhysAddr((uint64_t{1} << F::kPhysicalBits) - G::EntrySpan(level));
  }

  // All that can be encoded at `level`, of all there is.
  static std::vector<PageProperty> Properties(int level) {
    std::vector<PageProperty> all;
    for (int flags = 0; flags <= static_cast<int>(kAllPageFlags); ++flags) {
      for (int cache = 0; cache < kCachePolicyCount; ++cache) {
        for (int software = 0; software < 256; ++software) {
          const PageProperty property{static_cast<PageFlags>(flags),
                                      static_cast<CachePolicy>(cache),
                                      static_cast<uint8_t>(software)};
          if (F::EncodeLeaf(PhysAddr(0), property, level).ok()) all.push_back(property);
        }
      }
    }
    return all;
  }

  static Pte Leaf(PhysAddr address, PageProperty property, int level) {
    const EncodeResult result = F::EncodeLeaf(address, property, level);
    EXPECT_TRUE(result.ok()) << EncodeErrorText(result.error) << ": " << Describe(property).c_str();
    return result.pte;
  }
  static Pte Leaf(PageProperty property, int level) {
    return Leaf(PhysAddr(G::EntrySpan(level)), property, level);
  }

  template <typename Fn>
  static void ForEachLeafLevel(Fn fn) {
    for (int level = 1; level <= F::kLevels; ++level) {
      if (!F::IsLeafLevel(level)) continue;
      SCOPED_TRACE(testing::Message() << "level " << level);
      fn(level);
    }
  }
};

using Formats = testing::Types<x86_64::Format4, x86_64::Format5, x86_64::Format<4, 39, 2>,
                               tiny::Format2x2, tiny::Format<3, 9, 8, 2>>;
TYPED_TEST_SUITE(EveryFormat, Formats);

TYPED_TEST(EveryFormat, AllZeroIsAbsentAtEveryLevel) {
  for (int level = 1; level <= TypeParam::kLevels; ++level) {
    EXPECT_EQ(TypeParam::Kind(kAbsentPte, level), EntryKind::kAbsent);
  }
}

TYPED_TEST(EveryFormat, UsualPropertiesCanBeEncodedAtEveryLeafLevel) {
  this->ForEachLeafLevel([&](int level) {
    for (const PageProperty& property :
         {kReadKernel, kReadWriteKernel, kReadExecuteKernel, kReadWriteExecuteKernel, kReadUser,
          kReadWriteUser, kReadExecuteUser, kReadWriteExecuteUser}) {
      EXPECT_TRUE(TypeParam::EncodeLeaf(PhysAddr(0), property, level).ok());
    }
  });
}

TYPED_TEST(EveryFormat, EveryEncodablePropertySurvivesAtEveryLeafLevel) {
  this->ForEachLeafLevel([&](int level) {
    for (const PageProperty& property : this->Properties(level)) {
      for (const PhysAddr address : {PhysAddr(0), this->HighestFrame(level)}) {
        const Pte pte = TypeParam::EncodeLeaf(address, property, level).pte;
        ASSERT_EQ(TypeParam::Kind(pte, level), EntryKind::kLeaf);
        ASSERT_EQ(TypeParam::Address(pte, level), address);
        ASSERT_EQ(TypeParam::Property(pte, level), property) << Describe(property).c_str();
      }
    }
  });
}

TYPED_TEST(EveryFormat, TheClaimBitSaysNothing) {
  constexpr Pte kClaim = TypeParam::kClaimBit;
  EXPECT_EQ(TypeParam::Kind(kClaim, 1), EntryKind::kAbsent);
  const PhysAddr frame = this->HighestFrame(1);
  for (const PageProperty& property : this->Properties(1)) {
    const Pte free = TypeParam::EncodeLeaf(frame, property, 1).pte;
    ASSERT_EQ(free & kClaim, 0u) << Describe(property).c_str();
    const Pte claimed = free | kClaim;
    ASSERT_EQ(TypeParam::Kind(claimed, 1), EntryKind::kLeaf);
    ASSERT_EQ(TypeParam::Address(claimed, 1), frame);
    ASSERT_EQ(TypeParam::Property(claimed, 1), property);
    ASSERT_EQ(TypeParam::WithAccessed(claimed, 1), TypeParam::WithAccessed(free, 1) | kClaim);
    ASSERT_EQ(TypeParam::WithAccessedDirty(claimed, 1),
              TypeParam::WithAccessedDirty(free, 1) | kClaim);
  }
}

TYPED_TEST(EveryFormat, WithPropertyKeepsTheFrameAndNothingElse) {
  this->ForEachLeafLevel([&](int level) {
    const PhysAddr frame = this->HighestFrame(level);
    const Pte old = this->Leaf(frame, {kAllPageFlags, CachePolicy::kWriteProtected, 15}, level);
    for (const PageProperty& property : this->Properties(level)) {
      const EncodeResult changed = TypeParam::WithProperty(old, property, level);
      ASSERT_TRUE(changed.ok());
      ASSERT_EQ(changed.pte, TypeParam::EncodeLeaf(frame, property, level).pte);
    }
  });
}

TYPED_TEST(EveryFormat, WhatALeafCanExpressThoseOfLowerLevelsCanToo) {
  this->ForEachLeafLevel([&](int high) {
    for (const PageProperty& property : this->Properties(high)) {
      for (int low = 1; low < high; ++low) {
        if (!TypeParam::IsLeafLevel(low)) continue;
        ASSERT_TRUE(TypeParam::EncodeLeaf(PhysAddr(0), property, low).ok())
            << Describe(property).c_str() << " at level " << low;
      }
    }
  });
}

TYPED_TEST(EveryFormat, SplitPiecesMapTheSameMemoryWithTheSameProperty) {
  using G = Geometry<TypeParam>;
  this->ForEachLeafLevel([&](int level) {
    if (level == 1) return;
    const PhysAddr frame = this->HighestFrame(level);
    const uint64_t last = G::Entries(level - 1) - 1;
    for (const PageProperty& property : this->Properties(level)) {
      const Pte huge = TypeParam::EncodeLeaf(frame, property, level).pte;
      for (const uint64_t index : {uint64_t{0}, uint64_t{1}, last / 2, last}) {
        const PhysAddr piece = frame.Plus(index * G::EntrySpan(level - 1));
        ASSERT_EQ(TypeParam::SplitLeaf(huge, level, index),
                  TypeParam::EncodeLeaf(piece, property, level - 1).pte)
            << Describe(property).c_str() << " index " << index;
      }
    }
  });
}

TYPED_TEST(EveryFormat, HardwareBitsAddToThePropertyAndToNothingElse) {
  this->ForEachLeafLevel([&](int level) {
    for (PageProperty property : this->Properties(level)) {
      const Pte leaf = this->Leaf(property, level);
      property.flags |= PageFlags::kAccessed;
      ASSERT_EQ(TypeParam::WithAccessed(leaf, level), this->Leaf(property, level));
      property.flags |= PageFlags::kDirty;
      ASSERT_EQ(TypeParam::WithAccessedDirty(leaf, level), this->Leaf(property, level));
    }
  });
}

TYPED_TEST(EveryFormat, TableEntriesKeepTheirAddress) {
  const PhysAddr highest = this->HighestFrame(1);
  for (int level = 2; level <= TypeParam::kLevels; ++level) {
    for (const PhysAddr address : {PhysAddr(0), PhysAddr(0x3000), highest}) {
      const Pte pte = TypeParam::EncodeTable(address);
      EXPECT_EQ(TypeParam::Kind(pte, level), EntryKind::kTable);
      EXPECT_EQ(TypeParam::Address(pte, level), address);
    }
  }
  EXPECT_NE(TypeParam::Kind(TypeParam::EncodeTable(highest), 1), EntryKind::kTable);
}

TYPED_TEST(EveryFormat, RefusesALeafWhereNoneMayStand) {
  for (int level = 1; level <= TypeParam::kLevels; ++level) {
    if (TypeParam::IsLeafLevel(level)) continue;
    EXPECT_EQ(TypeParam::EncodeLeaf(PhysAddr(1), kReadUser, level).error,
              EncodeError::kNoLeafAtLevel);
  }
}

TYPED_TEST(EveryFormat, RefusesUnalignedAndTooWideAddresses) {
  using G = Geometry<TypeParam>;
  this->ForEachLeafLevel([&](int level) {
    const PhysAddr half(G::EntrySpan(level) / 2);
    EXPECT_EQ(TypeParam::EncodeLeaf(half, kReadUser, level).error, EncodeError::kUnalignedAddress);
    EXPECT_EQ(TypeParam::EncodeLeaf(PhysAddr(1), kReadUser, level).error,
              EncodeError::kUnalignedAddress);
    for (const uint64_t wide : {uint64_t{1} << TypeParam::kPhysicalBits, uint64_t{1} << 63}) {
      EXPECT_EQ(TypeParam::EncodeLeaf(PhysAddr(wide), kReadUser, level).error,
                EncodeError::kAddressTooWide);
    }
  });
}

TYPED_TEST(EveryFormat, RefusesValuesOutsideTheEnumerations) {
  PageProperty flags = kReadUser;
  flags.flags = static_cast<PageFlags>(static_cast<uint8_t>(flags.flags) | 0x80);
  EXPECT_EQ(TypeParam::EncodeLeaf(PhysAddr(0), flags, 1).error, EncodeError::kUnsupportedFlags);
  PageProperty cache = kReadUser;
  cache.cache = static_cast<CachePolicy>(kCachePolicyCount);
  EXPECT_EQ(TypeParam::EncodeLeaf(PhysAddr(0), cache, 1).error, EncodeError::kUnsupportedCache);
  EXPECT_EQ(TypeParam::WithProperty(this->Leaf(kReadUser, 1), cache, 1).error,
            EncodeError::kUnsupportedCache);
}

TYPED_TEST(EveryFormat, AFilledAbsentEntryNeedsAFlushOnlyIfAbsenceMayBeCached) {
  this->ForEachLeafLevel([&](int level) {
    const Pte leaf = this->Leaf(kReadWriteUser, level);
    EXPECT_TRUE(TypeParam::IsSafeLiveChange(kAbsentPte, leaf, level));
    EXPECT_EQ(TypeParam::FlushFor(kAbsentPte, kAbsentPte, level), FlushNeed::kNone);
    if (!TypeParam::kAbsentMayBeCached) {
      EXPECT_EQ(TypeParam::FlushFor(kAbsentPte, leaf, level), FlushNeed::kNone);
    } else {
      EXPECT_NE(TypeParam::FlushFor(kAbsentPte, leaf, level), FlushNeed::kNone);
    }
  });
}

TYPED_TEST(EveryFormat, RemovingOrMovingALeafNeedsAFlush) {
  using G = Geometry<TypeParam>;
  this->ForEachLeafLevel([&](int level) {
    const Pte leaf = this->Leaf(PhysAddr(0), kReadWriteUser, level);
    const Pte moved = this->Leaf(PhysAddr(G::EntrySpan(level)), kReadWriteUser, level);
    EXPECT_EQ(TypeParam::FlushFor(leaf, kAbsentPte, level), FlushNeed::kRequired);
    EXPECT_EQ(TypeParam::FlushFor(leaf, moved, level), FlushNeed::kRequired);
    EXPECT_TRUE(TypeParam::IsSafeLiveChange(leaf, kAbsentPte, level));
  });
}

TYPED_TEST(EveryFormat, ChangingThePageSizeNeedsAFlushAndAMergeNeedsABreakToo) {
  this->ForEachLeafLevel([&](int level) {
    if (level == 1) return;
    const Pte leaf = this->Leaf(kReadWriteUser, level);
    const Pte table = TypeParam::EncodeTable(PhysAddr(0x5000));
    EXPECT_EQ(TypeParam::FlushFor(leaf, table, level), FlushNeed::kRequired);
    EXPECT_EQ(TypeParam::FlushFor(table, leaf, level), FlushNeed::kRequired);
    EXPECT_FALSE(TypeParam::IsSafeLiveChange(table, leaf, level));
  });
}

TYPED_TEST(EveryFormat, TablesAreRemovedAndReplacedWithAFlush) {
  const Pte table = TypeParam::EncodeTable(PhysAddr(0x5000));
  for (int level = 2; level <= TypeParam::kLevels; ++level) {
    EXPECT_EQ(TypeParam::FlushFor(kAbsentPte, table, level), FlushNeed::kNone);
    EXPECT_EQ(TypeParam::FlushFor(table, table, level), FlushNeed::kNone);
    EXPECT_EQ(TypeParam::FlushFor(table, kAbsentPte, level), FlushNeed::kRequired);
    EXPECT_EQ(TypeParam::FlushFor(table, TypeParam::EncodeTable(PhysAddr(0x6000)), level),
              FlushNeed::kRequired);
    EXPECT_TRUE(TypeParam::IsSafeLiveChange(kAbsentPte, table, level));
    EXPECT_TRUE(TypeParam::IsSafeLiveChange(table, kAbsentPte, level));
  }
}

// A TLB that kept the old entry must never allow what the new one forbids, nor hide that accessed
// or dirty has to be set again, unless a flush is required.
TYPED_TEST(EveryFormat, NoChangeOfFlagsThatTakesSomethingAwayGoesWithoutAFlush) {
  this->ForEachLeafLevel([&](int level) {
    for (int from = 0; from <= static_cast<int>(kAllPageFlags); ++from) {
      for (int to = 0; to <= static_cast<int>(kAllPageFlags); ++to) {
        const PageProperty before{static_cast<PageFlags>(from)};
        const PageProperty after{static_cast<PageFlags>(to)};
        if (!TypeParam::EncodeLeaf(PhysAddr(0), before, level).ok()) continue;
        if (!TypeParam::EncodeLeaf(PhysAddr(0), after, level).ok()) continue;
        const Pte old_pte = this->Leaf(before, level);
        const Pte new_pte = this->Leaf(after, level);
        const FlushNeed need = TypeParam::FlushFor(old_pte, new_pte, level);
        const PageFlags changed = (before.flags & ~after.flags) | (after.flags & ~before.flags);
        if ((before.flags & ~after.flags) != PageFlags::kNone) {
          ASSERT_EQ(need, FlushNeed::kRequired) << Describe(before).c_str();
        }
        if (HasAny(changed, PageFlags::kRead | PageFlags::kWrite | PageFlags::kExecute |
                                PageFlags::kUser | PageFlags::kGlobal)) {
          ASSERT_NE(need, FlushNeed::kNone) << Describe(before).c_str();
        }
        ASSERT_TRUE(TypeParam::IsSafeLiveChange(old_pte, new_pte, level));
      }
    }
  });
}

TYPED_TEST(EveryFormat, WhatHardwareOrSoftwareMarksNeedsNoFlush) {
  this->ForEachLeafLevel([&](int level) {
    const Pte leaf = this->Leaf(kReadWriteUser, level);
    EXPECT_EQ(TypeParam::FlushFor(leaf, leaf, level), FlushNeed::kNone);
    EXPECT_EQ(TypeParam::FlushFor(leaf, TypeParam::WithAccessedDirty(leaf, level), level),
              FlushNeed::kNone);
    PageProperty marked = kReadWriteUser;
    marked.software = 5;
    EXPECT_EQ(TypeParam::FlushFor(leaf, this->Leaf(marked, level), level), FlushNeed::kNone);
    EXPECT_EQ(TypeParam::FlushFor(this->Leaf(marked, level), leaf, level), FlushNeed::kNone);
  });
}

TYPED_TEST(EveryFormat, AnotherCachePolicyNeedsAFlush) {
  this->ForEachLeafLevel([&](int level) {
    for (int from = 0; from < kCachePolicyCount; ++from) {
      for (int to = 0; to < kCachePolicyCount; ++to) {
        PageProperty before = kReadWriteUser;
        PageProperty after = kReadWriteUser;
        before.cache = static_cast<CachePolicy>(from);
        after.cache = static_cast<CachePolicy>(to);
        EXPECT_EQ(TypeParam::FlushFor(this->Leaf(before, level), this->Leaf(after, level), level),
                  from == to ? FlushNeed::kNone : FlushNeed::kRequired);
      }
    }
  });
}

}  // namespace
}  // namespace paddock

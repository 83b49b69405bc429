// SPDX-License-Identifier: Apache-2.0
//
// The contract of a page-table configuration (core/page_table/config.h) as a test suite, for ours
// and for a user's own. Give samples of its items (config_samples.h), one type per kind of item:
//
//   #include "paddock/tests/support/config_conformance.h"
//   INSTANTIATE_TYPED_TEST_SUITE_P(Device, ConfigConformance, testing::Types<DeviceSamples>);
//
// The first half of the suite converts items without a table; the second maps them. Each test ends
// with every frame come home. Cost: about two seconds per kind of item in an optimised build;
// memory for one item of the largest size is reserved, and touched only where slots describe it.

#ifndef PADDOCK_TESTS_SUPPORT_CONFIG_CONFORMANCE_H_
#define PADDOCK_TESTS_SUPPORT_CONFIG_CONFORMANCE_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/range_check.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/tests/support/config_checks.h"
#include "paddock/tests/support/config_samples.h"
#include "paddock/tests/support/status_checks.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {

template <ConfigSamples S>
class ConfigConformance : public TableTest<typename S::Config> {
 public:
  using C = typename S::Config;
  using F = typename C::Format;
  using Geo = Geometry<F>;
  using Item = typename C::Item;
  using Checks = ConfigChecks<S>;

  ConfigConformance() : TableTest<C>(WorldOptions()) {}

 protected:
  static TableWorld::Options WorldOptions() {
    TableWorld::Options options;
    options.memory_bytes = Geo::EntrySpan(HighestLeafLevel()) + (uint64_t{32} << 20);
    options.frames.max_references = 4;
    return options;
  }

  static constexpr bool IsMappableLevel(int level) {
    return F::IsLeafLevel(level) && (level < Geo::kLevels || C::kTopLevelRemovable);
  }
  static constexpr int HighestLeafLevel() {
    int level = Geo::kLevels;
    while (!F::IsLeafLevel(level)) --level;
    return level;
  }
  template <typename Check>
  void ForEachLeafLevel(Check check) {
    for (int level = 1; level <= Geo::kLevels; ++level) {
      SCOPED_TRACE(testing::Message() << "level " << level);
      if (F::IsLeafLevel(level)) {
        EXPECT_TRUE(IsOk(check(level)));
      }
    }
  }

  // The first and the last page that cursors may lock, from the root entries alone unless the
  // configuration says that cursors end earlier.
  static VirtAddr FirstPage() {
    return Geo::ToVirt(C::kTopLevelFirst * Geo::EntrySpan(Geo::kLevels));
  }
  static VirtAddr LastPage() {
    if constexpr (requires { C::kLockedEndBound; }) {
      return Geo::ToVirt(C::kLockedEndBound - kPageSize);
    } else {
      return Geo::ToVirt((C::kTopLevelLast + 1) * Geo::EntrySpan(Geo::kLevels) - kPageSize);
    }
  }
  static VirtRange PageAt(VirtAddr va) { return {va, va.Plus(kPageSize)}; }
  // The place of an item of `level` at the bottom of the table.
  static VirtRange Bottom(int level) {
    return {FirstPage(), FirstPage().Plus(Geo::EntrySpan(level))};
  }

  Item New(int level) {
    std::optional<Item> item = S::Make(this->frames(), level, kSampleProperty<S>);
    PADDOCK_CHECK(item.has_value(), "there is no sample of this level");
    return *std::move(item);
  }
  // Maps a new item at the start of `range`; returns what the entry holds.
  RawItem MapNew(VirtRange range, int level) {
    Item item = New(level);
    const RawItem raw = this->table().config().RawOf(item);
    CursorMut<C> cursor = this->Open(range);
    Must(cursor.Map(std::move(item)));
    return raw;
  }

  // What a cursor over `range` finds: each item, taken as one of its own, is what the entry holds.
  AbstractTable ItemsIn(VirtRange range) {
    AbstractTable items;
    Cursor<C> cursor = Must(this->table().OpenCursor(this->pin(), range));
    while (Must(cursor.FindNext(cursor.remaining()))) {
      const QueryResult slot = Must(cursor.Query());
      const auto counted = Must(cursor.QueryItem());
      const RawItem raw = this->table().config().RawOf(*counted.item);
      EXPECT_EQ(raw, *slot.item) << DescribeRaw(raw);
      EXPECT_EQ(this->table().config().IsTracked(raw), Checks::kTracked);
      items.Map(slot.range, raw.frame, raw.property);
      Must(cursor.Jump(slot.range.end));
    }
    return items;
  }
};

TYPED_TEST_SUITE_P(ConfigConformance);

TYPED_TEST_P(ConfigConformance, TheManagedAddressesAreOneCanonicalStretch) {
  using C = typename TypeParam::Config;
  using Geo = Geometry<typename C::Format>;
  static_assert(C::kTopLevelFirst <= C::kTopLevelLast);
  static_assert(C::kTopLevelLast < Geo::kSpan / Geo::EntrySpan(Geo::kLevels));
  const VirtAddr first = this->FirstPage();
  const VirtAddr last = this->LastPage();
  EXPECT_TRUE(Geo::IsCanonical(first));
  EXPECT_TRUE(Geo::IsCanonical(last));
  EXPECT_EQ(first.value() & ~(Geo::kSpan - 1), LeadingBits<C>());
  EXPECT_EQ(last.value() & ~(Geo::kSpan - 1), LeadingBits<C>());
  EXPECT_LE(last.value() - first.value() + kPageSize,
            (C::kTopLevelLast - C::kTopLevelFirst + 1) * Geo::EntrySpan(Geo::kLevels));
}

TYPED_TEST_P(ConfigConformance, TheFirstAndTheLastPageMapAndReadBack) {
  for (const VirtAddr va : {this->FirstPage(), this->LastPage()}) {
    const RawItem raw = this->MapNew(this->PageAt(va), 1);
    const std::optional<MappedPage> seen = this->Hardware(va);
    ASSERT_TRUE(seen) << std::hex << va.value();
    EXPECT_EQ(*seen, (MappedPage{raw.frame, 1, raw.property}));
    EXPECT_EQ(this->ItemsIn(this->PageAt(va)).mapped_pages(), 1u);
  }
  EXPECT_EQ(this->View().mapped_pages(), 2u);
}

TYPED_TEST_P(ConfigConformance, ThePagesBesideTheTableAreRefused) {
  const auto refuses = [&](VirtAddr va) {
    return Refused(this->table().OpenCursor(this->pin(), this->PageAt(va)),
                   absl::StatusCode::kOutOfRange);
  };
  if (const VirtAddr first = this->FirstPage(); first.value() != 0) {
    EXPECT_TRUE(refuses(VirtAddr(first.value() - kPageSize)));
  }
  // Nothing stands above the very top.
  if (const auto above = this->LastPage().CheckedAdd(kPageSize)) {
    EXPECT_TRUE(refuses(*above));
  }
}

TYPED_TEST_P(ConfigConformance, TheRawFormIsOneThatALeafHolds) {
  typename TestFixture::Checks checks(this->frames());
  this->ForEachLeafLevel([&](int level) { return checks.RawForm(level); });
}

TYPED_TEST_P(ConfigConformance, ItemsBecomeRawAndBackExactly) {
  typename TestFixture::Checks checks(this->frames());
  this->ForEachLeafLevel([&](int level) { return checks.RoundTrip(level); });
}

TYPED_TEST_P(ConfigConformance, ItemsComeBackWithEveryPropertyThatTheFormatHolds) {
  typename TestFixture::Checks checks(this->frames());
  this->ForEachLeafLevel([&](int level) { return checks.EveryProperty(level); });
}

TYPED_TEST_P(ConfigConformance, NoPropertyOfANewItemChangesItsTrackedness) {
  EXPECT_TRUE(IsOk(typename TestFixture::Checks(this->frames()).EverySample()));
}

TYPED_TEST_P(ConfigConformance, PiecesOfASplitItemAreItems) {
  typename TestFixture::Checks checks(this->frames());
  this->ForEachLeafLevel(
      [&](int level) { return level == 1 ? absl::OkStatus() : checks.Pieces(level); });
}

TYPED_TEST_P(ConfigConformance, ACloneCountsItsOwnFramesOnceAndNothingElse) {
  typename TestFixture::Checks checks(this->frames());
  this->ForEachLeafLevel([&](int level) { return checks.Clone(level); });
}

TYPED_TEST_P(ConfigConformance, ASaturatedCountIsAnErrorThatChangesNothing) {
  typename TestFixture::Checks checks(this->frames());
  this->ForEachLeafLevel([&](int level) { return checks.Saturation(level); });
}

TYPED_TEST_P(ConfigConformance, FramesOfAnotherMachineAreNotMapped) {
  TableWorld other;
  CpuPin other_pin = other.Pin(0);
  typename TestFixture::Checks checks(this->frames());
  EXPECT_TRUE(IsOk(checks.Foreign(other.frames())));
  if constexpr (TypeParam::kTracking == Tracking::kTracked) {
    auto item = TypeParam::Make(other.frames(), 1, kSampleProperty<TypeParam>);
    auto cursor = this->Open(this->Bottom(1));
    EXPECT_TRUE(Refused(cursor.Map(*std::move(item)), absl::StatusCode::kInvalidArgument,
                        {"another machine"}));
  }
  other.ExpectNothingLeft(other_pin);
}

TYPED_TEST_P(ConfigConformance, MappedItemsAreFoundAsTheyWereGiven) {
  for (int level = 1; level <= TestFixture::Geo::kLevels; ++level) {
    if (!this->IsMappableLevel(level)) continue;
    SCOPED_TRACE(testing::Message() << "level " << level);
    const VirtRange range = this->Bottom(level);
    const RawItem raw = this->MapNew(range, level);
    AbstractTable expected;
    expected.Map(range, raw.frame, raw.property);
    EXPECT_TRUE(SameView(expected, this->ItemsIn(range)));
    EXPECT_TRUE(SameView(expected, this->View()));
    EXPECT_TRUE(IsOk(this->Open(range).Unmap(range.size())));
    this->world().Settle(this->pin());
  }
}

TYPED_TEST_P(ConfigConformance, PartsOfAMappedItemAreUnmappedAndProtected) {
  constexpr auto kWithoutWrite = [](PageProperty property) {
    property.flags = property.flags & ~PageFlags::kWrite;
    return property;
  };
  for (int level = 2; level <= TestFixture::Geo::kLevels; ++level) {
    if (!this->IsMappableLevel(level)) continue;
    SCOPED_TRACE(testing::Message() << "level " << level);
    const VirtRange range = this->Bottom(level);
    const VirtRange first = this->PageAt(range.start);
    const VirtRange last = this->PageAt(VirtAddr(range.last().value() - (kPageSize - 1)));
    const RawItem raw = this->MapNew(range, level);
    {
      auto cursor = this->Open(range);
      EXPECT_EQ(Must(cursor.Unmap(kPageSize)).pages, 1u);
      Must(cursor.Jump(last.start));
      EXPECT_EQ(Must(cursor.Protect(kPageSize, kWithoutWrite)), 1u);
    }
    AbstractTable expected;
    expected.Map(range, raw.frame, raw.property);
    expected.Unmap(first);
    expected.Protect(last, kWithoutWrite);
    EXPECT_TRUE(SameView(expected, this->ItemsIn(range)));
    EXPECT_TRUE(SameView(expected, this->View()));
    EXPECT_TRUE(IsOk(this->Open(range).Unmap(range.size())));
    this->world().Settle(this->pin());
  }
}

TYPED_TEST_P(ConfigConformance, SoftwareBitsAreTheUsersUnlessReserved) {
  using C = typename TypeParam::Config;
  const VirtRange page = this->PageAt(this->FirstPage());
  RawItem expected = this->MapNew(page, 1);
  auto cursor = this->Open(page);
  for (int bit = 1; bit < 256; bit <<= 1) {
    const auto flip = [bit](PageProperty property) {
      property.software = static_cast<uint8_t>(property.software ^ bit);
      return property;
    };
    const PageProperty flipped = flip(expected.property);
    const bool encodable = TestFixture::F::EncodeLeaf(expected.frame, flipped, 1).ok();
    Must(cursor.Jump(page.start));
    const auto changed = cursor.Protect(kPageSize, flip);
    if (encodable && (bit & kReservedSoftwareOf<C>) == 0) {
      EXPECT_TRUE(IsOk(changed)) << "software bit " << bit;
      expected.property = flipped;
    } else {
      EXPECT_TRUE(Refused(changed, absl::StatusCode::kInvalidArgument)) << "software bit " << bit;
    }
    Must(cursor.Jump(page.start));
    EXPECT_EQ(this->table().config().RawOf(*Must(cursor.QueryItem()).item), expected);
  }
}

TYPED_TEST_P(ConfigConformance, ATakenItemIsTheOneThatWasMapped) {
  const VirtRange page = this->PageAt(this->FirstPage());
  const RawItem raw = this->MapNew(page, 1);
  auto taken = Must(this->Open(page).TakeNext(kPageSize));
  ASSERT_TRUE(taken && taken->item);
  EXPECT_EQ(this->table().config().RawOf(*taken->item), raw);
  this->world().Settle(this->pin());
  // It can be mapped again: it is an item like any other.
  EXPECT_TRUE(IsOk(this->Open(page).Map(*std::move(taken->item))));
  EXPECT_EQ(this->ItemsIn(page).mapped_pages(), 1u);
}

TYPED_TEST_P(ConfigConformance, ASaturatedItemIsNeitherCountedNorTaken) {
  const VirtRange page = this->PageAt(this->FirstPage());
  this->MapNew(page, 1);
  auto cursor = this->Open(page);
  std::vector<typename TestFixture::Item> items;
  for (uint32_t count = 1; count < this->frames().max_references(); ++count) {
    items.push_back(*Must(cursor.QueryItem()).item);
  }
  const AbstractTable before = this->View();
  const auto counted = cursor.QueryItem();
  const auto taken = cursor.TakeNext(kPageSize);
  if constexpr (TypeParam::kTracking == Tracking::kTracked) {
    EXPECT_TRUE(Refused(counted, absl::StatusCode::kResourceExhausted));
    EXPECT_TRUE(Refused(taken, absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(cursor.virt_addr(), page.start);
    EXPECT_TRUE(SameView(before, this->View()));
  } else {
    EXPECT_TRUE(IsOk(counted));
    EXPECT_TRUE(IsOk(taken));
  }
}

TYPED_TEST_P(ConfigConformance, ATableThatGoesLetsItsItemsGo) {
  int highest = TestFixture::Geo::kLevels;
  while (!this->IsMappableLevel(highest)) --highest;
  this->MapNew(this->Bottom(highest), highest);
  this->MapNew(this->PageAt(this->LastPage()), 1);
  this->owned_table().reset();
  EXPECT_EQ(this->UsedFrames(), 0u);
}

TYPED_TEST_P(ConfigConformance, TablesBelowTheRootGoOnlyIfTheyMay) {
  using C = typename TypeParam::Config;
  using Geo = typename TestFixture::Geo;
  if constexpr (Geo::kLevels > 1) {
    const VirtRange entry = this->Bottom(Geo::kLevels);
    const uint64_t before = this->UsedFrames();
    this->MapNew(this->PageAt(entry.start), 1);
    EXPECT_TRUE(IsOk(this->Open(entry).Unmap(entry.size())));
    EXPECT_EQ(this->NodeOf(entry.start, Geo::kLevels - 1).has_value(), !C::kTopLevelRemovable);
    EXPECT_EQ(this->UsedFrames(), before + (C::kTopLevelRemovable ? 0 : 1));
  } else {
    EXPECT_TRUE(C::kTopLevelRemovable) << "a table of one level has nothing to share";
  }
}

REGISTER_TYPED_TEST_SUITE_P(ConfigConformance, TheManagedAddressesAreOneCanonicalStretch,
                            TheFirstAndTheLastPageMapAndReadBack, ThePagesBesideTheTableAreRefused,
                            TheRawFormIsOneThatALeafHolds, ItemsBecomeRawAndBackExactly,
                            ItemsComeBackWithEveryPropertyThatTheFormatHolds,
                            NoPropertyOfANewItemChangesItsTrackedness, PiecesOfASplitItemAreItems,
                            ACloneCountsItsOwnFramesOnceAndNothingElse,
                            ASaturatedCountIsAnErrorThatChangesNothing,
                            FramesOfAnotherMachineAreNotMapped, MappedItemsAreFoundAsTheyWereGiven,
                            PartsOfAMappedItemAreUnmappedAndProtected,
                            SoftwareBitsAreTheUsersUnlessReserved, ATakenItemIsTheOneThatWasMapped,
                            ASaturatedItemIsNeitherCountedNorTaken, ATableThatGoesLetsItsItemsGo,
                            TablesBelowTheRootGoOnlyIfTheyMay);

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_CONFIG_CONFORMANCE_H_

// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/spec/contracts.h"

#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/core/spec/property_edit.h"

namespace paddock {
namespace {

using testing::HasSubstr;

VirtRange Pages(uint64_t first, uint64_t pages) {
  return {VirtAddr(first * kPageSize), VirtAddr((first + pages) * kPageSize)};
}
VirtAddr Page(uint64_t number) { return VirtAddr(number * kPageSize); }
PhysAddr Frame(uint64_t number) { return PhysAddr(number * kPageSize); }

// Pages 0..7 at frames 100..107, and page 16 at frame 200.
AbstractTable Before() {
  AbstractTable view;
  view.Map(Pages(0, 8), Frame(100), kReadWriteUser);
  view.Map(Pages(16, 1), Frame(200), kReadUser);
  return view;
}

void ExpectBroken(const absl::Status& status, const std::string& part) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

TEST(CheckUnchangedContract, NamesTheAddressThatChanged) {
  EXPECT_TRUE(CheckUnchanged(Before(), Before()).ok());
  ExpectBroken(CheckUnchanged(Before(), AfterUnmap(Before(), Pages(16, 1))), "0x10000: expected");
}

TEST(CheckMapContract, AcceptsTheMappingAndNothingElse) {
  const AbstractTable right = AfterMap(Before(), Pages(6, 4), Frame(50), kReadUser);
  const auto check = [&](const AbstractTable& after) {
    return CheckMap(Before(), after, Pages(6, 4), Frame(50), kReadUser);
  };
  EXPECT_TRUE(check(right).ok());
  ExpectBroken(check(Before()), "0x6000: expected frame 0x32000");
  ExpectBroken(check(AfterUnmap(right, Pages(5, 1))), "0x5000");
  ExpectBroken(check(AfterMap(right, Pages(9, 1), Frame(50), kReadUser)), "0x9000");
  ExpectBroken(check(AfterMap(right, Pages(10, 1), Frame(1), kReadUser)), "0xa000: expected none");
  ExpectBroken(check(AfterProtect(right, Pages(8, 1), PropertyEdit{.set = PageFlags::kWrite})),
               "0x8000");
}

TEST(CheckMapContract, HardwareMayHaveSetBitsMeanwhile) {
  const AbstractTable after = AfterProtect(AfterMap(Before(), Pages(6, 4), Frame(50), kReadUser),
                                           Pages(0, 20), PropertyEdit{.set = PageFlags::kDirty});
  EXPECT_TRUE(CheckMap(Before(), after, Pages(6, 4), Frame(50), kReadUser).ok());
  EXPECT_FALSE(
      CheckMap(Before(), after, Pages(6, 4), Frame(50), kReadUser, HardwareBits::kExact).ok());
}

TEST(CheckUnmapContract, NothingRemainsInsideAndAllSurvivesOutside) {
  const AbstractTable right = AfterUnmap(Before(), Pages(2, 10));
  const auto check = [&](const AbstractTable& after, uint64_t removed) {
    return CheckUnmap(Before(), after, Pages(2, 10), removed);
  };
  EXPECT_TRUE(check(right, 6).ok());
  ExpectBroken(check(right, 10), "6 pages were mapped, returned 10");
  ExpectBroken(check(Before(), 6), "0x2000: expected none");
  ExpectBroken(check(AfterUnmap(right, Pages(1, 1)), 6), "0x1000: expected frame 0x65000");
  // The piece of a straddling mapping with the wrong physical offset.
  ExpectBroken(check(AfterMap(right, Pages(0, 2), Frame(102), kReadWriteUser), 6), "0x0: expected");
}

TEST(CheckUnmapContract, ALostDirtyBitOutsideIsFound) {
  const AbstractTable before =
      AfterProtect(Before(), Pages(0, 8), PropertyEdit{.set = PageFlags::kDirty});
  EXPECT_TRUE(CheckUnmap(before, AfterUnmap(before, Pages(2, 1)), Pages(2, 1), 1).ok());
  ExpectBroken(CheckUnmap(before, AfterUnmap(Before(), Pages(2, 1)), Pages(2, 1), 1), "0x0:");
}

TEST(CheckProtectContract, PropertiesChangeAndFramesStay) {
  const PropertyEdit edit{.clear = PageFlags::kWrite};
  const AbstractTable right = AfterProtect(Before(), Pages(2, 2), edit);
  EXPECT_TRUE(CheckProtect(Before(), right, Pages(2, 2), edit, 2).ok());
  ExpectBroken(CheckProtect(Before(), Before(), Pages(2, 2), edit, 2), "0x2000");
  ExpectBroken(CheckProtect(Before(), AfterProtect(right, Pages(4, 1), edit), Pages(2, 2), edit, 2),
               "0x4000");
  ExpectBroken(CheckProtect(Before(), AfterMap(right, Pages(3, 1), Frame(7), kReadUser),
                            Pages(2, 2), edit, 2),
               "0x3000");
  ExpectBroken(CheckProtect(Before(), right, Pages(2, 2), edit, 3), "returned 3");
}

TEST(CheckQueryContract, TheWholeSlotIsJudgedInsideTheLockedRange) {
  const VirtRange locked = Pages(0, 12);
  const auto check = [&](uint64_t at, VirtRange slot, std::optional<QueriedItem> item) {
    return CheckQuery(Before(), locked, Page(at), slot, item);
  };
  EXPECT_TRUE(check(3, Pages(3, 1), QueriedItem{Frame(103), kReadWriteUser}).ok());
  EXPECT_TRUE(check(3, Pages(0, 8), QueriedItem{Frame(100), kReadWriteUser}).ok());
  EXPECT_TRUE(check(9, Pages(8, 512), std::nullopt).ok()) << "page 16 is not locked";
  ExpectBroken(check(3, Pages(0, 8), QueriedItem{Frame(103), kReadWriteUser}), "0x0: expected");
  ExpectBroken(check(3, Pages(3, 1), QueriedItem{Frame(103), kReadUser}), "0x3000");
  ExpectBroken(check(3, Pages(3, 1), std::nullopt), "found none");
  ExpectBroken(check(9, Pages(7, 4), std::nullopt), "0x7000");
  ExpectBroken(check(9, Pages(9, 1), QueriedItem{Frame(1), kReadUser}), "expected none");
  ExpectBroken(check(3, Pages(4, 1), std::nullopt), "not in the returned slot");
  ExpectBroken(check(16, Pages(16, 1), QueriedItem{Frame(200), kReadUser}), "outside the cursor");
}

TEST(CheckFindNextContract, OnlyTheFirstMappedAddressIsRight) {
  EXPECT_TRUE(CheckFindNext(Before(), Pages(5, 10), Page(5)).ok());
  EXPECT_TRUE(CheckFindNext(Before(), Pages(8, 20), Page(16)).ok());
  EXPECT_TRUE(CheckFindNext(Before(), Pages(8, 8), std::nullopt).ok());
  ExpectBroken(CheckFindNext(Before(), Pages(8, 20), std::nullopt),
               "first mapped address is 0x10000");
  ExpectBroken(CheckFindNext(Before(), Pages(0, 20), Page(16)), "first mapped address is 0x0");
  ExpectBroken(CheckFindNext(Before(), Pages(8, 8), Page(16)), "address is none");
}

TEST(CheckTakeNextContract, TakesTheFirstItemOrSubtreeAndNoMore) {
  const auto check = [&](const AbstractTable& after, VirtRange searched,
                         std::optional<VirtRange> taken, uint64_t pages) {
    return CheckTakeNext(Before(), after, searched, taken, pages);
  };
  EXPECT_TRUE(check(AfterUnmap(Before(), Pages(0, 1)), Pages(0, 20), Pages(0, 1), 1).ok());
  EXPECT_TRUE(check(AfterUnmap(Before(), Pages(0, 16)), Pages(0, 20), Pages(0, 16), 8).ok());
  EXPECT_TRUE(check(Before(), Pages(8, 8), std::nullopt, 0).ok());
  ExpectBroken(check(AfterUnmap(Before(), Pages(0, 1)), Pages(0, 20), Pages(0, 1), 2),
               "1 pages were mapped, returned 2");
  ExpectBroken(check(AfterUnmap(Before(), Pages(16, 1)), Pages(0, 20), Pages(16, 1), 1),
               "first mapped address is 0x0");
  ExpectBroken(check(Before(), Pages(0, 20), std::nullopt, 0), "returned none");
  ExpectBroken(check(AfterUnmap(Before(), Pages(0, 2)), Pages(0, 20), Pages(0, 1), 1), "0x1000");
  ExpectBroken(check(AfterUnmap(Before(), Pages(0, 1)), Pages(8, 8), std::nullopt, 0), "0x0");
  ExpectBroken(check(AfterUnmap(Before(), Pages(0, 8)), Pages(4, 4), Pages(0, 8), 8), "returned [");
}

TEST(CheckProtectNextContract, ChangesTheFirstMappingOnly) {
  const PropertyEdit edit{.clear = PageFlags::kWrite};
  const auto check = [&](const AbstractTable& after, VirtRange searched,
                         std::optional<VirtRange> changed) {
    return CheckProtectNext(Before(), after, searched, changed, edit);
  };
  EXPECT_TRUE(check(AfterProtect(Before(), Pages(4, 1), edit), Pages(4, 8), Pages(4, 1)).ok());
  EXPECT_TRUE(check(Before(), Pages(8, 8), std::nullopt).ok());
  ExpectBroken(check(Before(), Pages(4, 8), Pages(4, 1)), "0x4000");
  ExpectBroken(check(AfterProtect(Before(), Pages(4, 2), edit), Pages(4, 8), Pages(4, 1)),
               "0x5000");
  ExpectBroken(check(AfterProtect(Before(), Pages(4, 4), edit), Pages(4, 8), Pages(4, 8)),
               "not wholly mapped");
  ExpectBroken(check(AfterProtect(Before(), Pages(5, 1), edit), Pages(4, 8), Pages(5, 1)),
               "first mapped address is 0x4000");
}

}  // namespace
}  // namespace paddock

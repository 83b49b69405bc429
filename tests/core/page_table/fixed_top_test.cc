// SPDX-License-Identifier: Apache-2.0
//
// Tables whose top-level entries are shared with others: what hangs from the root is emptied, never
// cut.

#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

using FixedTop = TableTest<BareConfig<tiny::Format<3, 1>, 0, 1, /*Removable=*/false>>;

constexpr uint64_t kPages = 8;

TEST_F(FixedTop, UnmappingEverythingEndsAndLeavesTheTopTables) {
  MapRun(Pages(0, kPages), 16);
  for (const VirtRange range : {Pages(0, kPages), Pages(0, kPages / 2), Pages(0, kPages)}) {
    EXPECT_TRUE(IsOk(Open(range).Unmap(range.size())));
  }
  EXPECT_TRUE(View().empty());
  EXPECT_EQ(UsedFrames(), 3u);
}

TEST_F(FixedTop, TakeNextTakesWhatHangsBelowTheTopTables) {
  MapRun(Pages(0, kPages), 16);
  CursorMut<Config> cursor = Open(Pages(0, kPages));
  for (uint64_t page = 0; page < kPages; page += 2) {
    const auto taken = Must(cursor.TakeNext(cursor.remaining()));
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->range, Pages(page, 2));
  }
  EXPECT_FALSE(Must(cursor.TakeNext(0)));
  EXPECT_TRUE(View().empty());
}

TEST_F(FixedTop, AHugePageOfTheTopLevelReplacesNoTable) {
  MapRun(Pages(0, 1), 16);
  CursorMut<Config> cursor = Open(Pages(0, kPages));
  EXPECT_TRUE(
      Refused(cursor.Map(RawItem{PhysAddr(0), 3, kReadUser}), absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(View().mapped_pages(), 1u);
}

}  // namespace
}  // namespace paddock

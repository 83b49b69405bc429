// SPDX-License-Identifier: Apache-2.0
//
// "Mapping": a failed frame allocation at every possible point leaves the table and the books
// unchanged.

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/failing_allocator.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

template <typename F>
class AllocationFailure : protected HasFailingAllocator, public TableTest<BareConfig<F>> {
 protected:
  using Base = TableTest<BareConfig<F>>;
  using Geo = Geometry<F>;

  AllocationFailure() : Base(HasFailingAllocator::Failing(TableWorld::Options())) {}

  // Tries `operation(arm)`, which returns a status, with no allocation succeeding after it called
  // arm(), then with one, and so on. Each failure must leave the meaning of the table, the frames
  // in use and all claims as they were. Returns how many allocations it took.
  template <typename Operation>
  int SucceedsAfter(Operation operation) {
    for (int allowed = 0; allowed < 64; ++allowed) {
      const AbstractTable before = this->View();
      const uint64_t frames = this->UsedFrames();
      const absl::Status status = operation([&] { failing->FailFrom(allowed + 1); });
      failing->Heal();
      if (status.ok()) return allowed;
      EXPECT_TRUE(Refused(status, absl::StatusCode::kResourceExhausted));
      EXPECT_TRUE(SameView(before, this->View()));
      EXPECT_EQ(this->UsedFrames(), frames);
      ExpectNoClaims(this->frames());
      EXPECT_TRUE(this->env().open_cursors(this->pin()).empty());
    }
    ADD_FAILURE() << "never succeeded";
    return -1;
  }

  // An operation on a cursor over `range` that was opened before.
  template <typename Operation>
  int CursorSucceedsAfter(VirtRange range, Operation operation) {
    return SucceedsAfter([&](auto arm) -> absl::Status {
      auto cursor =
          Must(this->table().OpenCursorMut(this->pin(), range, {.intent = Intent::kNoMap}));
      const VirtAddr at = cursor.virt_addr();
      arm();
      const absl::Status status = operation(cursor);
      if (!status.ok()) {
        EXPECT_EQ(cursor.virt_addr(), at);
      }
      return status;
    });
  }
};

using Formats = testing::Types<tiny::Format<3, 1>, tiny::Format<4, 2, 2>, x86_64::Format4>;
TYPED_TEST_SUITE(AllocationFailure, Formats);

TYPED_TEST(AllocationFailure, OfAnyTableOnTheWayToARange) {
  EXPECT_EQ(this->SucceedsAfter([&](auto arm) {
    arm();
    return this->table().OpenCursorMut(this->pin(), this->Pages(0, 1)).status();
  }),
            TypeParam::kLevels - 1);
}

TYPED_TEST(AllocationFailure, OfAnyTableForAMapping) {
  EXPECT_EQ(this->CursorSucceedsAfter(
                this->Pages(0, 1),
                [&](auto& cursor) { return cursor.Map(RawItem{PhysAddr(0x3000), 1, kReadUser}); }),
            TypeParam::kLevels - 1);
}

TYPED_TEST(AllocationFailure, OfAnyTableForASplit) {
  using Geo = typename TestFixture::Geo;
  const uint64_t span = Geo::EntrySpan(3);
  const PhysAddr frame(16 * span);
  const auto read_only = [](PageProperty property) {
    property.flags &= ~PageFlags::kWrite;
    return property;
  };
  const VirtRange page = this->Pages(1, 1);
  for (int operation = 0; operation < 5; ++operation) {
    SCOPED_TRACE(operation);
    this->MapPage(VirtAddr(0), frame, 3);
    const int needed = this->CursorSucceedsAfter(page, [&](auto& cursor) -> absl::Status {
      switch (operation) {
        case 0:
          return cursor.Unmap(kPageSize).status();
        case 1:
          return cursor.TakeNext(kPageSize).status();
        case 2:
          return cursor.ProtectNext(kPageSize, read_only).status();
        case 3:
          return cursor.Protect(kPageSize, read_only).status();
        default:
          return cursor.Map(RawItem{PhysAddr(0x3000), 1, kReadUser});
      }
    });
    EXPECT_GE(needed, 2);
    EXPECT_TRUE(IsOk(this->Open(this->Bytes(0, span)).Unmap(span)));
  }
}

TYPED_TEST(AllocationFailure, OfAnyTableForASplitAtBothBorders) {
  using Geo = typename TestFixture::Geo;
  const uint64_t span = Geo::EntrySpan(3);
  for (const uint64_t at : {uint64_t{0}, span}) this->MapPage(VirtAddr(at), PhysAddr(16 * span), 3);
  const VirtRange range{VirtAddr(kPageSize), VirtAddr(2 * span - kPageSize)};
  EXPECT_EQ(this->CursorSucceedsAfter(
                range, [&](auto& cursor) { return cursor.Unmap(range.size()).status(); }),
            4);
  EXPECT_EQ(this->View().mapped_pages(), 2u);
}

TYPED_TEST(AllocationFailure, OfTheRootOfANewTable) {
  EXPECT_EQ(this->SucceedsAfter([&](auto arm) {
    arm();
    return PageTable<BareConfig<TypeParam>>::Create(this->env(), this->pin()).status();
  }),
            1);
}

TYPED_TEST(AllocationFailure, OfNothingForCursorsThatDoNotMap) {
  EXPECT_EQ(this->SucceedsAfter([&](auto arm) {
    arm();
    auto cursor =
        this->table().OpenCursorMut(this->pin(), this->Pages(0, 1), {.intent = Intent::kNoMap});
    if (!cursor.ok()) return cursor.status();
    return cursor->Unmap(kPageSize).status();
  }),
            0);
  EXPECT_EQ(this->SucceedsAfter([&](auto arm) {
    arm();
    auto cursor = this->table().OpenCursor(this->pin(), this->Pages(0, 1));
    return cursor.ok() ? cursor->FindNext(kPageSize).status() : cursor.status();
  }),
            0);
}

}  // namespace
}  // namespace paddock

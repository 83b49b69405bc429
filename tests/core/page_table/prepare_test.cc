// SPDX-License-Identifier: Apache-2.0
//
// Prepare: all of Map that can fail, done before; and an unmapping whose flush the caller keeps.

#include <cstdint>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/failing_allocator.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

template <typename F>
class PrepareTest : protected HasFailingAllocator, public TableTest<BareConfig<F>> {
 protected:
  PrepareTest() : TableTest<BareConfig<F>>(HasFailingAllocator::Failing(TableWorld::Options())) {}
};

using Formats = testing::Types<tiny::Format<3, 1>, tiny::Format<4, 2, 2>, x86_64::Format4>;
TYPED_TEST_SUITE(PrepareTest, Formats);

TYPED_TEST(PrepareTest, MapOfWhatWasPreparedNeedsNoFrame) {
  const uint64_t huge = this->PagesAt(2);
  const VirtRange range = this->Pages(0, 2 * huge);
  // A huge page where a huge page is, and a base page inside of another one, which is split.
  this->MapPage(range.start, PhysAddr(16 * huge * kPageSize), 2);
  this->MapPage(range.start.Plus(huge * kPageSize), PhysAddr(17 * huge * kPageSize), 2);
  const RawItem first{PhysAddr(32 * huge * kPageSize), 2, kReadUser};
  const RawItem second{PhysAddr(kPageSize), 1, kReadUser};
  const AbstractTable before = this->View();
  CursorMut<typename TestFixture::Config> cursor = this->Open(range);
  ASSERT_TRUE(IsOk(cursor.Prepare(first)));
  ASSERT_TRUE(IsOk(cursor.Prepare(second)));
  EXPECT_EQ(cursor.virt_addr(), range.start.Plus((huge + 1) * kPageSize)) << "moves past each";
  EXPECT_TRUE(SameView(before, this->View()));

  this->failing->FailFrom(1);
  ASSERT_TRUE(IsOk(cursor.Jump(range.start)));
  EXPECT_TRUE(IsOk(cursor.Map(RawItem(first))));
  EXPECT_TRUE(IsOk(cursor.Map(RawItem(second))));
  this->failing->Heal();
  EXPECT_EQ(this->Hardware(range.start)->frame, first.frame);
  EXPECT_EQ(this->Hardware(range.start.Plus(huge * kPageSize))->frame, second.frame);
}

TYPED_TEST(PrepareTest, RefusesWhatMapWouldRefuseAndStaysWhereItIs) {
  const VirtRange range = this->Pages(0, 2);
  CursorMut<typename TestFixture::Config> cursor = this->Open(range);
  EXPECT_TRUE(Refused(cursor.Prepare({PhysAddr(8), 1, kReadUser}), StatusCode::kInvalidArgument));
  EXPECT_TRUE(Refused(cursor.Prepare({PhysAddr(0), 0, kReadUser}), StatusCode::kInvalidArgument));
  PageProperty global = kReadUser;
  global.flags |= PageFlags::kGlobal;
  EXPECT_TRUE(Refused(cursor.Prepare({PhysAddr(0), 1, global}), StatusCode::kInvalidArgument));
  EXPECT_EQ(cursor.virt_addr(), range.start);
  ASSERT_TRUE(IsOk(cursor.Jump(range.end)));
  EXPECT_TRUE(Refused(cursor.Prepare({PhysAddr(0), 1, kReadUser}), StatusCode::kOutOfRange));
  EXPECT_TRUE(this->View().empty());
}

TYPED_TEST(PrepareTest, AFailedAllocationChangesNothing) {
  using Geo = typename TestFixture::Geo;
  const VirtRange range = this->Bytes(0, Geo::EntrySpan(3));
  CursorMut<typename TestFixture::Config> cursor = this->Open(range, {.intent = Intent::kNoMap});
  const uint64_t used = this->UsedFrames();
  for (int allowed = 0; allowed < 2; ++allowed) {
    this->failing->FailFrom(allowed + 1);
    EXPECT_TRUE(
        Refused(cursor.Prepare({PhysAddr(0), 1, kReadUser}), StatusCode::kResourceExhausted));
    this->failing->Heal();
    EXPECT_EQ(cursor.virt_addr(), range.start);
    EXPECT_EQ(this->UsedFrames(), used);
  }
  EXPECT_TRUE(IsOk(cursor.Prepare({PhysAddr(0), 1, kReadUser})));
}

TYPED_TEST(PrepareTest, TheFlushOfAnUnmappingCanBeLeftToTheCaller) {
  const VirtRange range = this->Pages(0, 2);
  this->MapRun(range, 16);
  const uint64_t before = this->world().tlb().stats().batches;
  PendingFlush flush;
  {
    CursorMut<typename TestFixture::Config> cursor = this->Open(range);
    EXPECT_EQ(Must(cursor.Unmap(2 * kPageSize, FlushDispatch::kByCaller)).pages, 2u);
    EXPECT_TRUE(cursor.flusher().pending());
    flush = cursor.flusher().Detach();
  }
  EXPECT_TRUE(this->View().empty()) << "unmapped in the table at once";
  EXPECT_EQ(this->world().tlb().stats().batches, before) << "and nowhere flushed";
  TlbFlusher flusher(this->world().tlb(), this->table().tlb_context(), this->pin());
  flusher.Attach(std::move(flush));
  flusher.Dispatch();
  EXPECT_EQ(this->world().tlb().stats().batches, before + 1);
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// "Ranges and addresses": what works, at every border.

#include <cstdint>
#include <optional>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

constexpr uint64_t kMiB2 = uint64_t{2} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

template <typename C>
class Ranges : public TableTest<C> {
 protected:
  using Geo = Geometry<typename C::Format>;
  static constexpr uint64_t kFirst = ManagedOffsets<C>().start;
  static constexpr uint64_t kEnd = ManagedOffsets<C>().end;
  static VirtAddr At(uint64_t offset) {
    return offset == Geo::kSpan ? Geo::ToVirt(offset - kPageSize).Plus(kPageSize)
                                : VirtAddr(Geo::ToVirt(offset - 1).value() + 1);
  }
  // [start, end) of offsets; the end may be that of the managed addresses.
  static VirtRange Range(uint64_t start, uint64_t end) { return {Geo::ToVirt(start), At(end)}; }
  void MapAt(uint64_t offset, uint64_t frame, int level = 1) {
    this->MapPage(Geo::ToVirt(offset), PhysAddr(frame), level);
  }
};

// User halves, and upper halves that end at the very top.
template <typename F>
using Upper = BareConfig<F, kLastRootEntry<F> / 2 + 1, kLastRootEntry<F>>;
using Configs = testing::Types<BareConfig<x86_64::Format4>, BareConfig<x86_64::Format5>,
                               Upper<x86_64::Format4>, Upper<x86_64::Format5>>;
TYPED_TEST_SUITE(Ranges, Configs);

TYPED_TEST(Ranges, TheFirstAndTheLastPageMapAndReadBack) {
  using Geo = typename TestFixture::Geo;
  const uint64_t last = this->kEnd - kPageSize;
  this->MapAt(this->kFirst, 0x1000);
  this->MapAt(last, 0x2000);
  EXPECT_EQ(this->Hardware(Geo::ToVirt(this->kFirst))->frame, PhysAddr(0x1000));
  EXPECT_EQ(this->Hardware(Geo::ToVirt(last))->frame, PhysAddr(0x2000));
  RcuReadGuard guard(this->env().rcu(), this->pin());
  const auto found = this->table().Walk(guard, Geo::ToVirt(this->kEnd - 1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->address, PhysAddr(0x2fff));
  EXPECT_EQ(found->range, this->Range(last, this->kEnd));
}

TYPED_TEST(Ranges, OneCursorCoversAllManagedAddresses) {
  using Geo = typename TestFixture::Geo;
  this->MapAt(this->kEnd - kPageSize, 0x2000);
  this->MapAt(this->kFirst, 0x1000);
  const VirtRange all = this->Range(this->kFirst, this->kEnd);
  CursorMut<TypeParam> cursor = this->Open(all);
  EXPECT_EQ(cursor.range(), all);
  EXPECT_EQ(cursor.remaining(), this->kEnd - this->kFirst);
  EXPECT_EQ(*Must(cursor.FindNext(cursor.remaining())), Geo::ToVirt(this->kFirst));
  ASSERT_TRUE(IsOk(cursor.Jump(Geo::ToVirt(this->kFirst + kPageSize))));
  EXPECT_EQ(*Must(cursor.FindNext(cursor.remaining())), Geo::ToVirt(this->kEnd - kPageSize));
  ASSERT_TRUE(IsOk(cursor.Jump(all.start)));
  EXPECT_EQ(Must(cursor.Unmap(cursor.remaining())).pages, 2u);
  EXPECT_EQ(cursor.virt_addr(), all.end);
  EXPECT_EQ(cursor.remaining(), 0u);
}

TYPED_TEST(Ranges, AHugePageAtTheVeryEndMapsReadsBackAndGoes) {
  using Geo = typename TestFixture::Geo;
  for (const int level : {2, 3}) {
    SCOPED_TRACE(level);
    const uint64_t span = Geo::EntrySpan(level);
    this->MapAt(this->kEnd - span, kGiB, level);
    const auto last = this->Hardware(Geo::ToVirt(this->kEnd - kPageSize));
    ASSERT_TRUE(last);
    EXPECT_EQ(last->level, level);
    EXPECT_EQ(last->frame, PhysAddr(kGiB + span - kPageSize));
    CursorMut<TypeParam> cursor = this->Open(this->Range(this->kEnd - span, this->kEnd));
    const QueryResult slot = Must(cursor.Query());
    EXPECT_EQ(slot.range, cursor.range());
    // The last page alone: its neighbours stay.
    ASSERT_TRUE(IsOk(cursor.Jump(Geo::ToVirt(this->kEnd - kPageSize))));
    EXPECT_EQ(Must(cursor.Unmap(kPageSize)).pages, 1u);
    EXPECT_FALSE(this->Hardware(Geo::ToVirt(this->kEnd - kPageSize)));
    EXPECT_TRUE(this->Hardware(Geo::ToVirt(this->kEnd - 2 * kPageSize)));
    ASSERT_TRUE(IsOk(cursor.Jump(cursor.range().start)));
    EXPECT_EQ(Must(cursor.Unmap(span)).pages, span / kPageSize - 1);
  }
}

TYPED_TEST(Ranges, ARangeOfExactlyOneHugePageMapsIt) {
  using Geo = typename TestFixture::Geo;
  for (const int level : {2, 3}) {
    const uint64_t span = Geo::EntrySpan(level);
    CursorMut<TypeParam> cursor =
        this->Open(this->Range(this->kFirst + span, this->kFirst + 2 * span));
    EXPECT_TRUE(IsOk(cursor.Map(RawItem{PhysAddr(4 * kGiB), level, kReadUser})));
    EXPECT_EQ(cursor.remaining(), 0u);
  }
  EXPECT_EQ(this->Hardware(Geo::ToVirt(this->kFirst + kMiB2))->level, 2);
  EXPECT_EQ(this->Hardware(Geo::ToVirt(this->kFirst + kGiB))->level, 3);
}

TYPED_TEST(Ranges, ALowAnchorRefusesTheHugePageAndMapsSmallOnes) {
  using Geo = typename TestFixture::Geo;
  CursorMut<TypeParam> cursor = this->Open(this->Range(this->kFirst, this->kFirst + kMiB2),
                                           CursorOptions{.anchor = Anchor::kLow});
  EXPECT_TRUE(Refused(cursor.Map(RawItem{PhysAddr(kGiB), 2, kReadUser}),
                      absl::StatusCode::kInvalidArgument, {"kHigh"}));
  EXPECT_TRUE(IsOk(cursor.Map(RawItem{PhysAddr(0x7000), 1, kReadUser})));
  EXPECT_EQ(this->Hardware(Geo::ToVirt(this->kFirst))->frame, PhysAddr(0x7000));
}

// The ends at which a cursor can stand: of a base table, of a middle table, of everything managed.
TYPED_TEST(Ranges, ACursorAtTheEndCanJumpBack) {
  using Geo = typename TestFixture::Geo;
  const struct {
    uint64_t start, end;
  } ranges[] = {
      {this->kEnd - 3 * kPageSize, this->kEnd},
      {this->kEnd - kMiB2, this->kEnd},
      {this->kEnd - kGiB, this->kEnd},
      {this->kFirst + kMiB2 - 3 * kPageSize, this->kFirst + kMiB2},
      {this->kFirst + kMiB2 - kPageSize, this->kFirst + kMiB2 + kPageSize},
      {this->kFirst + kGiB - kPageSize, this->kFirst + kGiB},
  };
  for (const auto& [start, end] : ranges) {
    SCOPED_TRACE(start);
    CursorMut<TypeParam> cursor = this->Open(this->Range(start, end));
    ASSERT_TRUE(IsOk(cursor.Jump(this->At(end))));
    EXPECT_EQ(cursor.virt_addr(), this->At(end));
    EXPECT_TRUE(Refused(cursor.Query(), absl::StatusCode::kOutOfRange));
    EXPECT_FALSE(Must(cursor.FindNext(0)));
    ASSERT_TRUE(IsOk(cursor.Jump(Geo::ToVirt(end - kPageSize))));
    ASSERT_TRUE(IsOk(cursor.Map(RawItem{PhysAddr(0x3000), 1, kReadUser})));
    EXPECT_EQ(cursor.virt_addr(), this->At(end));
    ASSERT_TRUE(IsOk(cursor.Jump(Geo::ToVirt(start))));
    ASSERT_TRUE(IsOk(cursor.Map(RawItem{PhysAddr(0x4000), 1, kReadUser})));
    ASSERT_TRUE(IsOk(cursor.Jump(Geo::ToVirt(end - kPageSize))));
    EXPECT_TRUE(Must(cursor.Query()).item);
    EXPECT_TRUE(this->Hardware(Geo::ToVirt(start)));
    EXPECT_TRUE(this->Hardware(Geo::ToVirt(end - kPageSize)));
    ASSERT_TRUE(IsOk(cursor.Jump(Geo::ToVirt(start))));
    EXPECT_TRUE(IsOk(cursor.Unmap(end - start)));
  }
}

TYPED_TEST(Ranges, FindNextStopsAtTheLockedEnd) {
  using Geo = typename TestFixture::Geo;
  const uint64_t start = this->kFirst + kMiB2;
  this->MapAt(start - kPageSize, 0x1000);
  this->MapAt(start + 8 * kPageSize, 0x2000);
  Cursor<TypeParam> cursor =
      Must(this->table().OpenCursor(this->pin(), this->Range(start, start + 8 * kPageSize)));
  EXPECT_FALSE(Must(cursor.FindNext(3 * kPageSize)));
  EXPECT_EQ(cursor.virt_addr(), Geo::ToVirt(start + 3 * kPageSize));
  EXPECT_FALSE(Must(cursor.FindNext(5 * kPageSize)));
  EXPECT_EQ(cursor.virt_addr(), Geo::ToVirt(start + 8 * kPageSize));
  EXPECT_TRUE(Refused(cursor.FindNext(kPageSize), absl::StatusCode::kOutOfRange));
  EXPECT_EQ(cursor.virt_addr(), Geo::ToVirt(start + 8 * kPageSize));
}

TYPED_TEST(Ranges, FindNextInsideAHugePageStartsWhereTheCursorStands) {
  using Geo = typename TestFixture::Geo;
  this->MapAt(this->kFirst, kGiB, 2);
  Cursor<TypeParam> cursor = Must(this->table().OpenCursor(
      this->pin(), this->Range(this->kFirst + 5 * kPageSize, this->kFirst + 2 * kMiB2)));
  EXPECT_EQ(*Must(cursor.FindNext(kPageSize)), Geo::ToVirt(this->kFirst + 5 * kPageSize));
  const QueryResult slot = Must(cursor.Query());
  EXPECT_EQ(slot.range, this->Range(this->kFirst, this->kFirst + kMiB2));
  EXPECT_EQ(slot.item->frame, PhysAddr(kGiB));
  EXPECT_EQ(slot.item->level, 2);
}

TYPED_TEST(Ranges, AMappingMayNotPassTheLockedEnd) {
  CursorMut<TypeParam> cursor =
      this->Open(this->Range(this->kFirst, this->kFirst + kMiB2 + kPageSize));
  ASSERT_TRUE(IsOk(cursor.Map(RawItem{PhysAddr(0), 2, kReadUser})));
  EXPECT_TRUE(Refused(cursor.Map(RawItem{PhysAddr(0), 2, kReadUser}), absl::StatusCode::kOutOfRange,
                      {"0x200000 bytes", "passes the end"}));
  EXPECT_EQ(cursor.remaining(), kPageSize);
}

using KernelTop = TableTest<Upper<x86_64::Format4>>;

TEST_F(KernelTop, TheLastRangeReachesTheLastAddress) {
  const VirtRange last{VirtAddr(~uint64_t{0xfff}), VirtAddr(0)};
  CursorMut<Config> cursor = Open(last);
  EXPECT_EQ(cursor.range(), last);
  EXPECT_EQ(cursor.remaining(), kPageSize);
  ASSERT_TRUE(IsOk(cursor.Map(RawItem{PhysAddr(0x9000), 1, kReadWriteKernel})));
  EXPECT_EQ(cursor.virt_addr(), VirtAddr(0));
  EXPECT_TRUE(Refused(cursor.Map(RawItem{PhysAddr(0x9000), 1, kReadKernel}),
                      absl::StatusCode::kOutOfRange));
  EXPECT_TRUE(Refused(cursor.FindNext(kPageSize), absl::StatusCode::kOutOfRange));
  EXPECT_TRUE(Refused(cursor.Jump(VirtAddr(kPageSize)), absl::StatusCode::kOutOfRange));
  ASSERT_TRUE(IsOk(cursor.Jump(last.start)));
  EXPECT_EQ(Must(cursor.Query()).range, last);
}

TEST_F(KernelTop, UserAddressesAreRefused) {
  EXPECT_TRUE(Refused(table().OpenCursor(pin(), Bytes(0x1000, 0x1000)),
                      absl::StatusCode::kOutOfRange, {"0xffff800000000000", "0xffffffffffffffff"}));
}

}  // namespace
}  // namespace paddock

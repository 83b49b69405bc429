// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/page_table/node.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

using X86 = Node<x86_64::Format4>;

TEST(NodeGranules, AreTheCacheLinesThatARangeTouches) {
  EXPECT_EQ(X86::Granules(0, 0, 1), 1u);
  EXPECT_EQ(X86::Granules(7, 8, 1), 0b11u);
  EXPECT_EQ(X86::Granules(511, 511, 1), uint64_t{1} << 63);
  EXPECT_EQ(X86::Granules(8, 511, 1), ~uint64_t{1});
  EXPECT_EQ(X86::AllGranules(4), ~uint64_t{0});
  EXPECT_EQ(X86::GranulesOf(0x1000, 0x2000, 1), 1u);
  EXPECT_EQ(X86::GranulesOf(0, uint64_t{512} << 39, 4), ~uint64_t{0});
  EXPECT_EQ(X86::GranulesOf((uint64_t{8} << 21) - 0x1000, (uint64_t{8} << 21) + 0x1000, 2), 0b11u);
}

TEST(NodeGranules, AreAllOfASmallNode) {
  EXPECT_EQ((Node<tiny::Format<2, 2, 8>>::AllGranules(1)), 1u);
  EXPECT_EQ(Node<tiny::Format2x2>::AllGranules(2), 0b11u);
}

// Occupancy after every kind of change says exactly which granules hold entries.
template <typename F>
class Occupancy : public TableTest<BareConfig<F>> {
 protected:
  void ExpectExact() { ExpectExact(this->table().root(), F::kLevels); }

 private:
  using Geo = Geometry<F>;

  void ExpectExact(PhysAddr address, int level) {
    uint64_t used = 0;
    for (uint64_t i = 0; i < Geo::Entries(level); ++i) {
      const Pte pte = RawEntry(this->frames().memory(), address, i);
      if (pte == kAbsentPte) continue;
      used |= Node<F>::Granules(i, i, level);
      if (F::Kind(pte, level) == EntryKind::kTable) ExpectExact(F::Address(pte, level), level - 1);
    }
    EXPECT_EQ(this->frames().slot(address).occupancy.load(sync::seq_cst), used)
        << "level " << level;
  }
};

using Formats = testing::Types<tiny::Format<3, 1>, tiny::Format<3, 2, 2>, x86_64::Format4>;
TYPED_TEST_SUITE(Occupancy, Formats);

TYPED_TEST(Occupancy, FollowsEveryChange) {
  using Geo = Geometry<TypeParam>;
  const uint64_t pages = Geo::EntrySpan(2) / kPageSize;
  this->ExpectExact();
  this->MapRun(this->Pages(0, pages), 64);
  this->ExpectExact();
  // The first of its granule, the others of which stay.
  EXPECT_TRUE(IsOk(this->Open(this->Pages(0, 1)).Unmap(kPageSize)));
  this->ExpectExact();
  this->MapPage(VirtAddr(0), PhysAddr(64 * kPageSize));
  EXPECT_TRUE(IsOk(this->Open(this->Pages(1, pages - 1)).Unmap((pages - 1) * kPageSize)));
  this->ExpectExact();
  EXPECT_TRUE(IsOk(this->Open(this->Pages(0, 1)).Unmap(kPageSize)));
  this->ExpectExact();
  this->MapPage(VirtAddr(0), PhysAddr(4 * pages * kPageSize), 2);
  this->ExpectExact();
  EXPECT_TRUE(IsOk(this->Open(this->Pages(1, 1)).Unmap(kPageSize)));
  this->ExpectExact();
  EXPECT_TRUE(IsOk(this->Open(this->Pages(0, pages)).TakeNext(pages * kPageSize)));
  this->ExpectExact();
  EXPECT_TRUE(IsOk(this->Open(this->Bytes(0, Geo::EntrySpan(3))).Unmap(Geo::EntrySpan(3))));
  this->ExpectExact();
}

}  // namespace
}  // namespace paddock

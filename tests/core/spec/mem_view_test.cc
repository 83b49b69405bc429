// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/spec/mem_view.h"

#include <cstdint>
#include <optional>

#include "gtest/gtest.h"

namespace paddock {
namespace {

VirtRange Bytes(uint64_t first, uint64_t end) { return {VirtAddr(first), VirtAddr(end)}; }

// Pages 1 and 2 to frames 5 and 6, page 4 to frame 9.
AbstractTable Mappings() {
  AbstractTable table;
  table.Map(Bytes(0x1000, 0x3000), PhysAddr(0x5000), kReadWriteUser);
  table.Map(Bytes(0x4000, 0x5000), PhysAddr(0x9000), kReadUser);
  return table;
}

TEST(MemView, TranslatesWhatIsMapped) {
  const MemView view(Mappings());
  EXPECT_EQ(view.Translate(VirtAddr(0x1000)), PhysAddr(0x5000));
  EXPECT_EQ(view.Translate(VirtAddr(0x2fff)), PhysAddr(0x6fff));
  EXPECT_EQ(view.Translate(VirtAddr(0x3000)), std::nullopt);
  EXPECT_EQ(view.Translate(VirtAddr(0x4008)), PhysAddr(0x9008));
  EXPECT_EQ(MemView().Translate(VirtAddr(0x1000)), std::nullopt);
}

TEST(MemView, BorrowingKeepsAndTakingOutDoesNot) {
  MemView view(Mappings());
  const VirtRange range = Bytes(0x1ff0, 0x2010);
  const MemView borrowed = view.Borrow(range);
  EXPECT_EQ(view.Translate(VirtAddr(0x2000)), PhysAddr(0x6000));
  const MemView taken = view.TakeOut(range);
  for (const MemView& part : {borrowed, taken}) {
    EXPECT_EQ(part.addresses(), AddressSet(range));
    EXPECT_EQ(part.Translate(VirtAddr(0x1ff0)), PhysAddr(0x5ff0));
    EXPECT_EQ(part.Translate(VirtAddr(0x200f)), PhysAddr(0x600f));
    EXPECT_EQ(part.Translate(VirtAddr(0x1fef)), std::nullopt);
  }
  EXPECT_EQ(view.Translate(VirtAddr(0x2000)), std::nullopt);
  EXPECT_EQ(view.Translate(VirtAddr(0x2010)), PhysAddr(0x6010)) << "another byte of the page";
  view.GiveBack(taken);
  EXPECT_EQ(view.Translate(VirtAddr(0x2000)), PhysAddr(0x6000));
  EXPECT_EQ(view.addresses(), MemView(Mappings()).addresses());
}

TEST(MemView, APartOfNothingIsNothing) {
  MemView view(Mappings());
  EXPECT_TRUE(view.TakeOut(Bytes(0x3000, 0x4000)).addresses().empty());
  EXPECT_TRUE(view.Borrow(Bytes(0x1800, 0x1800)).addresses().empty());
}

TEST(MemView, DisagreementIsFoundAtItsFirstAddress) {
  const MemView view(Mappings());
  EXPECT_EQ(FirstDisagreement(view, view), std::nullopt);
  AbstractTable moved = Mappings();
  moved.Map(Bytes(0x2000, 0x3000), PhysAddr(0x8000), kReadWriteUser);
  EXPECT_EQ(FirstDisagreement(view, MemView(moved)), VirtAddr(0x2000));
  EXPECT_EQ(FirstDisagreement(view, MemView(moved).Borrow(Bytes(0x2800, 0x2900))),
            VirtAddr(0x2800));
  EXPECT_EQ(FirstDisagreement(view, MemView(moved).Borrow(Bytes(0x1000, 0x2000))), std::nullopt);
  AbstractTable protected_ = Mappings();
  protected_.Map(Bytes(0x1000, 0x3000), PhysAddr(0x5000), kReadUser);
  EXPECT_EQ(FirstDisagreement(view, MemView(protected_)), std::nullopt) << "the same memory";
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Every rule of the discipline: a state that keeps them all, and states that break one each.

#include "paddock/core/spec/view_owner.h"

#include <cstdint>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

VirtRange Bytes(uint64_t first, uint64_t end) { return {VirtAddr(first), VirtAddr(end)}; }

AbstractTable Mappings(uint64_t frame) {
  AbstractTable table;
  table.Map(Bytes(0x1000, 0x9000), PhysAddr(frame), kReadWriteUser);
  return table;
}

class ViewOwnerTest : public testing::Test {
 protected:
  ViewOwnerTest() {
    owner_.total = MemView(Mappings(0x10000));
    owner_.remaining = owner_.total;
    AddWriter(Bytes(0x1100, 0x1200));
    AddWriter(Bytes(0x4000, 0x6000));
    AddReader(Bytes(0x2000, 0x3000));
  }
  void AddReader(VirtRange range) {
    owner_.readers.push_back({range, owner_.remaining->Borrow(range)});
  }
  void AddWriter(VirtRange range) {
    owner_.writers.push_back({range, owner_.remaining->TakeOut(range)});
  }
  testing::AssertionResult Breaks(const char* rule) const {
    return Refused(CheckViewOwner(owner_), absl::StatusCode::kInternal, {rule});
  }

  ViewOwner owner_;
};

TEST_F(ViewOwnerTest, HoldsOfReadersAndWritersApart) { EXPECT_TRUE(IsOk(CheckViewOwner(owner_))); }

TEST_F(ViewOwnerTest, HoldsOfASpaceWithoutViews) {
  EXPECT_TRUE(IsOk(CheckViewOwner(ViewOwner{})));
  EXPECT_TRUE(IsOk(CheckViewOwner(ViewOwner{.total = MemView(), .remaining = MemView()})));
}

TEST_F(ViewOwnerTest, ExistenceIsThatOfBoth) {
  owner_.remaining.reset();
  EXPECT_TRUE(Breaks("existence"));
  owner_.total.reset();
  EXPECT_TRUE(Breaks("existence")) << "views of nothing";
}

TEST_F(ViewOwnerTest, WhatRemainsIsPartOfTheTotalView) {
  AbstractTable more = Mappings(0x10000);
  more.Map(Bytes(0xa000, 0xb000), PhysAddr(0x1000), kReadUser);
  owner_.remaining = MemView(more);
  EXPECT_TRUE(Breaks("what remains translates 0xa000"));
}

TEST_F(ViewOwnerTest, WhatRemainsTranslatesAsTheTotalViewDoes) {
  owner_.writers.clear();
  owner_.remaining = MemView(Mappings(0x20000));
  EXPECT_TRUE(Breaks("what remains translates 0x1000 to 0x20000, the space to 0x10000"));
}

TEST_F(ViewOwnerTest, EveryViewTranslatesAsTheTotalViewDoes) {
  MemView other(Mappings(0x20000));
  owner_.readers[0].view = other.Borrow(owner_.readers[0].range);
  EXPECT_TRUE(Breaks("the reader of [0x2000, 0x3000) translates 0x2000"));
  owner_.readers.clear();
  owner_.writers[1].view = other.Borrow(owner_.writers[1].range);
  EXPECT_TRUE(Breaks("the writer of [0x4000, 0x6000) translates 0x4000"));
}

TEST_F(ViewOwnerTest, AViewIsThatOfItsRange) {
  owner_.readers[0].range = Bytes(0x2000, 0x2800);
  EXPECT_TRUE(Breaks("completeness"));
  owner_.readers[0].range = Bytes(0x2000, 0x3800);
  EXPECT_TRUE(Breaks("completeness"));
}

TEST_F(ViewOwnerTest, WhatAWriterHoldsDoesNotRemain) {
  owner_.remaining->GiveBack(owner_.writers[0].view);
  EXPECT_TRUE(Breaks("shares its view with the space"));
}

TEST_F(ViewOwnerTest, WritersAreApart) {
  owner_.writers.push_back(owner_.writers[0]);
  EXPECT_TRUE(Breaks("exclusion"));
}

TEST_F(ViewOwnerTest, ReadersAreApartFromWriters) {
  const VirtRange range = Bytes(0x5000, 0x7000);
  owner_.readers.push_back({range, owner_.total->Borrow(range)});
  EXPECT_TRUE(Breaks("sharing"));
}

// The formula of the specification; its prose has it the other way round.
TEST_F(ViewOwnerTest, ReadersAreApartUnlessSharingIsAllowed) {
  AddReader(Bytes(0x2800, 0x3800));
  owner_.sharing = ReaderSharing::kShared;
  EXPECT_TRUE(IsOk(CheckViewOwner(owner_)));
  owner_.sharing = ReaderSharing::kExclusive;
  EXPECT_TRUE(Breaks("the reader of [0x2800, 0x3800) overlaps the reader of [0x2000, 0x3000)"));
}

TEST_F(ViewOwnerTest, NothingOfTheTotalViewIsLost) {
  owner_.remaining->TakeOut(Bytes(0x8ff8, 0x9000));
  EXPECT_TRUE(Breaks("nobody holds 0x8ff8"));
  owner_.remaining = owner_.total->Borrow(Bytes(0x1000, 0x9000));
  owner_.remaining->TakeOut(Bytes(0x1100, 0x1200));
  owner_.remaining->TakeOut(Bytes(0x4000, 0x6000));
  owner_.writers.pop_back();
  EXPECT_TRUE(Breaks("nobody holds 0x4000")) << "a writer that went without giving back";
}

}  // namespace
}  // namespace paddock

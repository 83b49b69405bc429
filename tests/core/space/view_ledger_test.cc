// SPDX-License-Identifier: Apache-2.0
//
// The life of a view, and every refusal.

#include "paddock/core/space/view_ledger.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

using absl::StatusCode;

VirtRange Bytes(uint64_t first, uint64_t end) { return {VirtAddr(first), VirtAddr(end)}; }

// Pages 1 to 8, and page 10.
MemView Total() {
  AbstractTable table;
  table.Map(Bytes(0x1000, 0x9000), PhysAddr(0x10000), kReadWriteUser);
  table.Map(Bytes(0xa000, 0xb000), PhysAddr(0x40000), kReadWriteUser);
  return MemView(table);
}

class ViewLedgerTest : public testing::TestWithParam<ReaderSharing> {
 protected:
  void TearDown() override {
    const ViewOwner owner = ledger_.Owner();
    EXPECT_TRUE(IsOk(CheckViewOwner(owner)));
    EXPECT_TRUE(owner.readers.empty());
    EXPECT_TRUE(owner.writers.empty());
    EXPECT_EQ(owner.remaining->addresses(), owner.total->addresses());
  }

  ViewId New(VirtRange range, ViewKind kind) { return Must(ledger_.Create(range, kind)); }
  ViewId Active(VirtRange range, ViewKind kind) {
    const ViewId id = New(range, kind);
    Must(ledger_.Activate(id));
    return id;
  }
  void End(ViewId id) {
    EXPECT_TRUE(IsOk(ledger_.Dispose(id)));
    EXPECT_TRUE(IsOk(ledger_.Remove(id)));
  }
  bool Remains(uint64_t va) {
    return ledger_.Owner().remaining->Translate(VirtAddr(va)).has_value();
  }

  ViewLedger ledger_{Total(), GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Readers, ViewLedgerTest,
                         testing::Values(ReaderSharing::kExclusive, ReaderSharing::kShared),
                         [](const auto& info) {
                           return info.param == ReaderSharing::kShared ? "Shared" : "Exclusive";
                         });

TEST_P(ViewLedgerTest, AWriterTakesItsPartWhileItIsActive) {
  const VirtRange range = Bytes(0x1800, 0x2800);
  const ViewId writer = New(range, ViewKind::kWriter);
  EXPECT_TRUE(Remains(0x1800)) << "created, and holding nothing";
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(IsOk(ledger_.Activate(writer)));
    EXPECT_FALSE(Remains(0x1800));
    EXPECT_FALSE(Remains(0x27ff));
    EXPECT_TRUE(Remains(0x17ff));
    EXPECT_TRUE(Remains(0x2800));
    const ViewOwner owner = ledger_.Owner();
    ASSERT_EQ(owner.writers.size(), 1u);
    EXPECT_EQ(owner.writers[0].view.Translate(VirtAddr(0x2000)), PhysAddr(0x11000));
    EXPECT_TRUE(IsOk(CheckViewOwner(owner)));
    ASSERT_TRUE(IsOk(ledger_.Dispose(writer)));
    EXPECT_TRUE(Remains(0x1800)) << "disposed, and to be activated again";
  }
  EXPECT_TRUE(IsOk(ledger_.Remove(writer)));
}

TEST_P(ViewLedgerTest, AReaderBorrowsItsPart) {
  const ViewId reader = Active(Bytes(0x1800, 0x2800), ViewKind::kReader);
  const ViewOwner owner = ledger_.Owner();
  ASSERT_EQ(owner.readers.size(), 1u);
  EXPECT_EQ(owner.readers[0].view.addresses(), AddressSet(Bytes(0x1800, 0x2800)));
  EXPECT_TRUE(Remains(0x1800));
  End(reader);
}

TEST_P(ViewLedgerTest, TwoBytesOfAPageHaveTwoWriters) {
  const ViewId left = Active(Bytes(0x1000, 0x1800), ViewKind::kWriter);
  const ViewId right = Active(Bytes(0x1800, 0x2000), ViewKind::kWriter);
  EXPECT_TRUE(IsOk(CheckViewOwner(ledger_.Owner())));
  End(left);
  End(right);
}

TEST_P(ViewLedgerTest, AWriterOverlapsNobody) {
  const ViewId writer = Active(Bytes(0x2000, 0x3000), ViewKind::kWriter);
  const ViewId reader = Active(Bytes(0x5000, 0x6000), ViewKind::kReader);
  EXPECT_TRUE(Refused(ledger_.Create(Bytes(0x2fff, 0x4000), ViewKind::kWriter),
                      StatusCode::kFailedPrecondition,
                      {"a writer of [0x2fff, 0x4000) overlaps writer 1 of [0x2000, 0x3000)"}));
  EXPECT_TRUE(Refused(ledger_.Create(Bytes(0x4000, 0x5001), ViewKind::kWriter),
                      StatusCode::kFailedPrecondition,
                      {"a writer of [0x4000, 0x5001) overlaps reader 2 of [0x5000, 0x6000)"}));
  EXPECT_TRUE(Refused(ledger_.Create(Bytes(0x1000, 0x2001), ViewKind::kReader),
                      StatusCode::kFailedPrecondition,
                      {"a reader of [0x1000, 0x2001) overlaps writer 1 of [0x2000, 0x3000)"}));
  EXPECT_EQ(ledger_.Owner().writers.size(), 1u);
  End(writer);
  End(reader);
}

TEST_P(ViewLedgerTest, ReadersOverlapWhereSharingIsAllowed) {
  const ViewId first = Active(Bytes(0x2000, 0x4000), ViewKind::kReader);
  // As the specification has it, creation asks about writers only.
  const ViewId second = New(Bytes(0x3000, 0x5000), ViewKind::kReader);
  const absl::Status active = ledger_.Activate(second);
  if (GetParam() == ReaderSharing::kShared) {
    EXPECT_TRUE(IsOk(active));
    EXPECT_TRUE(IsOk(ledger_.Dispose(second)));
  } else {
    EXPECT_TRUE(Refused(active, StatusCode::kFailedPrecondition,
                        {"a reader of [0x3000, 0x5000)", "reader 1 of [0x2000, 0x4000)"}));
  }
  End(first);
  EXPECT_TRUE(IsOk(ledger_.Activate(second))) << "when the other one has gone";
  End(second);
}

TEST_P(ViewLedgerTest, ActivationLooksAgain) {
  const ViewId early = New(Bytes(0x2000, 0x3000), ViewKind::kWriter);
  const ViewId quick = Active(Bytes(0x2800, 0x3800), ViewKind::kWriter);
  EXPECT_TRUE(Refused(ledger_.Activate(early), StatusCode::kFailedPrecondition,
                      {"[0x2000, 0x3000)", "writer 2 of [0x2800, 0x3800)"}));
  EXPECT_TRUE(Remains(0x2000)) << "nothing was taken";
  End(quick);
  EXPECT_TRUE(IsOk(ledger_.Activate(early)));
  End(early);
}

TEST_P(ViewLedgerTest, WhatIsNotInTheViewCannotBeHeld) {
  for (const ViewKind kind : {ViewKind::kReader, ViewKind::kWriter}) {
    const ViewId across = New(Bytes(0x8000, 0xb000), kind);
    EXPECT_TRUE(
        Refused(ledger_.Activate(across), StatusCode::kFailedPrecondition, {"has no 0x9000"}));
    EXPECT_TRUE(IsOk(ledger_.Remove(across)));
    EXPECT_TRUE(Refused(ledger_.BeginView(Bytes(0xb000, 0xb001), kind),
                        StatusCode::kFailedPrecondition, {"has no 0xb000"}));
  }
}

TEST_P(ViewLedgerTest, EachStepNeedsTheOneBefore) {
  const ViewId writer = New(Bytes(0x1000, 0x2000), ViewKind::kWriter);
  EXPECT_TRUE(Refused(ledger_.Dispose(writer), StatusCode::kFailedPrecondition,
                      {"writer 1 of [0x1000, 0x2000) is not active"}));
  ASSERT_TRUE(IsOk(ledger_.Activate(writer)));
  EXPECT_TRUE(Refused(ledger_.Activate(writer), StatusCode::kFailedPrecondition, {"already"}));
  EXPECT_TRUE(Refused(ledger_.Remove(writer), StatusCode::kFailedPrecondition,
                      {"writer 1 of [0x1000, 0x2000) is active and cannot be removed"}));
  End(writer);
  for (const absl::Status& gone :
       {ledger_.Activate(writer), ledger_.Dispose(writer), ledger_.Remove(writer)}) {
    EXPECT_TRUE(Refused(gone, StatusCode::kNotFound, {"no view 1"}));
  }
}

TEST_P(ViewLedgerTest, ReversedRangesAreRefused) {
  EXPECT_TRUE(Refused(ledger_.Create(Bytes(0x2000, 0x1000), ViewKind::kReader),
                      StatusCode::kInvalidArgument, {"[0x2000, 0x1000)", "reversed"}));
}

TEST_P(ViewLedgerTest, EmptyViewsAreInNobodysWay) {
  const ViewId writer = Active(Bytes(0x2000, 0x3000), ViewKind::kWriter);
  const ViewId empty = Active(Bytes(0x2800, 0x2800), ViewKind::kWriter);
  const ViewId nowhere = Active(Bytes(0xf000, 0xf000), ViewKind::kReader);
  EXPECT_TRUE(IsOk(CheckViewOwner(ledger_.Owner())));
  End(writer);
  End(empty);
  End(nowhere);
}

TEST_P(ViewLedgerTest, BeginningIsBothStepsOrNeither) {
  const uint64_t writer = Must(ledger_.BeginView(Bytes(0x2000, 0x3000), ViewKind::kWriter));
  EXPECT_EQ(ledger_.Owner().writers.size(), 1u);
  EXPECT_FALSE(ledger_.BeginView(Bytes(0x2000, 0x3000), ViewKind::kReader).ok());
  ledger_.EndView(writer);
  // One that can be created, and not be active.
  EXPECT_FALSE(ledger_.BeginView(Bytes(0x8000, 0xb000), ViewKind::kReader).ok());
  for (uint64_t id = writer; id <= writer + 2; ++id) {
    EXPECT_TRUE(Refused(ledger_.Remove(ViewId{id}), StatusCode::kNotFound))
        << "something is left of view " << id;
  }
}

TEST(ViewLedgerDeathTest, NoViewOutlivesItsSpace) {
  EXPECT_DEATH(
      {
        ViewLedger ledger(Total(), ReaderSharing::kShared);
        Must(ledger.BeginView(Bytes(0x2000, 0x3000), ViewKind::kReader));
      },
      "reader 1 of \\[0x2000, 0x3000\\) outlives its space");
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/address_quarantine.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/tests/support/machine_fixture.h"

namespace paddock {
namespace {

using Cover = AddressQuarantine::Cover;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class AddressQuarantineTest : public MachineTest {
 protected:
  AddressQuarantine quarantine_{{.ranges = 2, .pages = 100}};

  TlbFlusher Flusher() { return {machine().tlb(), machine().kernel_table().tlb_context(), pin()}; }
  void Put(VirtRange range) {
    TlbFlusher flusher = Flusher();
    flusher.Issue(range);
    quarantine_.Put(range, flusher.Detach());
  }
  // Begins a round and dispatches it; every other CPU is idle, so it is acknowledged by then.
  uint64_t BeginAndFlush(Cover cover) {
    AddressQuarantine::Round round = quarantine_.Begin(cover);
    TlbFlusher flusher = Flusher();
    for (PendingFlush& pending : round.flushes) flusher.Attach(std::move(pending));
    if (round.everything) flusher.IssueAll();
    last_ticket_ = flusher.DispatchForLater();
    return round.number;
  }

  std::optional<ShootdownTicket> last_ticket_;
};

TEST_F(AddressQuarantineTest, RangesWaitForTheirOwnRound) {
  Put(Page(1));
  EXPECT_THAT(quarantine_.TakeDone(), IsEmpty());
  const uint64_t first = BeginAndFlush(Cover::kCollected);
  Put(Page(2));
  Put(Page(3));
  const uint64_t second = BeginAndFlush(Cover::kCollected);
  Put(Page(4));
  EXPECT_EQ(quarantine_.pages(), 4u);
  EXPECT_THAT(quarantine_.Finish(second, Cover::kCollected), ElementsAre(Page(2), Page(3)));
  EXPECT_THAT(quarantine_.Finish(first, Cover::kCollected), ElementsAre(Page(1)));
  EXPECT_EQ(quarantine_.pages(), 1u);
  EXPECT_THAT(quarantine_.Finish(BeginAndFlush(Cover::kAll), Cover::kAll), ElementsAre(Page(4)));
  EXPECT_TRUE(quarantine_.IsEmpty());
}

TEST_F(AddressQuarantineTest, ARoundOfEverythingDoesForTheOlderOnesOnly) {
  Put(Page(1));
  const uint64_t older = BeginAndFlush(Cover::kCollected);
  Put(Page(2));
  AddressQuarantine::Round everything = quarantine_.Begin(Cover::kAll);
  EXPECT_TRUE(everything.everything);
  Put(Page(3));
  const uint64_t younger = BeginAndFlush(Cover::kCollected);
  {
    TlbFlusher flusher = Flusher();
    for (PendingFlush& pending : everything.flushes) flusher.Attach(std::move(pending));
    flusher.IssueAll();
    flusher.Sync();
  }
  EXPECT_THAT(quarantine_.Finish(everything.number, Cover::kAll),
              UnorderedElementsAre(Page(1), Page(2)));
  // Its dispatcher comes late: nothing is there any more.
  quarantine_.Sent(older, ShootdownTicket{});
  EXPECT_THAT(quarantine_.Finish(older, Cover::kCollected), IsEmpty());
  EXPECT_THAT(quarantine_.Finish(younger, Cover::kCollected), ElementsAre(Page(3)));
}

TEST_F(AddressQuarantineTest, ARoundAloneFlushesWhatItCollectedAndNoMore) {
  Put(Page(1));
  AddressQuarantine::Round round = quarantine_.Begin(Cover::kAll);
  EXPECT_FALSE(round.everything);
  EXPECT_EQ(round.flushes.size(), 1u);
  Flusher().Attach(std::move(round.flushes[0]));
  EXPECT_THAT(quarantine_.Finish(round.number, Cover::kAll), ElementsAre(Page(1)));
}

TEST_F(AddressQuarantineTest, WhatWasSentIsDoneOnceAllHaveAcknowledged) {
  Put(Page(1));
  const uint64_t number = BeginAndFlush(Cover::kCollected);
  EXPECT_THAT(quarantine_.TakeDone(), IsEmpty()) << "nobody said that it was sent";
  ASSERT_TRUE(last_ticket_);
  quarantine_.Sent(number, *last_ticket_);
  EXPECT_THAT(quarantine_.TakeDone(), ElementsAre(Page(1)));
  EXPECT_THAT(quarantine_.TakeDone(), IsEmpty());
}

TEST_F(AddressQuarantineTest, IsFullAboveEitherLimit) {
  Put(Page(1));
  Put(Page(2));
  EXPECT_FALSE(quarantine_.IsFull());
  Put(Page(3));
  EXPECT_TRUE(quarantine_.IsFull());
  quarantine_.Finish(BeginAndFlush(Cover::kAll), Cover::kAll);
  Put({VirtAddr(0), VirtAddr(100 * kPageSize)});
  EXPECT_FALSE(quarantine_.IsFull());
  Put(Page(100));
  EXPECT_TRUE(quarantine_.IsFull());
  quarantine_.Finish(BeginAndFlush(Cover::kAll), Cover::kAll);
  EXPECT_FALSE(quarantine_.IsFull());
}

}  // namespace
}  // namespace paddock

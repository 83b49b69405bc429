// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/page_table/granule_claim.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

#include "gtest/gtest.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/claim_queue.h"
#include "paddock/core/page_table/granule_lock.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/table_world.h"

namespace paddock {
namespace {

using Leaving = ClaimQueues::Leaving;
using State = ClaimWaiter::State;

constexpr CursorOptions kForever{};
constexpr CursorOptions kTry{.wait = Wait::kTry};

constexpr uint64_t kAll = ~uint64_t{0};

// Every rule holds wherever the locks are: the parameter is the set of granules whose locks have
// moved.
class GranuleClaim : public testing::TestWithParam<uint64_t> {
 protected:
  GranuleClaim() {
    std::memset(slot_.payload, 0, sizeof(slot_.payload));
    lock_.Initialise(GetParam());
    for (uint64_t rest = GetParam(); rest != 0; rest &= rest - 1) lock_.Move(LowestBit(rest));
    Release(GetParam());
  }

  void TearDown() override {
    EXPECT_EQ(lock_.Held(), 0u);
    for (const Pte entry : entries_) EXPECT_EQ(entry, kAbsentPte);
    ExpectNoClaims(world_.frames());
  }

  uint64_t Held() const { return lock_.Held(); }
  uint64_t Marks() const { return slot_.waiters.load(sync::seq_cst); }
  uint64_t Take(uint64_t mask) { return TakeGranules(queues_, lock_, mask); }
  void Release(uint64_t mask) { ReleaseGranules(queues_, lock_, mask); }

  TableWorld world_;
  CpuPin pin_ = world_.Pin(0);
  Frame<Untyped> frame_ = Must(world_.frames().Allocate(Untyped{}, Zeroing::kZero));
  MetaSlot& slot_ = world_.frames().slot(frame_.start());
  ClaimQueues& queues_ = world_.env().claim_queues();
  std::array<Pte, 64 * 2> entries_{};
  const GranuleLock lock_{slot_, entries_.data(), 2, Pte{1} << 5};
};

INSTANTIATE_TEST_SUITE_P(LocksHaveMoved, GranuleClaim,
                         testing::Values(0, kAll, 0x5555'5555'5555'5555, 0b1100));

TEST_P(GranuleClaim, FreeGranulesAreTakenAllAtOnce) {
  EXPECT_EQ(Take(0b1110), 0b1110u);
  EXPECT_EQ(Held(), 0b1110u);
  EXPECT_EQ(Take(~uint64_t{0b1110}), ~uint64_t{0b1110});
  EXPECT_EQ(Held(), ~uint64_t{0});
  Release(~uint64_t{0});
}

TEST_P(GranuleClaim, OnlyThoseBelowTheFirstTakenOneAreTaken) {
  ASSERT_NE(Take(0b1000), 0u);
  EXPECT_EQ(Take(0b1111'0110), 0b1111'0110u) << "bit 3 is not asked for";
  Release(0b1111'0110);
  EXPECT_EQ(Take(0b1111'1110), 0b0000'0110u);
  EXPECT_EQ(Take(0b1111'1000), 0u);
  EXPECT_EQ(Held(), 0b1110u);
  Release(0b1110);
}

TEST_P(GranuleClaim, AWaitingClaimKeepsWhatIsBelowAndTakesNothingAbove) {
  ASSERT_NE(Take(0b1000), 0u);
  CpuThreads threads(world_.cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    GranuleClaimer claimer(world_.env(), cpu, kForever);
    EXPECT_TRUE(claimer.ClaimAll(lock_, 0b11'1010));
    EXPECT_EQ(Held(), 0b11'1010u);
    Release(0b11'1010);
  });
  EXPECT_TRUE(Eventually([&] { return Marks() == 0b1000; }));
  EXPECT_EQ(Held(), 0b1010u);
  Release(0b1000);
}

TEST_P(GranuleClaim, GivingUpReleasesExactlyWhatWasTaken) {
  ASSERT_NE(Take(0b10'0000), 0u);
  for (const CursorOptions options : {CursorOptions{.wait = Wait::kTry},
                                      CursorOptions{.wait = Wait::kDeadline, .deadline_ns = 1}}) {
    GranuleClaimer claimer(world_.env(), pin_, options);
    EXPECT_FALSE(claimer.ClaimAll(lock_, 0b110'0110));
    EXPECT_EQ(Held(), 0b10'0000u);
    EXPECT_EQ(Marks(), 0u);
  }
  // The part that the caller already held goes too.
  ASSERT_NE(Take(1), 0u);
  GranuleClaimer claimer(world_.env(), pin_, kTry);
  EXPECT_FALSE(claimer.ClaimAll(lock_, 0b10'0001, 1));
  EXPECT_EQ(Held(), 0b10'0000u);
  Release(0b10'0000);
}

TEST_P(GranuleClaim, TheOptionsMayGoBeforeTheClaimer) {
  ASSERT_NE(Take(1), 0u);
  auto options = std::make_unique<CursorOptions>(kTry);
  GranuleClaimer claimer(world_.env(), pin_, *options);
  *options = kForever;
  options.reset();
  EXPECT_FALSE(claimer.ClaimAll(lock_, 1)) << "and did not wait";
  Release(1);
}

TEST_P(GranuleClaim, AnyNumberIsADeadline) {
  ASSERT_NE(Take(1), 0u);
  for (const uint64_t past : {uint64_t{0}, uint64_t{1}, sync::NowNs() - 1}) {
    GranuleClaimer claimer(world_.env(), pin_, {.wait = Wait::kDeadline, .deadline_ns = past});
    EXPECT_FALSE(claimer.ClaimAll(lock_, 1));
  }
  for (const uint64_t future : {~uint64_t{0}, ~uint64_t{0} - 1, ~uint64_t{0} / 2 + 1}) {
    CpuThreads threads(world_.cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      GranuleClaimer claimer(world_.env(), cpu, {.wait = Wait::kDeadline, .deadline_ns = future});
      EXPECT_TRUE(claimer.ClaimAll(lock_, 1));
    });
    EXPECT_TRUE(Eventually([&] { return Marks() == 1; }));
    Release(1);
    threads.Join();
  }
  Release(1);
}

TEST_P(GranuleClaim, AClaimThatWaitedLongIsHandedTheGranule) {
  ASSERT_NE(Take(1), 0u);
  Event got_it, let_go;
  CpuThreads threads(world_.cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    GranuleClaimer claimer(world_.env(), cpu, kForever);
    EXPECT_TRUE(claimer.ClaimAll(lock_, 1));
    got_it.Set();
    EXPECT_TRUE(let_go.Await());
    Release(1);
  });
  EXPECT_TRUE(Eventually([&] { return Marks() == 1; }));
  const uint64_t long_enough = sync::NowNs() + 2 * kHandOffNs;
  EXPECT_TRUE(Eventually([&] { return sync::NowNs() > long_enough; }));
  Release(1);
  // However late the waiter wakes up, no newcomer comes in between.
  EXPECT_EQ(Take(1), 0u);
  EXPECT_TRUE(got_it.Await());
  let_go.Set();
}

TEST_P(GranuleClaim, AYoungWaiterIsWokenToCompete) {
  ASSERT_NE(Take(1), 0u);
  ClaimWaiter waiter(slot_, 1, CpuId{0}, sync::NowNs() + 1'000'000'000);
  queues_.Enqueue(waiter);
  EXPECT_EQ(Marks(), 1u);
  Release(1);
  EXPECT_EQ(Held(), 0u);
  EXPECT_EQ(waiter.state(), State::kWoken);
  EXPECT_EQ(queues_.Withdraw(waiter, Leaving::kWithoutGranule), State::kWoken);
  EXPECT_EQ(Marks(), 0u);
}

TEST_P(GranuleClaim, TheOldestWaiterIsHandedTheGranuleWhateverTheOrderOfArrival) {
  ASSERT_NE(Take(0b11), 0u);
  ClaimWaiter young(slot_, 1, CpuId{0}, 20), old(slot_, 1, CpuId{0}, 5),
      middle(slot_, 1, CpuId{0}, 10);
  ClaimWaiter elsewhere(slot_, 0b10, CpuId{0}, 1);
  for (ClaimWaiter* waiter : {&young, &old, &middle, &elsewhere}) queues_.Enqueue(*waiter);
  Release(1);
  EXPECT_EQ(old.state(), State::kGranted);
  EXPECT_EQ(Held(), 0b11u);
  EXPECT_EQ(Marks(), 0b11u);
  EXPECT_EQ(queues_.Withdraw(old, Leaving::kWithoutGranule), State::kGranted);
  Release(1);
  EXPECT_EQ(middle.state(), State::kGranted);
  Release(1);
  EXPECT_EQ(young.state(), State::kGranted);
  EXPECT_EQ(Marks(), 0b10u);
  EXPECT_EQ(elsewhere.state(), State::kWaiting);
  Release(0b11);
  EXPECT_EQ(elsewhere.state(), State::kGranted);
  EXPECT_EQ(Held(), 0b10u);
  Release(0b10);
}

TEST_P(GranuleClaim, AWaiterThatLeavesPassesItsWakeUpOn) {
  const uint64_t now = sync::NowNs() + 1'000'000'000;
  ClaimWaiter first(slot_, 1, CpuId{0}, now), second(slot_, 1, CpuId{0}, now + 1);
  queues_.Enqueue(first);
  queues_.Enqueue(second);
  queues_.Wake(slot_, 1, ClaimQueues::Whom::kOldest);
  EXPECT_EQ(first.state(), State::kWoken);
  EXPECT_EQ(second.state(), State::kWaiting);
  queues_.Withdraw(first, Leaving::kWithoutGranule);
  EXPECT_EQ(second.state(), State::kWoken);
  EXPECT_EQ(Marks(), 1u);
  queues_.Withdraw(second, Leaving::kWithGranule);
  EXPECT_EQ(Marks(), 0u);
}

TEST_P(GranuleClaim, AWokenWaiterCanGoBackToWaitingButNotAGrantedOne) {
  ClaimWaiter woken(slot_, 1, CpuId{0}, sync::NowNs() + 1'000'000'000);
  queues_.Enqueue(woken);
  queues_.Wake(slot_, 1, ClaimQueues::Whom::kOldest);
  queues_.Rearm(woken);
  EXPECT_EQ(woken.state(), State::kWaiting);
  queues_.Withdraw(woken, Leaving::kWithoutGranule);

  ASSERT_NE(Take(1), 0u);
  ClaimWaiter granted(slot_, 1, CpuId{0}, 1);
  queues_.Enqueue(granted);
  Release(1);
  queues_.Rearm(granted);
  EXPECT_EQ(granted.state(), State::kGranted);
  queues_.Withdraw(granted, Leaving::kWithGranule);
  Release(1);
}

TEST_P(GranuleClaim, AWaiterOfAnotherSlotIsLeftAlone) {
  // More slots than queues, so that some share one.
  for (uint64_t frame = 4; frame < 200; ++frame) {
    MetaSlot& other = world_.frames().slot(PhysAddr(frame * kPageSize));
    if (&other == &slot_) continue;
    ClaimWaiter waiter(other, 1, CpuId{0}, 1);
    queues_.Enqueue(waiter);
    ASSERT_NE(Take(1), 0u);
    Release(1);
    queues_.Wake(slot_, 1, ClaimQueues::Whom::kAll);
    EXPECT_EQ(waiter.state(), State::kWaiting);
    queues_.Withdraw(waiter, Leaving::kWithoutGranule);
    EXPECT_EQ(other.waiters.load(sync::seq_cst), 0u);
  }
}

TEST_P(GranuleClaim, ACutNodeWakesEverybodyAndHandsNothingOver) {
  ASSERT_NE(Take(0b111), 0u);
  ClaimWaiter old(slot_, 1, CpuId{0}, 1), older(slot_, 1, CpuId{0}, 0),
      other(slot_, 0b100, CpuId{0}, 1);
  for (ClaimWaiter* waiter : {&old, &older, &other}) queues_.Enqueue(*waiter);
  ReleaseStrayGranules(queues_, lock_, 0b111);
  EXPECT_EQ(Held(), 0u);
  for (ClaimWaiter* waiter : {&old, &older, &other}) {
    EXPECT_EQ(waiter->state(), State::kWoken);
    queues_.Withdraw(*waiter, Leaving::kWithoutGranule);
  }
  EXPECT_EQ(Marks(), 0u);
}

TEST_P(GranuleClaim, AllOrNothingIsTaken) {
  ASSERT_EQ(Take(0b100), 0b100u);
  EXPECT_FALSE(TakeAllGranules(queues_, lock_, 0b100));
  EXPECT_FALSE(TakeAllGranules(queues_, lock_, 0b1110));
  EXPECT_EQ(Held(), 0b100u);
  EXPECT_TRUE(TakeAllGranules(queues_, lock_, 0b10));
  EXPECT_EQ(Held(), 0b110u);
  Release(0b110);
}

// One CPU alone has all its locks in one word; once others have come, every granule that is claimed
// alone gets its own line.
TEST_P(GranuleClaim, InASharedTableTheLockOfAGranuleThatIsClaimedAloneMoves) {
  const bool shared = GetParam() != 0;
  for (const uint64_t bit : {uint64_t{1}, uint64_t{2}, uint64_t{1} << 63}) {
    ASSERT_TRUE(TakeAllGranules(queues_, lock_, bit));
    EXPECT_EQ((lock_.Moved() & bit) != 0, shared);
    EXPECT_EQ(Held(), bit);
    Release(bit);
  }
  const uint64_t moved = lock_.Moved();
  EXPECT_EQ(Take(0xff00), 0xff00u);
  EXPECT_EQ(lock_.Moved(), moved);
  Release(0xff00);
}

// A wide claim that met a lock that had moved gives the others back before it looks at the mark.
TEST_P(GranuleClaim, WhatIsGivenBackInACutNodeIsHandedToNobody) {
  for (const uint8_t stray : {uint8_t{1}, uint8_t{0}}) {
    ASSERT_EQ(Take(0b110), 0b110u);
    slot_.stray.store(stray, sync::seq_cst);
    ClaimWaiter old(slot_, 0b10, CpuId{0}, 1), older(slot_, 0b10, CpuId{0}, 0);
    for (ClaimWaiter* waiter : {&old, &older}) queues_.Enqueue(*waiter);
    GiveBackGranules(queues_, lock_, 0b110);
    EXPECT_EQ(older.state(), stray ? State::kWoken : State::kGranted);
    EXPECT_EQ(old.state(), stray ? State::kWoken : State::kWaiting);
    EXPECT_EQ(Held(), stray ? 0 : 0b10u);
    for (ClaimWaiter* waiter : {&old, &older}) {
      queues_.Withdraw(*waiter, Leaving::kWithoutGranule);
    }
    if (!stray) Release(0b10);
    EXPECT_EQ(Held(), 0u);
    EXPECT_EQ(Marks(), 0u);
  }
}

TEST_P(GranuleClaim, ManyClaimsOfManyGranulesExcludeEachOther) {
  constexpr int kRounds = 3000;
  std::array<std::atomic<uint32_t>, 6> owner{};
  std::atomic<int> violations{0};
  CpuThreads threads(world_.cpus());
  for (uint32_t id = 1; id <= 3; ++id) {
    threads.Run(id, [&, id](const CpuPin& cpu) {
      for (int round = 0; round < kRounds; ++round) {
        const uint64_t mask = (round * id * 7 + id) % 63 + 1;
        GranuleClaimer claimer(world_.env(), cpu, kForever);
        if (!TakeAllGranules(queues_, lock_, mask) && !claimer.ClaimAll(lock_, mask)) ++violations;
        for (uint32_t i = 0; i < 6; ++i) {
          if ((mask >> i & 1) && owner[i].exchange(id, std::memory_order_relaxed) != 0)
            ++violations;
        }
        for (uint32_t i = 0; i < 6; ++i) {
          if (mask >> i & 1) owner[i].store(0, std::memory_order_relaxed);
        }
        Release(mask);
      }
    });
  }
  threads.Join();
  EXPECT_EQ(violations, 0);
}

}  // namespace
}  // namespace paddock

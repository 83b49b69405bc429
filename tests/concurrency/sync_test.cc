// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/sync.h"

#include <array>
#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/tests/concurrency/stage.h"

namespace paddock {
namespace {

enum class Colour : uint8_t { kRed, kGreen };

TEST(Atomic, StartsAtZero) {
  EXPECT_EQ(sync::Atomic<uint64_t>().load(sync::seq_cst), 0u);
  EXPECT_EQ(sync::Atomic<int*>().load(sync::seq_cst), nullptr);
  EXPECT_EQ(sync::Atomic<Colour>().load(sync::seq_cst), Colour::kRed);
}

TEST(Atomic, ReadModifyWriteReturnsTheOldValue) {
  sync::Atomic<uint32_t> word(12);
  EXPECT_EQ(word.fetch_add(3, sync::seq_cst), 12u);
  EXPECT_EQ(word.fetch_sub(5, sync::seq_cst), 15u);
  EXPECT_EQ(word.fetch_or(5, sync::seq_cst), 10u);
  EXPECT_EQ(word.fetch_and(6, sync::seq_cst), 15u);
  EXPECT_EQ(word.exchange(1, sync::seq_cst), 6u);
  EXPECT_EQ(word.load(sync::seq_cst), 1u);
}

TEST(Atomic, FailedCompareExchangeReportsTheValueAndChangesNothing) {
  sync::Atomic<Colour> colour(Colour::kGreen);
  Colour expected = Colour::kRed;
  EXPECT_FALSE(colour.compare_exchange(expected, Colour::kRed, sync::seq_cst, sync::seq_cst));
  EXPECT_EQ(expected, Colour::kGreen);
  EXPECT_TRUE(colour.compare_exchange(expected, Colour::kRed, sync::seq_cst, sync::seq_cst));
  EXPECT_EQ(colour.load(sync::seq_cst), Colour::kRed);
}

TEST(Atomic, PointersMoveByElements) {
  std::array<int, 4> items{};
  sync::Atomic<int*> pointer(items.data());
  pointer.fetch_add(3, sync::seq_cst);
  EXPECT_EQ(pointer.load(sync::seq_cst), &items[3]);
}

TEST(AtomicRef, OperatesOnPlainMemory) {
  uint64_t memory = 1;
  sync::AtomicRef<uint64_t> ref(memory);
  EXPECT_EQ(ref.fetch_or(6, sync::seq_cst), 1u);
  uint64_t expected = 7;
  EXPECT_TRUE(ref.compare_exchange(expected, 9, sync::seq_cst, sync::seq_cst));
  EXPECT_EQ(ref.exchange(11, sync::seq_cst), 9u);
  EXPECT_EQ(memory, 11u);
}

TEST(Plain, ReadsWhatWasWritten) {
  sync::Plain<int> value(3);
  value.Write(value.Read() + 1);
  EXPECT_EQ(value.Read(), 4);
}

TEST(Time, NeverGoesBack) {
  uint64_t last = sync::NowNs();
  for (int i = 0; i < 1000; ++i) {
    const uint64_t now = sync::NowNs();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Spin, ReturnsOnceAnotherThreadFulfilsThePredicate) {
  sync::Atomic<bool> done;
  sync::Thread other([&] { done.store(true, sync::seq_cst); });
  sync::Spin([&] { return done.load(sync::seq_cst); });
}

TEST(Thread, IsJoinedByItsDestructor) {
  int written = 0;
  {
    const sync::Thread other([&] { written = 1; });
  }
  EXPECT_EQ(written, 1);
}

TEST(Parker, TokenThatComesFirstIsKept) {
  sync::Parker parker;
  parker.Unpark();
  EXPECT_TRUE(parker.ParkUntil(0));
}

TEST(Parker, SeveralUnparksLeaveOneToken) {
  sync::Parker parker;
  parker.Unpark();
  parker.Unpark();
  EXPECT_TRUE(parker.ParkUntil(0));
  EXPECT_FALSE(parker.ParkUntil(0));
}

TEST(Parker, WithoutATokenTheDeadlinePasses) {
  sync::Parker parker;
  const uint64_t deadline = sync::NowNs() + 1'000'000;
  while (parker.ParkUntil(deadline)) {
  }
  EXPECT_GE(sync::NowNs(), deadline);
}

// Every hand-over in both directions must arrive: a lost token ends in the test's time-out.
TEST(Parker, TwoThreadsThatWakeEachOtherNeverMissOne) {
  constexpr uint32_t kRounds = 20'000;
  std::array<sync::Parker, 2> parkers;
  sync::Atomic<uint32_t> ball;
  uint32_t plain = 0;  // written by whoever has the ball
  const auto play = [&](uint32_t me) {
    for (uint32_t round = me; round < kRounds; round += 2) {
      while (ball.load(sync::acquire) != round) parkers[me].Park();
      ++plain;
      ball.store(round + 1, sync::release);
      parkers[1 - me].Unpark();
    }
  };
  {
    const sync::Thread first([&] { play(0); });
    const sync::Thread second([&] { play(1); });
  }
  EXPECT_EQ(plain, kRounds);
}

// Slots end with their thread, so each test has one of its own.
TEST(ThreadSlots, BelongToTheThread) {
  int key = 0;
  int value = 0;
  sync::Thread([&] {
    ASSERT_TRUE(sync::ThreadSlots::Set(&key, &value));
    EXPECT_EQ(sync::ThreadSlots::Get(&key), &value);
    sync::Thread([&] { EXPECT_EQ(sync::ThreadSlots::Get(&key), nullptr); }).Join();
  }).Join();
  EXPECT_EQ(sync::ThreadSlots::Get(&key), nullptr);
}

TEST(ThreadSlots, RefuseOneKeyTooMany) {
  std::array<int, sync::ThreadSlots::kCapacity + 1> keys{};
  sync::Thread([&] {
    for (size_t i = 0; i < sync::ThreadSlots::kCapacity; ++i) {
      ASSERT_TRUE(sync::ThreadSlots::Set(&keys[i], &keys[i]));
    }
    EXPECT_FALSE(sync::ThreadSlots::Set(&keys.back(), &keys[0]));
    EXPECT_EQ(sync::ThreadSlots::Get(&keys.back()), nullptr);
    EXPECT_TRUE(sync::ThreadSlots::Set(&keys[3], &keys[5])) << "an existing key is overwritten";
    EXPECT_EQ(sync::ThreadSlots::Get(&keys[3]), &keys[5]);
  }).Join();
}

}  // namespace
}  // namespace paddock

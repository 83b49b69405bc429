// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/lockstep.h"

#include <algorithm>
#include <array>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/concurrency/sync.h"

namespace paddock::bench {
namespace {

bool OverlapOf(TimeSpan a, TimeSpan b) {
  const std::array<TimeSpan, 2> spans = {a, b};
  return Overlap(spans.data(), 2);
}

TEST(Lockstep, SpansOverlapThatShareAThirdOfTheLonger) {
  EXPECT_TRUE(OverlapOf({0, 100}, {0, 100}));
  EXPECT_TRUE(OverlapOf({0, 100}, {60, 160}));
  EXPECT_TRUE(OverlapOf({0, 90}, {0, 30}));
  EXPECT_FALSE(OverlapOf({0, 100}, {70, 170}));
  EXPECT_FALSE(OverlapOf({0, 100}, {0, 10}));  // one of them did not run most of the time
  EXPECT_FALSE(OverlapOf({0, 100}, {100, 200}));
  EXPECT_FALSE(OverlapOf({0, 100}, {500, 600}));
}

TEST(Lockstep, AllThreadsHearTheSame) {
  Lockstep lockstep;
  lockstep.Reset(2);
  std::array<int, 2> together{};
  const auto run = [&](int index) {
    // In the odd rounds the threads took turns.
    for (uint64_t round = 0;; ++round) {
      lockstep.MeetAwake();
      const uint64_t start_ns = round % 2 == 0 ? 0 : 100 * static_cast<uint64_t>(index);
      if (lockstep.WereTogether(index, {start_ns, start_ns + 100})) {
        ++together[static_cast<size_t>(index)];
      }
      if (lockstep.IsEnough(index, round == 9)) return;
    }
  };
  {
    sync::Thread other([&] { run(1); });
    run(0);
  }
  EXPECT_EQ(together, (std::array<int, 2>{5, 5}));
}

TEST(Lockstep, OtherNumbersOfThreadsMeetAfterAReset) {
  Lockstep lockstep;
  for (const int threads : {2, 3, 2, 5}) {
    lockstep.Reset(threads);
    std::array<bool, 5> told{};
    const auto run = [&](int index) {
      lockstep.MeetAwake();
      told[static_cast<size_t>(index)] = lockstep.IsEnough(index, true);
    };
    {
      std::vector<sync::Thread> others;
      others.reserve(4);
      for (int index = 1; index < threads; ++index) others.emplace_back([&, index] { run(index); });
      run(0);
    }
    EXPECT_EQ(std::count(told.begin(), told.end(), true), threads);
  }
}

}  // namespace
}  // namespace paddock::bench

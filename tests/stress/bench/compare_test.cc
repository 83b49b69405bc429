// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/compare.h"

#include <vector>

#include "gtest/gtest.h"

namespace paddock::bench {
namespace {

constexpr double kTolerance = 10;

// Nine repetitions around `ns`, on a machine of that L.
Series Around(const CaseId& id, double ns, double unit_ns = 10) {
  Series series{id, {}};
  for (int i = -4; i <= 4; ++i) series.samples.push_back({ns + 0.1 * i, unit_ns});
  return series;
}

const CaseId kOpen{"open", 1};

Trend TrendOf(const Series& before, const Series& now, double tolerance = kTolerance) {
  const std::vector<Change> changes = Compare({before}, {now}, tolerance);
  EXPECT_EQ(changes.size(), 1);
  return changes[0].trend;
}

TEST(Compare, TheSameRunHasNotChanged) {
  EXPECT_EQ(TrendOf(Around(kOpen, 40), Around(kOpen, 40)), Trend::kSame);
}

TEST(Compare, AClearShiftIsWorseOrBetter) {
  EXPECT_EQ(TrendOf(Around(kOpen, 40), Around(kOpen, 50)), Trend::kWorse);
  EXPECT_EQ(TrendOf(Around(kOpen, 50), Around(kOpen, 40)), Trend::kBetter);
  EXPECT_TRUE(AnyWorse(Compare({Around(kOpen, 40)}, {Around(kOpen, 50)}, kTolerance)));
  EXPECT_FALSE(AnyWorse(Compare({Around(kOpen, 50)}, {Around(kOpen, 40)}, kTolerance)));
}

TEST(Compare, AShiftWithinTheToleranceIsNone) {
  EXPECT_EQ(TrendOf(Around(kOpen, 40), Around(kOpen, 43)), Trend::kSame);
  EXPECT_EQ(TrendOf(Around(kOpen, 40), Around(kOpen, 43), 5), Trend::kWorse);
}

TEST(Compare, SeveralThreadsHaveTwiceTheTolerance) {
  EXPECT_EQ(TrendOf(Around({"open", 2}, 40), Around({"open", 2}, 47)), Trend::kSame);
  EXPECT_EQ(TrendOf(Around({"open", 2}, 40), Around({"open", 2}, 50)), Trend::kWorse);
}

TEST(Compare, AShiftThatChanceExplainsIsNone) {
  Series before = Around(kOpen, 40);
  Series now = Around(kOpen, 40);
  for (size_t i = 0; i < 5; ++i) now.samples[i].ns = 60;  // the median, but not the rest
  for (size_t i = 0; i < 4; ++i) before.samples[i].ns = 59;
  EXPECT_EQ(TrendOf(before, now), Trend::kSame);
}

TEST(Compare, AMachineThatRunsAtHalfItsSpeedDoesNotCount) {
  EXPECT_EQ(TrendOf(Around(kOpen, 40, 10), Around(kOpen, 80, 20)), Trend::kSame);
}

TEST(Compare, AFewRepetitionsCannotTell) {
  Series before = Around(kOpen, 40);
  Series now = Around(kOpen, 400);
  before.samples.resize(3);
  now.samples.resize(3);
  EXPECT_EQ(TrendOf(before, now), Trend::kTooFew);
}

TEST(Compare, CasesOfOneRunOnlyAreNamed) {
  const std::vector<Change> changes =
      Compare({Around({"old", 1}, 40)}, {Around({"new", 1}, 40)}, kTolerance);
  ASSERT_EQ(changes.size(), 2);
  EXPECT_EQ(changes[0].id.name, "new");
  EXPECT_EQ(changes[0].trend, Trend::kOnlyNow);
  EXPECT_EQ(changes[1].id.name, "old");
  EXPECT_EQ(changes[1].trend, Trend::kOnlyBefore);
  EXPECT_FALSE(AnyWorse(changes));
}

TEST(Compare, TheNumberOfThreadsIsPartOfTheCase) {
  const std::vector<Change> changes =
      Compare({Around({"open", 1}, 40)}, {Around({"open", 2}, 400)}, kTolerance);
  EXPECT_EQ(changes.size(), 2);
}

}  // namespace
}  // namespace paddock::bench

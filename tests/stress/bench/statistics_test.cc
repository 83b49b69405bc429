// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/statistics.h"

#include <vector>

#include "gtest/gtest.h"

namespace paddock::bench {
namespace {

std::vector<double> Ascending(double first, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(first + i);
  return values;
}

TEST(Statistics, TheMedianIsTheMiddleOrTheMeanOfBothMiddles) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(Median({7}), 7);
}

TEST(Statistics, SpreadIsTheDistanceOfTheQuartilesBesideTheMedian) {
  EXPECT_DOUBLE_EQ(Spread({1, 2, 3, 4, 5}), 2.0 / 3);
  EXPECT_EQ(Spread({5, 5, 5}), 0);
  EXPECT_EQ(Spread({0}), 0);
  EXPECT_DOUBLE_EQ(Spread({1, 2, 3, 4, 1000}), 2.0 / 3);  // one that was disturbed
}

// The ranks are those of tables of the sign test at 95 %.
TEST(Statistics, TheIntervalOfTheMedianHasTheRanksOfTheSignTest) {
  for (const auto& [count, rank] : {std::pair{5, 1}, {6, 1}, {9, 2}, {15, 4}, {20, 6}}) {
    const Interval interval = MedianInterval(Ascending(1, count));
    EXPECT_EQ(interval.low, rank) << count;
    EXPECT_EQ(interval.high, count + 1 - rank) << count;
  }
  EXPECT_EQ(MedianInterval({4}).low, 4);
  // Of so many that their exact probabilities are no numbers: 2000 / 2 - 0.98 * sqrt(2000) = 956.2.
  const Interval many = MedianInterval(Ascending(1, 2000));
  EXPECT_EQ(many.low, 956);
  EXPECT_EQ(many.high, 1045);
}

// 2 / C(n + m, n), where all of one list lie below all of the other.
TEST(Statistics, ListsThatLieApartAreAsUnlikelyAsTheirOrder) {
  EXPECT_NEAR(MannWhitneyP(Ascending(0, 3), Ascending(10, 3)), 2.0 / 20, 1e-12);
  EXPECT_NEAR(MannWhitneyP(Ascending(10, 5), Ascending(0, 5)), 2.0 / 252, 1e-12);
  EXPECT_NEAR(MannWhitneyP(Ascending(0, 9), Ascending(10, 9)), 2.0 / 48620, 1e-12);
  EXPECT_NEAR(MannWhitneyP(Ascending(0, 1), Ascending(10, 4)), 2.0 / 5, 1e-12);
}

// U = 3 of 4 and 5 values: 7 of the 126 orders have at most 3 wins.
TEST(Statistics, AnExactProbabilityIsThatOfTheTable) {
  EXPECT_NEAR(MannWhitneyP({1, 2, 3, 7}, {4, 5, 6, 8, 9}), 2.0 * 7 / 126, 1e-12);
}

TEST(Statistics, TheSameValuesAreNoSurprise) {
  EXPECT_EQ(MannWhitneyP({5, 5, 5}, {5, 5, 5}), 1);
  EXPECT_EQ(MannWhitneyP(Ascending(0, 9), Ascending(0, 9)), 1);
}

TEST(Statistics, TiesAndManyValuesUseTheNormalApproximation) {
  EXPECT_LT(MannWhitneyP(Ascending(0, 60), Ascending(100, 60)), 1e-9);
  EXPECT_GT(MannWhitneyP(Ascending(0, 60), Ascending(1, 60)), 0.5);
  EXPECT_LT(MannWhitneyP({1, 1, 1, 2, 2, 2, 1, 1}, {3, 3, 4, 4, 3, 3, 4, 4}), 0.01);
}

}  // namespace
}  // namespace paddock::bench

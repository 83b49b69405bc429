// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/statistics.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/stress/report/histogram.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

TEST(LatencyHistogram, EveryPercentileIsAtMostOneThirtySecondAboveTheTruth) {
  std::mt19937_64 random(TestSeed());
  std::vector<uint64_t> values;
  LatencyHistogram histogram;
  for (int i = 0; i < 20000; ++i) {
    // Evenly over the magnitudes, from 0 to 2^40.
    const uint64_t value = random() >> (24 + random() % 40);
    values.push_back(value);
    histogram.Record(value);
  }
  std::sort(values.begin(), values.end());
  for (const double fraction : {0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<size_t>(std::ceil(fraction * values.size()));
    const uint64_t truth = values[rank - 1];
    const uint64_t found = histogram.Percentile(fraction);
    EXPECT_GE(found, truth) << fraction;
    EXPECT_LE(found, truth + truth / 32) << fraction;
  }
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.count(), values.size());
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  for (uint64_t value = 0; value < 64; ++value) {
    LatencyHistogram histogram;
    histogram.Record(value);
    histogram.Record(1000);
    EXPECT_EQ(histogram.Percentile(0.5), value);
  }
}

TEST(LatencyHistogram, TheEdgesOfEveryPowerOfTwoStayWithinTheError) {
  for (int bit = 0; bit < 40; ++bit) {
    for (const int64_t offset : {-1, 0, 1}) {
      const uint64_t value = (uint64_t{1} << bit) + offset;
      if (value >> 40) continue;
      LatencyHistogram histogram;
      histogram.Record(value);
      histogram.Record((uint64_t{1} << 40) - 1);
      EXPECT_GE(histogram.Percentile(0.5), value);
      EXPECT_LE(histogram.Percentile(0.5), value + value / 32);
    }
  }
}

TEST(LatencyHistogram, AnEmptyOneIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.Percentile(0.5), 0u);
  EXPECT_EQ(histogram.max(), 0u);
}

TEST(LatencyHistogram, HugeValuesShareTheLastBucketAndTheMaximumIsExact) {
  LatencyHistogram histogram;
  histogram.Record(~uint64_t{0} - 5);
  histogram.Record(uint64_t{1} << 50);
  EXPECT_EQ(histogram.max(), ~uint64_t{0} - 5);
  EXPECT_EQ(histogram.Percentile(0.5), ~uint64_t{0} - 5);
}

TEST(LatencyHistogram, MergingIsRecordingBoth) {
  LatencyHistogram a, b, both;
  for (uint64_t i = 1; i < 1000; ++i) {
    a.Record(i);
    b.Record(i * i);
    both.Record(i);
    both.Record(i * i);
  }
  a.Merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.max(), both.max());
  for (const double fraction : {0.01, 0.5, 0.99}) {
    EXPECT_EQ(a.Percentile(fraction), both.Percentile(fraction));
  }
}

TEST(WorkerStatistics, WorkersAddUpAndWhatNeverHappenedIsLeftOut) {
  const std::vector<std::string> names = {"map", "unmap", "query"};
  WorkerStatistics a(names.size()), b(names.size());
  a.Record(0, 10);
  a.Count(0, 9);
  b.Record(0, 50);
  b.Record(2, 7);
  const WorkerStatistics* workers[] = {&a, &b};
  const std::vector<OperationSummary> all = Summarise(names, workers);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "map");
  EXPECT_EQ(all[0].count, 11u);
  EXPECT_EQ(all[0].p50_ns, 10u);
  EXPECT_EQ(all[0].max_ns, 50u);
  EXPECT_EQ(all[1].name, "query");
  EXPECT_EQ(a.total() + b.total(), 12u);
}

TEST(WorkerStatistics, TheTotalCanBeReadWhileTheWorkerCounts) {
  WorkerStatistics worker(1);
  std::thread writer([&] {
    for (int i = 0; i < 10000; ++i) worker.Record(0, i);
  });
  uint64_t last = 0;
  while (last < 10000) {
    const uint64_t now = worker.total();
    ASSERT_GE(now, last);
    last = now;
  }
  writer.join();
  EXPECT_EQ(worker.total(), 10000u);
}

}  // namespace
}  // namespace paddock

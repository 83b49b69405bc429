// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/results.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace paddock::bench {
namespace {

const CaseId kOpen{"open", 1};
const CaseId kOpenTwice{"open", 2};

void AddAll(Results& results, const CaseId& id, const std::vector<double>& ns, double unit_ns = 1) {
  for (const double each : ns) results.Add(id, {each, unit_ns});
}

Row RowOf(const Results& results, const CaseId& id) {
  for (Row& row : results.Rows()) {
    if (row.id == id) return row;
  }
  ADD_FAILURE() << "no row " << id.Text();
  return {};
}

TEST(Results, ARatioIsToTheUnitBesideEachRepetition) {
  Results results;
  // The machine ran at half its speed in the second and third round.
  results.Add(kOpen, {40, 10});
  results.Add(kOpen, {80, 20});
  results.Add(kOpen, {81, 20});
  const Row row = RowOf(results, kOpen);
  EXPECT_EQ(row.median_ns, 80);
  EXPECT_EQ(row.ratio, 4);
}

TEST(Results, CasesAreComparedWithinRounds) {
  Results results;
  results.Compare({kOpenTwice, kOpen, Measure::kCost, 1.5});
  AddAll(results, kOpen, {10, 20, 30});
  AddAll(results, kOpenTwice, {11, 22, 33});
  const Row row = RowOf(results, kOpenTwice);
  EXPECT_DOUBLE_EQ(row.compared_ratio, 1.1);
  EXPECT_EQ(row.verdict, Verdict::kPass);
  EXPECT_EQ(row.ReferenceText(), "one thread");
}

TEST(Results, AThroughputHasToBeAtLeastItsTarget) {
  Results results;
  results.Compare({kOpen, CaseId{"memcpy", 1}, Measure::kThroughput, 0.8});
  AddAll(results, kOpen, {20});
  AddAll(results, {"memcpy", 1}, {10});
  const Row row = RowOf(results, kOpen);
  EXPECT_EQ(row.compared_ratio, 0.5);
  EXPECT_EQ(row.VerdictText(), "miss by 38%");
  EXPECT_EQ(row.ReferenceText(), "memcpy");
}

TEST(Results, WithoutItsReferenceACaseHasNoVerdict) {
  Results results;
  results.Compare({kOpenTwice, kOpen, Measure::kCost, 1.1});
  AddAll(results, kOpenTwice, {11});
  EXPECT_FALSE(RowOf(results, kOpenTwice).comparison);
  EXPECT_EQ(RowOf(results, kOpenTwice).VerdictText(), "");
}

TEST(Results, ARepetitionWithoutATimeIsNone) {
  Results results;
  results.Add(kOpen, {0, 1});
  results.Add(kOpen, {1, 0});
  EXPECT_TRUE(results.empty());
}

TEST(Results, ARoundWithoutATimeShiftsNoOther) {
  Results results;
  results.Compare({kOpenTwice, kOpen, Measure::kCost, 1.5});
  AddAll(results, kOpen, {10, 1000, 30});
  AddAll(results, kOpenTwice, {11, 0, 33});
  EXPECT_DOUBLE_EQ(RowOf(results, kOpenTwice).compared_ratio, 1.1);
}

TEST(Results, RowsComeInTheOrderThatIsAskedFor) {
  Results results;
  for (const char* name : {"c", "a", "b", "d"}) AddAll(results, {name, 1}, {1});
  results.Order({{"a", 1}, {"b", 1}, {"c", 1}});
  std::string names;
  for (const Row& row : results.Rows()) names += row.id.name;
  EXPECT_EQ(names, "abcd");
}

TEST(Results, OtherDesignsAreComparedOnAsManyThreads) {
  Results results;
  results.Against({"open", "L", "lock_unlock", 1});
  results.Against({"open", "mutex", "mutex/query"});
  AddAll(results, kOpen, {30});
  AddAll(results, kOpenTwice, {40});
  AddAll(results, {"lock_unlock", 1}, {10});
  AddAll(results, {"mutex/query", 2}, {80});
  const RatioTable table = results.Ratios();
  EXPECT_EQ(table.columns, (std::vector<std::string>{"L", "mutex"}));
  ASSERT_EQ(table.lines.size(), 2);
  EXPECT_EQ(table.lines[0].ratios, (std::vector<std::optional<double>>{3, std::nullopt}));
  EXPECT_EQ(table.lines[1].ratios, (std::vector<std::optional<double>>{4, 0.5}));
}

TEST(Verdicts, TheMedianDecidesWhereTheIntervalIsClear) {
  EXPECT_EQ(VerdictOf({1, 1, 1}, 1.5, Measure::kCost), Verdict::kPass);
  EXPECT_EQ(VerdictOf({2, 2, 2}, 1.5, Measure::kCost), Verdict::kMiss);
  EXPECT_EQ(VerdictOf({2, 2, 2}, 1.5, Measure::kThroughput), Verdict::kPass);
  // One repetition in nine says nothing.
  EXPECT_EQ(VerdictOf({1, 1, 1, 1, 1, 1, 1, 1, 9}, 1.5, Measure::kCost), Verdict::kPass);
}

TEST(Verdicts, AWideIntervalAroundTheTargetIsNoisy) {
  EXPECT_EQ(VerdictOf({1, 1.4, 1.6, 2}, 1.5, Measure::kCost), Verdict::kNoisy);
  EXPECT_EQ(VerdictOf({1, 1, 1, 2}, 1.5, Measure::kCost), Verdict::kNoisy);
  // A narrow one is as good as a point.
  EXPECT_EQ(VerdictOf({1.48, 1.49, 1.51}, 1.5, Measure::kCost), Verdict::kPass);
  EXPECT_EQ(VerdictOf({1.49, 1.52, 1.53}, 1.5, Measure::kCost), Verdict::kMiss);
}

TEST(Verdicts, TheMachineIsWhatTheUnitCostsOnTwoThreads) {
  Results results;
  EXPECT_EQ(results.MachineRatio(), 1);
  AddAll(results, {kUnitCase, 1}, {10, 10});
  AddAll(results, {kUnitCase, 2}, {13, 13});
  EXPECT_DOUBLE_EQ(results.MachineRatio(), 1.3);
}

TEST(Verdicts, AFigureMeetsItsTargetOrNot) {
  EXPECT_EQ((Figure{"memory", "%", 1.8, 1.8}).verdict(), Verdict::kPass);
  EXPECT_EQ((Figure{"memory", "%", 1.9, 1.8}).verdict(), Verdict::kMiss);
}

}  // namespace
}  // namespace paddock::bench

// SPDX-License-Identifier: Apache-2.0
//
// The command line of ./paddock explore and its reports.

#include "paddock/stress/explore/options.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "paddock/stress/explore/results.h"

namespace paddock::explore {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const std::string& arg) {
  const absl::StatusOr<Options> options = ParseOptions({arg});
  return options.ok() ? "none" : std::string(options.status().message());
}

TEST(ExploreOptions, WithoutFlagsEveryScenarioIsSearchedDepthFirst) {
  const absl::StatusOr<Options> options = ParseOptions({});
  ASSERT_TRUE(options.ok());
  EXPECT_GT(options->scenarios.size(), 20u);
  EXPECT_EQ(options->method, model::Search::Method::kDepthFirst);
  EXPECT_FALSE(options->bound.has_value());
}

TEST(ExploreOptions, FirstPartOfANameMeansAFamily) {
  const absl::StatusOr<Options> options = ParseOptions({"--scenario=rcu,spin_lock"});
  ASSERT_TRUE(options.ok());
  EXPECT_GE(options->scenarios.size(), 5u);
  EXPECT_EQ(options->scenarios.front()->name, "rcu_retire");
  EXPECT_EQ(options->scenarios.back()->name, "spin_lock");
}

TEST(ExploreOptions, AScenarioThatIsNamedTwiceIsRunOnce) {
  const absl::StatusOr<Options> options = ParseOptions({"--scenario=rcu,rcu_retire,rcu"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(std::ranges::count(options->scenarios, "rcu_retire", &model::Scenario::name), 1);
}

TEST(ExploreOptions, TokenNamesItsScenario) {
  const absl::StatusOr<Options> options = ParseOptions({"--replay=spin_lock:3t1.7r2"});
  ASSERT_TRUE(options.ok());
  ASSERT_EQ(options->scenarios.size(), 1u);
  EXPECT_EQ(options->scenarios.front()->name, "spin_lock");
  EXPECT_EQ(model::EncodeSchedule(*options->replay), "3t1.7r2");
}

TEST(ExploreOptions, WrongValuesAreRefusedWithTheRule) {
  EXPECT_THAT(ErrorOf("--scenario=lock_spin"),
              HasSubstr("no scenario 'lock_spin'; there are spin"));
  EXPECT_THAT(ErrorOf("--strategy=bfs"), HasSubstr("strategies are dfs, pct and random"));
  EXPECT_THAT(ErrorOf("--bound=two"), HasSubstr("number of deviations"));
  EXPECT_THAT(ErrorOf("--depth=0"), HasSubstr("from 1 to 100"));
  EXPECT_THAT(ErrorOf("--depth=101"), HasSubstr("from 1 to 100"));
  EXPECT_THAT(ErrorOf("--budget=inf"), HasSubstr("a time like"));
  EXPECT_THAT(ErrorOf("--seed=x"), HasSubstr("a seed is a number"));
  EXPECT_THAT(ErrorOf("--executions=0"), HasSubstr("above 0"));
  EXPECT_THAT(ErrorOf("--budget=60"), HasSubstr("a time like"));
  EXPECT_THAT(ErrorOf("--replay=spin_lock"), HasSubstr("SCENARIO:SCHEDULE"));
  EXPECT_THAT(ErrorOf("--replay=spin_lock:3x"), HasSubstr("no schedule"));
  EXPECT_THAT(ErrorOf("--progress=loud"), HasSubstr("auto, bar, plain or none"));
  EXPECT_THAT(ErrorOf("--json"), HasSubstr("needs a value"));
  EXPECT_THAT(ErrorOf("--frobnicate=1"), HasSubstr("no flag --frobnicate; there are --scenario"));
}

Row FailedRow() {
  Row row{.scenario = "spin_lock", .strategy = "dfs", .result = model::Exploration{}};
  row.result->executions = 12;
  row.result->violation = model::Violation{
      .kind = "data race", .message = "a < b", .token = "3t1", .trace = "  tick\n"};
  return row;
}

TEST(ExploreResults, JsonHasARowForEachScenario) {
  Row passed{.scenario = "parkers", .strategy = "dfs", .result = model::Exploration{}};
  passed.result->complete = true;
  passed.result->bound = model::DepthFirst::kUnbounded;
  const nlohmann::json rows = nlohmann::json::parse(JsonRows({passed, FailedRow()}));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["verdict"], "pass");
  EXPECT_EQ(rows[0]["bound"], "none");
  EXPECT_EQ(rows[0]["complete"], true);
  EXPECT_EQ(rows[1]["verdict"], "fail");
  EXPECT_TRUE(rows[1]["bound"].is_null());
  EXPECT_EQ(rows[1]["executions"], 12);
  EXPECT_EQ(rows[1]["replay"], "spin_lock:3t1");
}

TEST(ExploreResults, JunitCountsAndEscapesFailures) {
  const std::string xml = JunitRows({FailedRow()});
  EXPECT_THAT(xml, HasSubstr("tests=\"1\" failures=\"1\""));
  EXPECT_THAT(xml, HasSubstr("data race: a &lt; b"));
}

TEST(ExploreOptions, SeedsAreWrittenAsTheHarnessWritesThem) {
  EXPECT_EQ(ParseOptions({"--seed=0x1f"})->seed, 31u);
  EXPECT_EQ(ParseOptions({"--seed=18446744073709551615"})->seed, ~uint64_t{0});
  EXPECT_THAT(ErrorOf("--seed=18446744073709551616"), HasSubstr("below 2^64, as 7 or 0x7"));
}

TEST(ExploreResults, WhatASignalLeftOutIsCountedAndNamed) {
  const Row passed{.scenario = "parkers", .strategy = "pct", .result = model::Exploration{}};
  const Row left{.scenario = "spin_lock", .strategy = "pct", .result = {}};
  EXPECT_EQ(Verdict({passed, left, left}), "\nINTERRUPTED: 1 of 3 scenarios passed; 2 not run\n");
  EXPECT_EQ(Verdict({FailedRow(), left}), "\nFAIL: 0 of 2 scenarios passed; 1 not run\n");
  EXPECT_EQ(Verdict({passed}), "\nPASS: 1 of 1 scenarios passed\n");
  EXPECT_EQ(Explain(left), "");
  EXPECT_EQ(nlohmann::json::parse(JsonRows({left}))[0]["verdict"], "not run");
  EXPECT_THAT(JunitRows({left}), HasSubstr("failures=\"0\" skipped=\"1\""));
}

TEST(ExploreResults, ExplanationSaysHowToRunItAgain) {
  EXPECT_THAT(Explain(FailedRow()), HasSubstr("./paddock explore --replay=spin_lock:3t1"));
}

}  // namespace
}  // namespace paddock::explore

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/json.h"

#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace paddock::bench {
namespace {

using testing::HasSubstr;

Results SomeResults() {
  Results results;
  results.Compare({{"open", 2}, CaseId{"open", 1}, Measure::kCost, 1.1});
  results.Against({"open", "mutex", "mutex/query", 1});
  for (const double ns : {40, 50, 60}) {
    results.Add({"open", 1}, {ns, 10});
    results.Add({"open", 2}, {2 * ns, 10});
    results.Add({"mutex/query", 1}, {2 * ns, 10});
  }
  results.Add(Figure{"memory", "%", 1.75, 1.8});
  return results;
}

TEST(Json, ARowHasItsNames) {
  const nlohmann::json rows = nlohmann::json::parse(JsonText(SomeResults(), "a machine"));
  ASSERT_EQ(rows.size(), 4);
  EXPECT_EQ(rows[0]["name"], "open/threads:1");
  EXPECT_EQ(rows[0]["median_ns"], 50);
  EXPECT_EQ(rows[0]["ratio"], 5);
  EXPECT_TRUE(rows[0]["target"].is_null());
  EXPECT_TRUE(rows[0]["verdict"].is_null());
  EXPECT_EQ(rows[0]["baselines"]["mutex"], 0.5);
  EXPECT_EQ(rows[0]["samples_ns"].size(), 3);
  EXPECT_EQ(rows[0]["machine"], "a machine");
  EXPECT_EQ(rows[1]["target"], 1.1);
  EXPECT_EQ(rows[1]["verdict"], "miss");
  EXPECT_EQ(rows[1]["baselines"]["one thread"], 2);
  EXPECT_EQ(rows[3]["value"], 1.75);
}

TEST(Json, WhatIsWrittenIsRead) {
  const Results results = SomeResults();
  const absl::StatusOr<OlderRun> run = ParseJson(JsonText(results, "a machine"));
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->machine, "a machine");
  ASSERT_EQ(run->series.size(), 3);
  EXPECT_EQ(run->series[1].id, (CaseId{"open", 2}));
  EXPECT_EQ(run->series[1].Ns(), results.series()[1].Ns());
  EXPECT_EQ(run->series[1].Ratios(), results.series()[1].Ratios());
}

void ExpectRefused(const std::string& text, const std::string& reason) {
  const absl::StatusOr<OlderRun> run = ParseJson(text);
  EXPECT_EQ(run.status().code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_THAT(std::string(run.status().message()), HasSubstr(reason)) << text;
}

TEST(Json, WhatIsNotOursIsRefusedWithItsRule) {
  ExpectRefused("", "it is not JSON");
  ExpectRefused("[{]", "it is not JSON");
  ExpectRefused(R"({"verdict": "pass"})", "not an array of rows");
  ExpectRefused("[]", "no rows with repetitions");
  ExpectRefused("[7]", "row 0: it is not an object with a name");
  ExpectRefused(R"([{"scenario": "a"}])", "row 0: it is not an object with a name");
  ExpectRefused(R"([{"name": "open"}])", "row 0: name \"open\" is not CASE/threads:N");
  ExpectRefused(R"([{"name": "open/threads:0"}])", "is not CASE/threads:N");
  ExpectRefused(R"([{"name": "open/threads:1", "median_ns": 4}])", "no samples_ns and unit_ns");
  for (const char* samples : {"[]", "[1]", "[1, 0]", "[1, -2]", "[1, \"x\"]", "7"}) {
    ExpectRefused(std::string(R"([{"name": "a/threads:1", "unit_ns": [1, 1], "samples_ns": )") +
                      samples + "}]",
                  "not equally many numbers above 0");
  }
}

}  // namespace
}  // namespace paddock::bench

// SPDX-License-Identifier: Apache-2.0
//
// Every scenario of the explorer, searched as far as it says itself: nothing is found, all that it
// must reach is reached, and the search is complete for its bound.

#include <string>

#include "gtest/gtest.h"
#include "paddock/concurrency/model/crash.h"
#include "paddock/concurrency/model/explorer.h"
#include "paddock/stress/explore/scenarios.h"

namespace paddock::explore {
namespace {

class Scenarios : public testing::TestWithParam<model::Scenario> {};

TEST_P(Scenarios, HoldInEveryExecutionWithinTheirBound) {
  model::CatchCrashes();
  const model::Exploration result = model::Explorer(GetParam()).Run({.bound = GetParam().bound});
  if (result.violation) {
    FAIL() << result.violation->kind << ": " << result.violation->message << "\n\n"
           << result.violation->trace << "\n./paddock explore --replay=" << GetParam().name << ":"
           << result.violation->token;
  }
  EXPECT_TRUE(result.complete);
  for (const std::string& promise : result.unmet) ADD_FAILURE() << promise;
  RecordProperty("executions", std::to_string(result.executions));
}

INSTANTIATE_TEST_SUITE_P(All, Scenarios, testing::ValuesIn(AllScenarios()),
                         [](const auto& scenario) { return scenario.param.name; });

}  // namespace
}  // namespace paddock::explore

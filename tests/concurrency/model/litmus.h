// SPDX-License-Identifier: Apache-2.0
//
// Litmus tests: a few threads of a few operations, and the outcomes that the memory model allows.
//
//   const Outcomes seen = AllOutcomes([] {
//     sync::Atomic<int> x(0);
//     int r = -1;
//     { sync::Thread a([&] { x.store(1, sync::relaxed); });
//       sync::Thread b([&] { r = x.load(sync::relaxed); }); }
//     return Registers({r});
//   });
//   EXPECT_EQ(seen, (Outcomes{"0", "1"}));

#ifndef PADDOCK_TESTS_CONCURRENCY_MODEL_LITMUS_H_
#define PADDOCK_TESTS_CONCURRENCY_MODEL_LITMUS_H_

#include <array>
#include <functional>
#include <initializer_list>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "paddock/concurrency/model/explorer.h"
#include "paddock/concurrency/model/scenario.h"
#include "paddock/concurrency/sync.h"

namespace paddock {

using Outcomes = std::set<std::string>;

// "1 0 2"
inline std::string Registers(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += (text.empty() ? "" : " ") + std::to_string(value);
  return text;
}

inline constexpr std::array kStoreOrders = {sync::relaxed, sync::release, sync::seq_cst};
inline constexpr std::array kLoadOrders = {sync::relaxed, sync::acquire, sync::seq_cst};

// Every outcome that the model produces, without any bound.
inline Outcomes AllOutcomes(
    const std::function<std::string()>& test,
    model::DepthFirst::Reduction reduction = model::DepthFirst::Reduction::kSleepSets,
    uint64_t* executions = nullptr) {
  const model::Scenario scenario{
      .name = "litmus", .what = "", .body = [&] { model::Reach(test()); }, .must_reach = {}};
  const model::Exploration result = model::Explorer(scenario).Run(
      {.bound = model::DepthFirst::kUnbounded, .reduction = reduction});
  EXPECT_FALSE(result.violation.has_value())
      << result.violation->kind << ": " << result.violation->message << "\n"
      << result.violation->trace;
  EXPECT_TRUE(result.complete);
  if (executions != nullptr) *executions = result.executions + result.pruned;
  Outcomes outcomes;
  for (const auto& [outcome, count] : result.reached) outcomes.insert(outcome);
  return outcomes;
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_CONCURRENCY_MODEL_LITMUS_H_

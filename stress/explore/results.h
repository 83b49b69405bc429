// SPDX-License-Identifier: Apache-2.0
//
// What an exploration found, for people and for programs.
//
// Thread safety: pure functions.

#ifndef PADDOCK_STRESS_EXPLORE_RESULTS_H_
#define PADDOCK_STRESS_EXPLORE_RESULTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "paddock/concurrency/model/explorer.h"

namespace paddock::explore {

enum class Outcome : uint8_t { kPassed, kFailed, kNotRun };

struct Row {
  std::string scenario;
  std::string strategy;
  std::optional<model::Exploration> result;  // none: a signal came before there was one

  Outcome outcome() const {
    if (!result) return Outcome::kNotRun;
    return !result->violation && result->unmet.empty() ? Outcome::kPassed : Outcome::kFailed;
  }
  // Whether a depth-first search ended before its bound.
  bool CutOff() const {
    return strategy == "dfs" && result && !result->complete && !result->violation;
  }
};

// A table with a line for each row that was run.
std::string TableHeader();
std::string TableLine(const Row& row);

// The violation with its schedule and how to run it again, or the promises not kept; empty if the
// row did not fail.
std::string Explain(const Row& row);

// How many passed, how many searches were not complete, and how many scenarios a signal left out:
// the last line.
std::string Verdict(const std::vector<Row>& rows);

// An array of {"scenario", "strategy", "executions", "pruned", "bound" (a number, "none" if nothing
// was kept out, or null), "complete", "verdict" ("pass", "fail"), "seconds", "reached" {state:
// executions}, "message" and "replay" if it failed}; of one that was not run, the first two and the
// verdict "not run". JUnit calls those skipped.
std::string JsonRows(const std::vector<Row>& rows);
std::string JunitRows(const std::vector<Row>& rows);

}  // namespace paddock::explore

#endif  // PADDOCK_STRESS_EXPLORE_RESULTS_H_

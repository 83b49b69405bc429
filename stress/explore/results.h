// SPDX-License-Identifier: Apache-2.0
//
// What an exploration found, for people and for programs.
//
// Thread safety: pure functions.

#ifndef PADDOCK_STRESS_EXPLORE_RESULTS_H_
#define PADDOCK_STRESS_EXPLORE_RESULTS_H_

#include <string>
#include <vector>

#include "paddock/concurrency/model/explorer.h"

namespace paddock::explore {

struct Row {
  std::string scenario;
  std::string strategy;
  model::Exploration result;

  bool passed() const { return !result.violation && result.unmet.empty(); }
  // Whether a depth-first search ended before its bound.
  bool CutOff() const { return strategy == "dfs" && !result.complete && !result.violation; }
};

// A table with a line for each row.
std::string TableHeader();
std::string TableLine(const Row& row);

// The violation with its schedule and how to run it again, or the promises not kept; empty if the
// row passed.
std::string Explain(const Row& row);

// How many passed, and how many searches were not complete: the last line.
std::string Verdict(const std::vector<Row>& rows);

// An array of {"scenario", "strategy", "executions", "pruned", "bound" (a number, "none" if nothing
// was kept out, or null), "complete", "verdict" ("pass", "fail"), "seconds", "reached" {state:
// executions}, "message" and "replay" if it failed}.
std::string JsonRows(const std::vector<Row>& rows);
std::string JunitRows(const std::vector<Row>& rows);

}  // namespace paddock::explore

#endif  // PADDOCK_STRESS_EXPLORE_RESULTS_H_

// SPDX-License-Identifier: Apache-2.0
//
// A run as JSON, and back. An array of rows: `name` ("open_map/threads:2"), `median_ns`, `spread`,
// `ratio` (to L), `target` and `verdict` (null: none), `baselines` {what it is compared with: ratio
// of the costs, or of the throughputs}, `samples_ns` and `unit_ns` (each repetition and L beside
// it). What is not a time has `value` and `unit` instead of what tells of repetitions.
//
// Thread safety: pure functions.

#ifndef PADDOCK_STRESS_BENCH_JSON_H_
#define PADDOCK_STRESS_BENCH_JSON_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "paddock/stress/bench/results.h"

namespace paddock::bench {

// `machine` goes into every row, since rows of two machines are not to be compared.
std::string JsonText(const Results& results, const std::string& machine);

struct OlderRun {
  std::string machine;
  std::vector<Series> series;
};

// The repetitions in a text of JsonText's. INVALID_ARGUMENT: it is no JSON, or not such rows; the
// message names the row and the rule.
absl::StatusOr<OlderRun> ParseJson(const std::string& text);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_JSON_H_

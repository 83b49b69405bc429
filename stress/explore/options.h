// SPDX-License-Identifier: Apache-2.0
//
// What ./paddock explore is asked to do.
//
// Failure: INVALID_ARGUMENT saying what is wrong and what would be right.

#ifndef PADDOCK_STRESS_EXPLORE_OPTIONS_H_
#define PADDOCK_STRESS_EXPLORE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "paddock/concurrency/model/explorer.h"
#include "paddock/stress/report/progress.h"

namespace paddock::explore {

struct Options {
  std::vector<const model::Scenario*> scenarios;
  model::Search::Method method = model::Search::Method::kDepthFirst;
  std::optional<uint32_t> bound;  // none: each scenario's own
  uint32_t depth = 3;
  uint64_t seed = 1;
  uint64_t executions = ~uint64_t{0};         // of each scenario, at most
  absl::Duration budget = absl::Seconds(60);  // of all of them together
  std::optional<model::Schedule> replay;      // of the only scenario
  ProgressMode progress = ProgressMode::kAuto;
  std::string json;  // files; empty: none
  std::string junit;
};

absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& args);
std::string Help();

}  // namespace paddock::explore

#endif  // PADDOCK_STRESS_EXPLORE_OPTIONS_H_

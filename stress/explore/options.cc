// SPDX-License-Identifier: Apache-2.0
#include "paddock/stress/explore/options.h"

#include <algorithm>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/flag_reader.h"

ABSL_FLAG(std::string, scenario, "",
          "names, or what stands before an underscore in them, separated by commas (default: all)");
ABSL_FLAG(std::string, strategy, "",
          "dfs: every schedule up to a bound; pct: random priorities; random (default: dfs)");
ABSL_FLAG(std::string, bound, "", "dfs: deviations, or none (default: each scenario's own)");
ABSL_FLAG(std::string, depth, "", "pct: orderings that a bug needs (default: 3)");
ABSL_FLAG(std::string, seed, "", "pct, random: the seed, as 7 or 0x7 (default: 1)");
ABSL_FLAG(std::string, executions, "", "of each scenario, at most (default: no limit)");
ABSL_FLAG(std::string, budget, "",
          "time for all scenarios together: 500ms, 60s, 1h30m (default: 60s)");
ABSL_FLAG(std::string, replay, "", "token of a violation: runs that one execution again");
ABSL_FLAG(std::string, progress, "", "progress line: auto, bar, plain or none (default: auto)");
ABSL_FLAG(std::string, json, "", "file for the results as JSON");
ABSL_FLAG(std::string, junit, "", "file for the results as JUnit XML");

namespace paddock::explore {
namespace {

absl::Status Wrong(const std::string& rule) { return absl::InvalidArgumentError(rule); }

const model::Scenario* FindScenario(const std::string& name) {
  for (const model::Scenario& scenario : AllScenarios()) {
    if (scenario.name == name) return &scenario;
  }
  return nullptr;
}

absl::Status NoScenario(const std::string& name) {
  std::string text = absl::StrCat("no scenario '", name, "'; there are");
  for (const model::Scenario& scenario : AllScenarios()) absl::StrAppend(&text, " ", scenario.name);
  return absl::InvalidArgumentError(text);
}

// Whole names, or the first part of several: "rcu" means rcu_retire, rcu_nested, ...
absl::Status SetScenarios(const std::string& value, Options& options) {
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(value, ','))) {
    const bool exact = FindScenario(name) != nullptr;
    bool is_known = false;
    for (const model::Scenario& scenario : AllScenarios()) {
      if (scenario.name != name && (exact || !scenario.name.starts_with(name + "_"))) continue;
      is_known = true;
      if (!std::ranges::count(options.scenarios, &scenario)) options.scenarios.push_back(&scenario);
    }
    if (!is_known) return NoScenario(name);
  }
  return absl::OkStatus();
}

absl::Status SetStrategy(const std::string& value, Options& options) {
  if (value == "dfs") {
    options.method = model::Search::Method::kDepthFirst;
  } else if (value == "pct") {
    options.method = model::Search::Method::kPriorities;
  } else if (value == "random") {
    options.method = model::Search::Method::kRandom;
  } else {
    return Wrong("strategies are dfs, pct and random");
  }
  return absl::OkStatus();
}

absl::Status SetBound(const std::string& value, Options& options) {
  uint32_t bound = 0;
  if (value == "none") {
    options.bound = model::DepthFirst::kUnbounded;
  } else if (absl::SimpleAtoi(value, &bound) && bound <= 100) {
    options.bound = bound;
  } else {
    return Wrong("a bound is a number of deviations up to 100, or none");
  }
  return absl::OkStatus();
}

absl::Status SetDepth(const std::string& value, Options& options) {
  if (absl::SimpleAtoi(value, &options.depth) && options.depth >= 1 && options.depth <= 100) {
    return absl::OkStatus();
  }
  return Wrong("a depth is a number from 1 to 100");
}

absl::Status SetSeed(const std::string& value, Options& options) {
  const std::optional<uint64_t> seed = ParseSeed(value);
  if (!seed) return Wrong("a seed is a number below 2^64, as 7 or 0x7");
  options.seed = *seed;
  return absl::OkStatus();
}

absl::Status SetExecutions(const std::string& value, Options& options) {
  if (absl::SimpleAtoi(value, &options.executions) && options.executions != 0) {
    return absl::OkStatus();
  }
  return Wrong("executions are a number above 0");
}

absl::Status SetBudget(const std::string& value, Options& options) {
  if (absl::ParseDuration(value, &options.budget) && options.budget > absl::ZeroDuration() &&
      options.budget < absl::InfiniteDuration()) {
    return absl::OkStatus();
  }
  return Wrong("a budget is a time like 500ms, 60s or 1h30m");
}

absl::Status SetReplay(const std::string& value, Options& options) {
  const size_t colon = value.find(':');
  if (colon == std::string::npos) return Wrong("a token is SCENARIO:SCHEDULE");
  const model::Scenario* const scenario = FindScenario(value.substr(0, colon));
  if (scenario == nullptr) return NoScenario(value.substr(0, colon));
  options.replay = model::DecodeSchedule(value.substr(colon + 1));
  if (!options.replay) return Wrong("what follows the colon is no schedule, like 12t1.40r2 or -");
  options.scenarios = {scenario};
  return absl::OkStatus();
}

absl::Status SetProgress(const std::string& value, Options& options) {
  const std::optional<ProgressMode> mode = ParseProgressMode(value);
  if (!mode) return Wrong("progress is auto, bar, plain or none");
  options.progress = *mode;
  return absl::OkStatus();
}

absl::Status SetJson(const std::string& value, Options& options) {
  options.json = value;
  return absl::OkStatus();
}
absl::Status SetJunit(const std::string& value, Options& options) {
  options.junit = value;
  return absl::OkStatus();
}

// In the order of the help text.
constexpr struct {
  const char* name;
  absl::Status (*set)(const std::string& value, Options& options);
} kFlags[] = {
    {"scenario", &SetScenarios}, {"strategy", &SetStrategy}, {"bound", &SetBound},
    {"depth", &SetDepth},        {"seed", &SetSeed},         {"executions", &SetExecutions},
    {"budget", &SetBudget},      {"replay", &SetReplay},     {"progress", &SetProgress},
    {"json", &SetJson},          {"junit", &SetJunit},
};

std::vector<std::string> FlagNames() {
  std::vector<std::string> names;
  for (const auto& flag : kFlags) names.push_back(flag.name);
  return names;
}

}  // namespace

absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& args) {
  if (absl::Status status = ReadFlags(FlagNames(), args); !status.ok()) return status;
  Options options;
  for (const auto& flag : kFlags) {
    const std::string value = absl::FindCommandLineFlag(flag.name)->CurrentValue();
    if (value.empty()) continue;
    if (const absl::Status status = flag.set(value, options); !status.ok()) {
      return WrongFlag(flag.name, value, std::string(status.message()));
    }
  }
  const absl::Status distinct =
      CheckDistinctFiles({{"json", options.json}, {"junit", options.junit}});
  if (!distinct.ok()) return distinct;
  if (options.scenarios.empty()) {
    for (const model::Scenario& scenario : AllScenarios()) options.scenarios.push_back(&scenario);
  }
  return options;
}

std::string Help() {
  std::string text = "usage: ./paddock explore [flags]\n\n" + DescribeFlags(FlagNames());
  absl::StrAppend(&text, "\nScenarios:\n");
  for (const model::Scenario& scenario : AllScenarios()) {
    absl::StrAppendFormat(&text, "  %-26s %s\n", scenario.name, scenario.what);
  }
  absl::StrAppend(
      &text,
      "\nColumns: executions that ran to their end; pruned: cut short, since they repeat others;\n"
      "the highest bound that was finished; complete: every execution within the bound was run.\n"
      "\nExit status: 0 nothing found; 1 a violation, or a scenario that did not keep "
      "its promises;\n2 bad usage; 3 a report, or this output, cannot be written; 130 or "
      "143 SIGINT or SIGTERM left\nscenarios out.\n");
  return text;
}

}  // namespace paddock::explore

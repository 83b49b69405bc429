// SPDX-License-Identifier: Apache-2.0
#include "paddock/stress/explore/options.h"

#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "paddock/stress/explore/scenarios.h"

namespace paddock::explore {
namespace {

struct Flag {
  std::string_view name;
  std::string_view meaning;
  absl::Status (*set)(std::string_view value, Options& options);
};

absl::Status Wrong(std::string_view rule) {
  return absl::InvalidArgumentError(absl::string_view(rule.data(), rule.size()));
}

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

const model::Scenario* FindScenario(std::string_view name) {
  for (const model::Scenario& scenario : AllScenarios()) {
    if (scenario.name == name) return &scenario;
  }
  return nullptr;
}

absl::Status NoScenario(std::string_view name) {
  std::string text = absl::StrCat("no scenario '", ToAbsl(name), "'; there are");
  for (const model::Scenario& scenario : AllScenarios()) absl::StrAppend(&text, " ", scenario.name);
  return absl::InvalidArgumentError(text);
}

// Whole names, or the first part of several: "rcu" means rcu_retire, rcu_nested, ...
absl::Status SetScenarios(std::string_view value, Options& options) {
  for (const absl::string_view part : absl::StrSplit(ToAbsl(value), ',')) {
    const std::string_view name(part.data(), part.size());
    const size_t before = options.scenarios.size();
    if (const model::Scenario* const exact = FindScenario(name)) {
      options.scenarios.push_back(exact);
      continue;
    }
    for (const model::Scenario& scenario : AllScenarios()) {
      if (scenario.name.starts_with(std::string(name) + "_")) {
        options.scenarios.push_back(&scenario);
      }
    }
    if (options.scenarios.size() == before) return NoScenario(name);
  }
  return absl::OkStatus();
}

absl::Status SetStrategy(std::string_view value, Options& options) {
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

absl::Status SetBound(std::string_view value, Options& options) {
  uint32_t bound = 0;
  if (value == "none") {
    options.bound = model::DepthFirst::kUnbounded;
  } else if (absl::SimpleAtoi(ToAbsl(value), &bound) && bound <= 100) {
    options.bound = bound;
  } else {
    return Wrong("a bound is a number of deviations up to 100, or none");
  }
  return absl::OkStatus();
}

absl::Status SetDepth(std::string_view value, Options& options) {
  if (absl::SimpleAtoi(ToAbsl(value), &options.depth) && options.depth >= 1)
    return absl::OkStatus();
  return Wrong("a depth is a number above 0");
}

absl::Status SetSeed(std::string_view value, Options& options) {
  if (absl::SimpleAtoi(ToAbsl(value), &options.seed)) return absl::OkStatus();
  return Wrong("a seed is a number");
}

absl::Status SetExecutions(std::string_view value, Options& options) {
  if (absl::SimpleAtoi(ToAbsl(value), &options.executions) && options.executions != 0) {
    return absl::OkStatus();
  }
  return Wrong("executions are a number above 0");
}

absl::Status SetBudget(std::string_view value, Options& options) {
  if (absl::ParseDuration(ToAbsl(value), &options.budget) &&
      options.budget > absl::ZeroDuration()) {
    return absl::OkStatus();
  }
  return Wrong("a budget is a time like 500ms, 60s or 1h30m");
}

absl::Status SetReplay(std::string_view value, Options& options) {
  const size_t colon = value.find(':');
  if (colon == std::string_view::npos) return Wrong("a token is SCENARIO:SCHEDULE");
  const model::Scenario* const scenario = FindScenario(value.substr(0, colon));
  if (scenario == nullptr) return NoScenario(value.substr(0, colon));
  options.replay = model::DecodeSchedule(value.substr(colon + 1));
  if (!options.replay) return Wrong("what follows the colon is no schedule, like 12t1.40r2 or -");
  options.scenarios = {scenario};
  return absl::OkStatus();
}

absl::Status SetProgress(std::string_view value, Options& options) {
  const std::optional<ProgressMode> mode = ParseProgressMode(value);
  if (!mode) return Wrong("progress is auto, bar, plain or none");
  options.progress = *mode;
  return absl::OkStatus();
}

absl::Status SetJson(std::string_view value, Options& options) {
  options.json = value;
  return absl::OkStatus();
}
absl::Status SetJunit(std::string_view value, Options& options) {
  options.junit = value;
  return absl::OkStatus();
}

constexpr Flag kFlags[] = {
    {"scenario", "names or first parts of names, separated by commas (default: all)",
     &SetScenarios},
    {"strategy", "dfs: every schedule up to a bound; pct: random priorities; random (default: dfs)",
     &SetStrategy},
    {"bound", "dfs: deviations, or none (default: each scenario's own)", &SetBound},
    {"depth", "pct: orderings that a bug needs (default: 3)", &SetDepth},
    {"seed", "pct, random: the seed (default: 1)", &SetSeed},
    {"executions", "of each scenario, at most (default: no limit)", &SetExecutions},
    {"budget", "time for all scenarios together: 500ms, 60s, 1h30m (default: 60s)", &SetBudget},
    {"replay", "token of a violation: runs that one execution again", &SetReplay},
    {"progress", "progress line: auto, bar, plain or none (default: auto)", &SetProgress},
    {"json", "file for the results as JSON", &SetJson},
    {"junit", "file for the results as JUnit XML", &SetJunit},
};

absl::Status Apply(std::string_view arg, Options& options) {
  const size_t equals = arg.find('=');
  for (const Flag& flag : kFlags) {
    if (!arg.starts_with("--") || arg.substr(2, equals - 2) != flag.name) continue;
    if (equals == std::string_view::npos || equals + 1 == arg.size()) {
      return absl::InvalidArgumentError(absl::StrCat(ToAbsl(arg), " needs a value"));
    }
    const absl::Status status = flag.set(arg.substr(equals + 1), options);
    if (status.ok()) return status;
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(arg), ": ", status.message()));
  }
  std::string text = absl::StrCat("no flag '", ToAbsl(arg), "'; there are");
  for (const Flag& flag : kFlags) absl::StrAppend(&text, " --", ToAbsl(flag.name), "=");
  return absl::InvalidArgumentError(text);
}

}  // namespace

absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& args) {
  Options options;
  for (const std::string& arg : args) {
    if (absl::Status status = Apply(arg, options); !status.ok()) return status;
  }
  if (options.scenarios.empty()) {
    for (const model::Scenario& scenario : AllScenarios()) options.scenarios.push_back(&scenario);
  }
  return options;
}

bool WantsHelp(const std::vector<std::string>& args) {
  for (const std::string& arg : args) {
    if (arg == "--help" || arg == "-h") return true;
  }
  return false;
}

std::string Help() {
  std::string text = "usage: ./paddock explore [--flag=value]...\n\n";
  for (const Flag& flag : kFlags) {
    absl::StrAppend(&text, "  --", ToAbsl(flag.name),
                    std::string(flag.name.size() < 12 ? 12 - flag.name.size() : 1, ' '),
                    ToAbsl(flag.meaning), "\n");
  }
  absl::StrAppend(&text, "\nScenarios:\n");
  for (const model::Scenario& scenario : AllScenarios()) {
    absl::StrAppend(&text, "  ", scenario.name,
                    std::string(scenario.name.size() < 22 ? 22 - scenario.name.size() : 1, ' '),
                    scenario.what, "\n");
  }
  absl::StrAppend(&text,
                  "\nExit status: 0 nothing found; 1 a violation, or a scenario that did not keep "
                  "its promises;\n2 bad usage; 3 a report cannot be written.\n");
  return text;
}

}  // namespace paddock::explore

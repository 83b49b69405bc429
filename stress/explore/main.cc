// SPDX-License-Identifier: Apache-2.0
//
// ./paddock explore: runs scenarios on the model backend. The reports are written before what
// explains them; of several exit statuses, the first of 1 and 3.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "paddock/concurrency/model/crash.h"
#include "paddock/stress/explore/options.h"
#include "paddock/stress/explore/results.h"
#include "paddock/stress/flag_reader.h"
#include "paddock/stress/report/atomic_file.h"
#include "paddock/stress/report/write_text.h"

namespace paddock::explore {
namespace {

constexpr int kExitPassed = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitEnvironment = 3;

std::string StrategyName(const Options& options) {
  if (options.replay) return "replay";
  switch (options.method) {
    case model::Search::Method::kDepthFirst:
      return "dfs";
    case model::Search::Method::kPriorities:
      return "pct";
    case model::Search::Method::kRandom:
      return "random";
  }
  return "?";
}

model::Exploration ExploreOne(const Options& options, const model::Scenario& scenario,
                              absl::Duration budget) {
  model::Explorer explorer(scenario);
  if (options.replay) return explorer.ReplaySchedule(*options.replay);
  const Output kind = isatty(STDERR_FILENO) != 0 ? Output::kTerminal : Output::kOther;
  ProgressLine progress(options.progress, {.seconds = absl::ToDoubleSeconds(budget)}, stderr, kind);
  const model::Exploration result = explorer.Run(
      {.method = options.method,
       .bound = options.bound.value_or(scenario.bound),
       .depth = options.depth,
       .seed = options.seed,
       .most_executions = options.executions,
       .budget_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(budget))},
      [&](const model::Exploration& so_far) {
        progress.Update({.elapsed_s = so_far.seconds, .operations = so_far.executions});
        return true;
      });
  progress.Finish();
  return result;
}

int ReportError(const absl::Status& status) {
  std::fprintf(stderr, "paddock explore: %s\n", std::string(status.message()).c_str());
  return kExitEnvironment;
}

absl::Status CheckReports(const Options& options) {
  absl::Status status;
  for (const std::string& path : {options.json, options.junit}) {
    if (!path.empty()) status.Update(CheckFileWritable(path));
  }
  return status;
}

absl::Status WriteReports(const Options& options, const std::vector<Row>& rows) {
  absl::Status status;
  if (!options.json.empty()) status.Update(WriteFileAtomically(options.json, JsonRows(rows)));
  if (!options.junit.empty()) status.Update(WriteFileAtomically(options.junit, JunitRows(rows)));
  return status;
}

int Main(const std::vector<std::string>& args) {
  std::signal(SIGPIPE, SIG_IGN);
  if (WantsHelp(args)) {
    const absl::Status shown = WriteText(Help(), stdout);
    return shown.ok() ? kExitPassed : ReportError(shown);
  }
  const absl::StatusOr<Options> options = ParseOptions(args);
  if (!options.ok()) {
    std::fprintf(stderr, "paddock explore: %s\nSee ./paddock explore --help.\n",
                 std::string(options.status().message()).c_str());
    return kExitUsage;
  }
  if (absl::Status status = CheckReports(*options); !status.ok()) return ReportError(status);
  model::CatchCrashes();
  absl::Status delivered;
  if (options->method != model::Search::Method::kDepthFirst) {
    delivered.Update(WriteText(absl::StrCat("seed ", options->seed, "\n"), stdout));
  }
  delivered.Update(WriteText(TableHeader(), stdout));
  std::vector<Row> rows;
  double spent = 0;
  for (const model::Scenario* const scenario : options->scenarios) {
    // What a scenario does not need is there for those after it.
    const auto left = static_cast<double>(options->scenarios.size() - rows.size());
    const absl::Duration budget = (options->budget - absl::Seconds(spent)) / left;
    rows.push_back({scenario->name, StrategyName(*options),
                    ExploreOne(*options, *scenario, std::max(budget, absl::Milliseconds(10)))});
    spent += rows.back().result.seconds;
    delivered.Update(WriteText(TableLine(rows.back()), stdout));
  }
  delivered.Update(WriteReports(*options, rows));
  bool passed = true;
  for (const Row& row : rows) {
    passed = passed && row.passed();
    delivered.Update(WriteText(Explain(row), stdout));
  }
  const int failed = delivered.ok() ? kExitPassed : ReportError(delivered);
  return passed ? failed : kExitFailed;
}

}  // namespace
}  // namespace paddock::explore

int main(int argc, char** argv) {
  return paddock::explore::Main(std::vector<std::string>(argv + 1, argv + argc));
}

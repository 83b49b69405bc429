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

// Each with its share of the budget: what one does not need is there for those after it, and what is
// left at the end for those whose search it cut off. Lines of the table go to standard output.
std::vector<Row> ExploreAll(const Options& options, absl::Status& delivered) {
  double spent = 0;
  const auto share = [&](size_t scenarios) {
    return std::max((options.budget - absl::Seconds(spent)) / static_cast<double>(scenarios),
                    absl::Milliseconds(10));
  };
  const auto explore = [&](const model::Scenario& scenario, absl::Duration budget) {
    Row row{scenario.name, StrategyName(options), ExploreOne(options, scenario, budget)};
    spent += row.result.seconds;
    delivered.Update(WriteText(TableLine(row), stdout));
    return row;
  };
  std::vector<Row> rows;
  std::vector<size_t> cut_off;
  for (const model::Scenario* const scenario : options.scenarios) {
    rows.push_back(explore(*scenario, share(options.scenarios.size() - rows.size())));
    if (rows.back().CutOff()) cut_off.push_back(rows.size() - 1);
  }
  for (size_t i = 0; i < cut_off.size(); ++i) {
    Row& row = rows[cut_off[i]];
    const absl::Duration budget = share(cut_off.size() - i);
    // It starts again: less than before would find nothing new.
    if (budget < 2 * absl::Seconds(row.result.seconds)) continue;
    row = explore(*options.scenarios[cut_off[i]], budget);
  }
  return rows;
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
  const std::vector<Row> rows = ExploreAll(*options, delivered);
  delivered.Update(WriteReports(*options, rows));
  bool passed = true;
  for (const Row& row : rows) {
    passed = passed && row.passed();
    delivered.Update(WriteText(Explain(row), stdout));
  }
  delivered.Update(WriteText(Verdict(rows), stdout));
  const int failed = delivered.ok() ? kExitPassed : ReportError(delivered);
  return passed ? failed : kExitFailed;
}

}  // namespace
}  // namespace paddock::explore

int main(int argc, char** argv) {
  return paddock::explore::Main(std::vector<std::string>(argv + 1, argv + argc));
}

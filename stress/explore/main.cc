// SPDX-License-Identifier: Apache-2.0
//
// ./paddock explore: runs scenarios on the model backend. The reports are written before what
// explains them; of several exit statuses, the first of 1, 3, 130 and 143.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "paddock/concurrency/model/crash.h"
#include "paddock/stress/exit_status.h"
#include "paddock/stress/explore/options.h"
#include "paddock/stress/explore/results.h"
#include "paddock/stress/flag_reader.h"
#include "paddock/stress/interrupt.h"
#include "paddock/stress/report/atomic_file.h"
#include "paddock/stress/report/write_text.h"

namespace paddock::explore {
namespace {

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
        return InterruptHandler::signal() == 0;
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

// Each with its share of the budget: what one does not need is there for those after it, and what
// is left at the end for those whose search it cut off. Lines of the table go to standard output.
// After a signal nothing is begun, and what it cut short counts as not run, unless it had passed or
// failed already.
std::vector<Row> ExploreAll(const Options& options, absl::Status& delivered) {
  double spent = 0;
  const auto share = [&](size_t scenarios) {
    return std::max((options.budget - absl::Seconds(spent)) / static_cast<double>(scenarios),
                    absl::Milliseconds(10));
  };
  const auto explore = [&](const model::Scenario& scenario, absl::Duration budget, Row& row) {
    if (InterruptHandler::signal() != 0) return;
    model::Exploration result = ExploreOne(options, scenario, budget);
    const bool cut_short = InterruptHandler::signal() != 0 && !result.complete;
    if (cut_short && !result.violation) return;
    spent += result.seconds;
    row.result = std::move(result);
    delivered.Update(WriteText(TableLine(row), stdout));
  };
  std::vector<Row> rows;
  std::vector<size_t> cut_off;
  for (const model::Scenario* const scenario : options.scenarios) {
    rows.push_back({scenario->name, StrategyName(options), {}});
    explore(*scenario, share(options.scenarios.size() - rows.size() + 1), rows.back());
    if (rows.back().CutOff()) cut_off.push_back(rows.size() - 1);
  }
  bool begun_again = false;
  for (size_t i = 0; i < cut_off.size(); ++i) {
    Row& row = rows[cut_off[i]];
    const absl::Duration budget = share(cut_off.size() - i);
    // It starts again: less than before would find nothing new.
    if (budget < 2 * absl::Seconds(row.result->seconds)) continue;
    if (row.outcome() == Outcome::kFailed) row.result.reset();
    if (!std::exchange(begun_again, true)) {
      delivered.Update(WriteText("again, with the time left over:\n", stdout));
    }
    explore(*options.scenarios[cut_off[i]], budget, row);
  }
  return rows;
}

int Main(const std::vector<std::string>& args) {
  const InterruptHandler interrupt;
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
  for (const Row& row : rows) delivered.Update(WriteText(Explain(row), stdout));
  delivered.Update(WriteText(Verdict(rows), stdout));
  const int failed = delivered.ok() ? kExitPassed : ReportError(delivered);
  const auto has = [&](Outcome outcome) {
    return std::ranges::find(rows, outcome, &Row::outcome) != rows.end();
  };
  if (has(Outcome::kFailed)) return kExitViolation;
  if (failed != kExitPassed) return failed;
  return has(Outcome::kNotRun) ? kExitSignal + InterruptHandler::signal() : kExitPassed;
}

}  // namespace
}  // namespace paddock::explore

int main(int argc, char** argv) {
  return paddock::explore::Main(std::vector<std::string>(argv + 1, argv + argc));
}

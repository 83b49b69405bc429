// SPDX-License-Identifier: Apache-2.0
//
// ./paddock explore: runs scenarios on the model backend.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "paddock/concurrency/model/crash.h"
#include "paddock/stress/explore/options.h"
#include "paddock/stress/explore/results.h"
#include "paddock/stress/flag_reader.h"
#include "paddock/stress/report/atomic_file.h"

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

bool WriteReports(const Options& options, const std::vector<Row>& rows) {
  bool written = true;
  const auto write = [&](const std::string& path, const std::string& text) {
    if (path.empty()) return;
    const absl::Status status = WriteFileAtomically(path, text);
    if (status.ok()) return;
    std::fprintf(stderr, "paddock explore: %s\n", std::string(status.message()).c_str());
    written = false;
  };
  write(options.json, JsonRows(rows));
  write(options.junit, JunitRows(rows));
  return written;
}

int Main(const std::vector<std::string>& args) {
  if (WantsHelp(args)) {
    std::fputs(Help().c_str(), stdout);
    return kExitPassed;
  }
  const absl::StatusOr<Options> options = ParseOptions(args);
  if (!options.ok()) {
    std::fprintf(stderr, "paddock explore: %s\nSee ./paddock explore --help.\n",
                 std::string(options.status().message()).c_str());
    return kExitUsage;
  }
  model::CatchCrashes();
  if (options->method != model::Search::Method::kDepthFirst) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(options->seed));
  }
  std::fputs(TableHeader().c_str(), stdout);
  std::vector<Row> rows;
  double spent = 0;
  for (const model::Scenario* const scenario : options->scenarios) {
    // What a scenario does not need is there for those after it.
    const auto left = static_cast<double>(options->scenarios.size() - rows.size());
    const absl::Duration budget = (options->budget - absl::Seconds(spent)) / left;
    rows.push_back({scenario->name, StrategyName(*options),
                    ExploreOne(*options, *scenario, std::max(budget, absl::Milliseconds(10)))});
    spent += rows.back().result.seconds;
    std::fputs(TableLine(rows.back()).c_str(), stdout);
    std::fflush(stdout);
  }
  bool passed = true;
  for (const Row& row : rows) {
    passed = passed && row.passed();
    std::fputs(Explain(row).c_str(), stdout);
  }
  if (!WriteReports(*options, rows)) return kExitEnvironment;
  return passed ? kExitPassed : kExitFailed;
}

}  // namespace
}  // namespace paddock::explore

int main(int argc, char** argv) {
  return paddock::explore::Main(std::vector<std::string>(argv + 1, argv + argc));
}

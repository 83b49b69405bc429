// SPDX-License-Identifier: Apache-2.0
//
// ./paddock bench: what the operations cost, beside their targets, other designs and older runs.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmark/benchmark.h"
#include "paddock/stress/bench/baselines/baseline_cases.h"
#include "paddock/stress/bench/bench_world.h"
#include "paddock/stress/bench/cold_cases.h"
#include "paddock/stress/bench/compare.h"
#include "paddock/stress/bench/io_cases.h"
#include "paddock/stress/bench/json.h"
#include "paddock/stress/bench/machine_name.h"
#include "paddock/stress/bench/page_cases.h"
#include "paddock/stress/bench/range_cases.h"
#include "paddock/stress/bench/raw_costs.h"
#include "paddock/stress/bench/report.h"
#include "paddock/stress/bench/results.h"
#include "paddock/stress/bench/runner.h"
#include "paddock/stress/bench/suite.h"
#include "paddock/stress/bench/table_memory.h"
#include "paddock/stress/bench/waiting_cases.h"
#include "paddock/stress/exit_status.h"
#include "paddock/stress/flag_reader.h"
#include "paddock/stress/interrupt.h"
#include "paddock/stress/report/atomic_file.h"
#include "paddock/stress/report/write_text.h"

ABSL_FLAG(std::string, filter, ".*",
          "measure the cases of which this regular expression matches a part of the name, "
          "\"open_map/threads:2\" (default: all)");
ABSL_FLAG(int32_t, repetitions, 15,
          "measurements of each case, one in each round through all of them (default: 15)");
ABSL_FLAG(double, min_time, 0.05, "how long a measurement lasts, in seconds (default: 0.05)");
ABSL_FLAG(std::string, json, "", "file for the rows, with all measurements, as JSON");
ABSL_FLAG(std::string, report, "", "file for the tables as an HTML page");
ABSL_FLAG(std::string, compare, "", "JSON of an older run, to show what has changed since");
ABSL_FLAG(
    double, tolerance, 10,
    "with --compare: percentage by which a median may be worse, on several threads by twice that "
    "(default: 10)");

namespace paddock::bench {
namespace {

constexpr const char* kExplanation =
    "Measures lookups and cursors, memory IO and shootdowns, what they have to wait for, and the\n"
    "same operations of other designs. About two minutes; a line on standard error says how far\n"
    "it is. Ctrl-C ends it with what was measured.\n\n"
    "Each round measures every case once: chunks of some hundred operations, the median of them.\n"
    "The columns are medians over the rounds.\n"
    "  ns             of one operation (of one page in ranges) of one thread\n"
    "  spread         distance of the quartiles of x L, as a part of its median\n"
    "  x L            as a multiple of an uncontended lock and unlock, by the same threads\n"
    "  ratio          to what it is compared with, measured in the same round; of a throughput,\n"
    "                 more is better\n"
    "  target         what the ratio may be at most (<=), or must be at least (>=)\n"
    "  verdict        pass; miss, by how much of the target; or noisy: the 95 % interval of the\n"
    "                 median has the target inside and is wider than a tenth of it\n"
    "The second table holds Paddock against raw costs and other designs (docs/performance.md).\n\n";

constexpr const char* kStatuses =
    "\nExit status: 0 measured, whatever the verdicts; 1 --compare found a case that is worse;\n"
    "2 bad usage, or the file of --compare is none of ours; 3 a file cannot be read or written,\n"
    "or this output not; 130 or 143 SIGINT or SIGTERM came first. Of several, the first of\n"
    "1, 3, 130 and 143.\n";

std::vector<std::string> FlagNames() {
  return {"filter", "repetitions", "min_time", "json", "report", "compare", "tolerance"};
}

std::string Help() {
  return absl::StrCat("usage: ./paddock bench [flags]\n\n", kExplanation,
                      DescribeFlags(FlagNames()), kStatuses);
}

Suite AllCases() {
  Suite suite;
  AddRawCosts(suite);
  AddPageCases(suite);
  AddSharedTableCases(suite);
  AddRangeCases(suite);
  AddWaitingCases(suite);
  AddColdCases(suite);
  AddIoCases(suite);
  AddBaselineCases(suite);
  return suite;
}

std::optional<std::regex> ParseFilter(const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

bool Matches(const std::regex& filter, const CaseId& id) {
  return std::regex_search(id.Text(), filter);
}

absl::Status CheckValues() {
  const double min_time = absl::GetFlag(FLAGS_min_time);
  constexpr double kLongest = 3600;
  if (absl::GetFlag(FLAGS_repetitions) < 1 || !(min_time > 0) || min_time > kLongest) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--repetitions=%d and --min_time=%g must be above 0, and the latter at most %g seconds",
        absl::GetFlag(FLAGS_repetitions), min_time, kLongest));
  }
  if (!(absl::GetFlag(FLAGS_tolerance) >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--tolerance=%g must be at least 0", absl::GetFlag(FLAGS_tolerance)));
  }
  if (!ParseFilter(absl::GetFlag(FLAGS_filter))) {
    return WrongFlag("filter", absl::GetFlag(FLAGS_filter), "it is no regular expression");
  }
  return CheckDistinctFiles({{"json", absl::GetFlag(FLAGS_json)},
                             {"report", absl::GetFlag(FLAGS_report)},
                             {"compare", absl::GetFlag(FLAGS_compare)}});
}

// NOT_FOUND: the file cannot be read. INVALID_ARGUMENT: it holds something else.
absl::StatusOr<OlderRun> ReadOlderRun(const std::string& path) {
  std::error_code ignored;
  std::ifstream file(path, std::ios::binary);
  // Reading from a directory throws.
  if (!file || std::filesystem::is_directory(path, ignored)) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path));
  }
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  absl::StatusOr<OlderRun> run = ParseJson(text);
  if (!run.ok()) return WrongFlag("compare", path, std::string(run.status().message()));
  return run;
}

// Says what is wrong, and returns the exit status for it.
int Refuse(const absl::Status& status) {
  std::fprintf(stderr, "paddock bench: %s\n", std::string(status.message()).c_str());
  if (status.code() != absl::StatusCode::kInvalidArgument) return kExitEnvironment;
  std::fprintf(stderr, "See ./paddock bench --help.\n");
  return kExitUsage;
}
int ReportError(const absl::Status& status) {
  std::fprintf(stderr, "paddock bench: %s\n", std::string(status.message()).c_str());
  return kExitEnvironment;
}

absl::Status CheckFiles() {
  for (const std::string& path : {absl::GetFlag(FLAGS_json), absl::GetFlag(FLAGS_report)}) {
    if (path.empty()) continue;
    if (absl::Status status = CheckFileWritable(path); !status.ok()) return status;
  }
  return absl::OkStatus();
}

std::vector<Case> Selected(const Suite& suite, const std::regex& filter) {
  std::vector<Case> selected;
  for (const Case& each : suite.cases()) {
    if (Matches(filter, each.id)) selected.push_back(each);
  }
  return selected;
}

// Names the cases of which nothing was measured: "" if there is none.
std::string MissingNote(const std::vector<Case>& selected, const Results& results) {
  std::string missing;
  for (const Case& each : selected) {
    const auto is_it = [&](const Series& series) { return series.id == each.id; };
    if (std::any_of(results.series().begin(), results.series().end(), is_it)) continue;
    absl::StrAppend(&missing, missing.empty() ? "" : ", ", each.id.Text());
  }
  if (missing.empty() || InterruptHandler::signal() != 0) return "";
  return absl::StrCat("Not measured, because the threads never ran side by side: ", missing, ".");
}

Results MeasureAll(const Suite& suite, const std::vector<Case>& selected,
                   const std::regex& filter) {
  std::vector<CaseId> order;
  for (const Case& each : selected) order.push_back(each.id);
  Results results = suite.EmptyResults();
  if (std::regex_search(kTableMemoryFigure, filter)) results.Add(MeasureTableMemory());
  RunRounds(
      selected,
      {absl::GetFlag(FLAGS_repetitions), absl::GetFlag(FLAGS_min_time), BenchWorld::TidyFrames},
      results);
  results.Order(order);
  return results;
}

// Files first: a reader of standard output that goes away loses none.
absl::Status Deliver(const Results& results, const std::vector<Change>& changes,
                     const std::string& note) {
  absl::Status delivered;
  const std::string machine = MachineName();
  const std::vector<TextTable> tables = TablesOf(results, changes);
  if (const std::string path = absl::GetFlag(FLAGS_json); !path.empty()) {
    delivered.Update(WriteFileAtomically(path, JsonText(results, machine)));
  }
  if (const std::string path = absl::GetFlag(FLAGS_report); !path.empty()) {
    delivered.Update(WriteFileAtomically(path, HtmlPage(tables, machine, note)));
  }
  delivered.Update(WriteText(PlainText(tables, note), stdout));
  return delivered;
}

// Of the cases that match, without those whose changes say nothing of Paddock.
std::vector<Change> ChangesSince(const OlderRun& older, const Results& results, const Suite& suite,
                                 const std::regex& filter) {
  const auto selected = [&](const std::vector<Series>& all) {
    std::vector<Series> some;
    for (const Series& each : all) {
      if (Matches(filter, each.id) && suite.MayGetWorse(each.id)) some.push_back(each);
    }
    return some;
  };
  return Compare(selected(older.series), selected(results.series()),
                 absl::GetFlag(FLAGS_tolerance));
}

int Run(const std::optional<OlderRun>& older) {
  const std::regex filter = *ParseFilter(absl::GetFlag(FLAGS_filter));
  const Suite suite = AllCases();
  const std::vector<Case> selected = Selected(suite, filter);
  if (selected.empty() && !std::regex_search(kTableMemoryFigure, filter)) {
    return Refuse(absl::InvalidArgumentError(
        absl::StrCat("no case matches --filter=", absl::GetFlag(FLAGS_filter))));
  }
  const Results results = MeasureAll(suite, selected, filter);
  std::string note = MachineNote(results);
  if (const std::string missing = MissingNote(selected, results); !missing.empty()) {
    absl::StrAppend(&note, note.empty() ? "" : "\n", missing);
  }
  std::vector<Change> changes;
  if (older) {
    changes = ChangesSince(*older, results, suite, filter);
    if (!older->machine.empty() && older->machine != MachineName()) {
      absl::StrAppend(&note, note.empty() ? "" : "\n",
                      "The older run was made on another machine: ", older->machine, ".");
    }
  }
  const absl::Status delivered = Deliver(results, changes, note);
  if (!delivered.ok()) ReportError(delivered);
  if (AnyWorse(changes)) return kExitViolation;
  if (!delivered.ok()) return kExitEnvironment;
  const int signal = InterruptHandler::signal();
  return signal == 0 ? kExitPassed : kExitSignal + signal;
}

int Main(int argc, char** argv) {
  const InterruptHandler interrupt;
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (WantsHelp(args)) {
    const absl::Status shown = WriteText(Help(), stdout);
    return shown.ok() ? kExitPassed : ReportError(shown);
  }
  absl::Status wrong = ReadFlags(FlagNames(), args);
  wrong.Update(wrong.ok() ? CheckValues() : absl::OkStatus());
  if (!wrong.ok()) return Refuse(wrong);
  if (absl::Status status = CheckFiles(); !status.ok()) return ReportError(status);
  std::optional<OlderRun> older;
  if (const std::string path = absl::GetFlag(FLAGS_compare); !path.empty()) {
    absl::StatusOr<OlderRun> run = ReadOlderRun(path);
    if (!run.ok()) return Refuse(run.status());
    older = *std::move(run);
  }
  int count = 1;
  benchmark::Initialize(&count, argv);
  return Run(older);
}

}  // namespace
}  // namespace paddock::bench

int main(int argc, char** argv) { return paddock::bench::Main(argc, argv); }

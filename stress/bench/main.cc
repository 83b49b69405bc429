// SPDX-License-Identifier: Apache-2.0
//
// ./paddock bench: what one-page cursors cost, alone and side by side, and what memory IO costs.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "benchmark/benchmark.h"
#include "paddock/stress/bench/cursor_bench.h"
#include "paddock/stress/bench/io_bench.h"
#include "paddock/stress/bench/results.h"
#include "paddock/stress/exit_status.h"
#include "paddock/stress/flag_reader.h"
#include "paddock/stress/report/atomic_file.h"
#include "paddock/stress/report/write_text.h"

ABSL_FLAG(std::string, filter, ".*",
          "run the cases whose name matches this regular expression (default: all)");
ABSL_FLAG(int32_t, repetitions, 9,
          "measurements of each case, interleaved with those of the others (default: 9)");
ABSL_FLAG(double, min_time, 0.05, "shortest measurement, in seconds (default: 0.05)");
ABSL_FLAG(std::string, json, "", "file for the rows as JSON");

namespace paddock::bench {
namespace {

std::vector<std::string> FlagNames() { return {"filter", "repetitions", "min_time", "json"}; }

class Collector : public benchmark::BenchmarkReporter {
 public:
  explicit Collector(Results& results) : results_(results) {}

  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      // Google Benchmark divides the wall time by the operations of all threads together.
      results_.Add(run.run_name.function_name, static_cast<int>(run.threads),
                   run.GetAdjustedRealTime() * static_cast<double>(run.threads));
    }
  }

 private:
  Results& results_;
};

std::string Help() {
  return "usage: ./paddock bench [flags]\n\n"
         "Measures the costs of one-page cursors, on one thread and on two with disjoint regions,\n"
         "and those of memory IO, beside memcpy and beside a lookup.\n"
         "Figures are medians per operation and thread; ratios hold within one run only. spread\n"
         "is the range of the repetitions as a part of the median; x L the median as a multiple\n"
         "of L, an uncontended lock and unlock (lock_unlock); x one thread as a multiple of the\n"
         "same case's on one thread.\n\n" +
         DescribeFlags(FlagNames()) +
         "\nExit status: 0 measured; 2 bad usage; 3 the report, or this output, cannot be "
         "written.\n";
}

absl::Status ReadCommandLine(const std::vector<std::string>& args) {
  if (absl::Status status = ReadFlags(FlagNames(), args); !status.ok()) return status;
  const double min_time = absl::GetFlag(FLAGS_min_time);
  constexpr double kLongest = 3600;
  if (absl::GetFlag(FLAGS_repetitions) < 1 || !(min_time > 0) || min_time > kLongest) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--repetitions=%d and --min_time=%g must be above 0, and the latter at most %g seconds",
        absl::GetFlag(FLAGS_repetitions), min_time, kLongest));
  }
  return absl::OkStatus();
}

int ReportError(const absl::Status& status) {
  std::fprintf(stderr, "paddock bench: %s\n", std::string(status.message()).c_str());
  return kExitEnvironment;
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (WantsHelp(args)) {
    const absl::Status shown = WriteText(Help(), stdout);
    return shown.ok() ? kExitPassed : ReportError(shown);
  }
  if (absl::Status status = ReadCommandLine(args); !status.ok()) {
    std::fprintf(stderr, "paddock bench: %s\nSee ./paddock bench --help.\n",
                 std::string(status.message()).c_str());
    return kExitUsage;
  }
  const std::string json = absl::GetFlag(FLAGS_json);
  if (!json.empty()) {
    if (absl::Status status = CheckFileWritable(json); !status.ok()) return ReportError(status);
  }

  std::vector<std::string> arguments = {
      argv[0],
      "--benchmark_filter=" + absl::GetFlag(FLAGS_filter),
      absl::StrFormat("--benchmark_repetitions=%d", absl::GetFlag(FLAGS_repetitions)),
      absl::StrFormat("--benchmark_min_time=%f", absl::GetFlag(FLAGS_min_time)),
      "--benchmark_enable_random_interleaving=true",
  };
  std::vector<char*> pointers;
  pointers.reserve(arguments.size());
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());

  Results results(kUnitCase);
  RegisterCursorBenchmarks();
  RegisterIoBenchmarks(results);
  Collector collector(results);
  std::fprintf(stderr, "measuring ...\n");
  benchmark::RunSpecifiedBenchmarks(&collector);
  if (results.empty()) {
    std::fprintf(stderr, "paddock bench: no case matches --filter=%s\n",
                 absl::GetFlag(FLAGS_filter).c_str());
    return kExitUsage;
  }
  absl::Status delivered;
  if (!json.empty()) delivered = results.WriteJson(json);
  delivered.Update(WriteText(results.Table(), stdout));
  return delivered.ok() ? kExitPassed : ReportError(delivered);
}

}  // namespace
}  // namespace paddock::bench

int main(int argc, char** argv) { return paddock::bench::Main(argc, argv); }

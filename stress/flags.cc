// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/flags.h"

#include "absl/flags/flag.h"
#include "paddock/stress/flag_reader.h"

ABSL_FLAG(std::string, threads, "", "worker threads, each on a simulated CPU (default: all CPUs)");
ABSL_FLAG(
    std::string, duration, "",
    "how long the workloads run, together: 500ms, 10s, 2m, 1h30m; each runs at least one round "
    "(default: 10s)");
ABSL_FLAG(std::string, ops, "",
          "instead of --duration: steps of each workload, a step being a transaction or an "
          "operation outside of one");
ABSL_FLAG(std::string, seed, "",
          "seed of the operation streams, as 7 or 0x7 (default: random, printed)");
ABSL_FLAG(std::string, workload, "",
          "workloads, separated by commas (default: mixed, then the bundled trace)");
ABSL_FLAG(std::string, trace, "",
          "recordings to replay, separated by commas, plain or zstd (default: the bundled one)");
ABSL_FLAG(std::string, pace, "", "how a trace is replayed: order or free (default: order)");
ABSL_FLAG(std::string, format, "", "page-table format: x86_64 (default: x86_64)");
ABSL_FLAG(std::string, memory, "",
          "simulated physical memory: 256MiB, 2GiB (default: what the workload needs; not with the "
          "injection exhaust)");
ABSL_FLAG(std::string, inject, "",
          "faults, separated by commas: alloc[=PROBABILITY], delay, stall, preempt, exhaust "
          "(default: none)");
ABSL_FLAG(std::string, progress, "", "progress line: auto, bar, plain or none (default: auto)");
ABSL_FLAG(std::string, json, "", "file for the results as JSON");
ABSL_FLAG(std::string, junit, "", "file for the results as JUnit XML");
ABSL_FLAG(std::string, report, "", "file for the results as an HTML page");
ABSL_FLAG(std::string, replay, "", "token of a violation: runs its round again");

namespace paddock {
namespace {

const std::vector<std::string>& Names() {
  // In the order of the help text.
  static const auto* const names = new std::vector<std::string>{
      "threads", "duration", "ops",      "seed", "workload", "trace",  "pace",  "format",
      "memory",  "inject",   "progress", "json", "junit",    "report", "replay"};
  return *names;
}

}  // namespace

absl::Status ReadArguments(const std::vector<std::string>& args) {
  return ReadFlags(Names(), args);
}

std::string FlagsHelp() { return DescribeFlags(Names()); }

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/flags.h"

#include <string_view>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

ABSL_FLAG(std::string, threads, "", "worker threads, each on a simulated CPU (default: all CPUs)");
ABSL_FLAG(std::string, duration, "",
          "how long the workloads run, together: 500ms, 10s, 2m, 1h30m (default: 10s)");
ABSL_FLAG(std::string, ops, "",
          "instead of --duration: steps of each workload, a step being a transaction or an "
          "operation outside of one");
ABSL_FLAG(std::string, seed, "", "seed of the operation streams (default: random, printed)");
ABSL_FLAG(std::string, workload, "",
          "workloads, separated by commas (default: mixed, then the bundled trace)");
ABSL_FLAG(std::string, trace, "",
          "recordings to replay, separated by commas, plain or zstd (default: the bundled one)");
ABSL_FLAG(std::string, pace, "", "how a trace is replayed: order or free (default: order)");
ABSL_FLAG(std::string, format, "", "page-table format: x86_64 (default: x86_64)");
ABSL_FLAG(std::string, memory, "",
          "simulated physical memory: 256MiB, 2GiB (default: what the workload needs)");
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

// In the order of the help text.
constexpr const char* kFlags[] = {"threads",  "duration", "ops",    "seed",   "workload",
                                  "trace",    "pace",     "format", "memory", "inject",
                                  "progress", "json",     "junit",  "report", "replay"};

}  // namespace

absl::Status WrongFlag(const std::string& flag, const std::string& value, const std::string& rule) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", value, ": ", rule));
}

// "--name=value" and "--name value" into the flags.
absl::Status ReadArguments(const std::vector<std::string>& args) {
  std::string error;
  for (const char* flag : kFlags) absl::FindCommandLineFlag(flag)->ParseFrom("", &error);
  for (size_t i = 0; i < args.size(); ++i) {
    std::string_view arg = args[i];
    if (!absl::StartsWith(absl::string_view(args[i]), "--")) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", args[i], "' is no flag; flags look like --threads=2"));
    }
    arg.remove_prefix(2);
    const size_t equals = arg.find('=');
    const std::string name(arg.substr(0, equals));
    bool known = false;
    for (const char* flag : kFlags) known = known || name == flag;
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("no flag --", name, "; there are --", absl::StrJoin(kFlags, ", --")));
    }
    std::string value;
    if (equals != std::string_view::npos) {
      value = std::string(arg.substr(equals + 1));
    } else if (i + 1 < args.size() && !absl::StartsWith(absl::string_view(args[i + 1]), "--")) {
      value = args[++i];
    }
    if (value.empty())
      return absl::InvalidArgumentError(absl::StrCat("--", name, " needs a value"));
    if (!absl::FindCommandLineFlag(name)->ParseFrom(value, &error)) {
      return WrongFlag(name, value, error);
    }
  }
  return absl::OkStatus();
}

std::string FlagsHelp() {
  std::string text;
  for (const char* flag : kFlags) {
    const std::string name = absl::StrCat("  --", flag);
    absl::StrAppend(&text, name, std::string(name.size() < 14 ? 14 - name.size() : 1, ' '),
                    absl::FindCommandLineFlag(flag)->Help(), "\n");
  }
  return text;
}

}  // namespace paddock

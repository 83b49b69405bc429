// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/options.h"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "paddock/concurrency/cpu_set.h"
#include "paddock/stress/flag_reader.h"
#include "paddock/stress/flags.h"
#include "paddock/stress/rng.h"
#include "paddock/stress/workload/generator.h"

namespace paddock {
namespace {

constexpr absl::Duration kDefaultDuration = absl::Seconds(10);
constexpr uint64_t kLeastMemory = uint64_t{4} << 20;

std::string WorkloadNames() {
  std::vector<std::string> names;
  for (const WorkloadInfo& info : Workloads()) names.emplace_back(info.name);
  names.emplace_back(kTraceWorkload);
  return absl::StrJoin(names, ", ");
}

std::vector<std::string> SplitList(const std::string& text) {
  return absl::StrSplit(text, ',', absl::SkipEmpty());
}

// A word of the command line as the shell takes it for one.
std::string Quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (word.find_first_not_of(kPlain) == std::string::npos) return word;
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

absl::Status ReadWorkloads(StressOptions& options) {
  const std::string text = absl::GetFlag(FLAGS_workload);
  const std::string traces = absl::GetFlag(FLAGS_trace);
  options.traces = SplitList(traces);
  options.workloads = SplitList(text);
  if (!traces.empty() && options.traces.empty()) {
    return WrongFlag("trace", traces, "names no file");
  }
  bool has_trace = false;
  for (const std::string& name : options.workloads) {
    has_trace = has_trace || name == kTraceWorkload;
    if (name != kTraceWorkload && FindWorkload(name) == nullptr) {
      return WrongFlag("workload", text,
                       absl::StrCat("no workload '", name, "'; there are ", WorkloadNames()));
    }
  }
  if (!text.empty() && options.workloads.empty()) {
    return WrongFlag("workload", text,
                     absl::StrCat("names no workload; there are ", WorkloadNames()));
  }
  if (options.workloads.empty()) {
    if (options.traces.empty()) options.workloads.emplace_back("mixed");
    options.workloads.emplace_back(kTraceWorkload);
  } else if (!options.traces.empty() && !has_trace) {
    return absl::InvalidArgumentError(
        "--trace is for the workload trace, which --workload does not name; add it, or leave "
        "--workload out");
  }
  const std::string pace = absl::GetFlag(FLAGS_pace);
  if (pace == "free") {
    options.pace = TracePace::kFree;
  } else if (!pace.empty() && pace != "order") {
    return WrongFlag("pace", pace, "it is order or free");
  }
  return absl::OkStatus();
}

absl::Status ReadAmounts(StressOptions& options) {
  const std::string threads = absl::GetFlag(FLAGS_threads);
  options.threads = std::min(kMaxCpus, std::max(1u, std::thread::hardware_concurrency()));
  if (!threads.empty() && (!absl::SimpleAtoi(threads, &options.threads) || options.threads == 0 ||
                           options.threads > kMaxCpus)) {
    return WrongFlag("threads", threads, absl::StrCat("it is a number from 1 to ", kMaxCpus));
  }
  const std::string duration = absl::GetFlag(FLAGS_duration);
  const std::string ops = absl::GetFlag(FLAGS_ops);
  if (!duration.empty() && !ops.empty()) {
    return absl::InvalidArgumentError("--duration and --ops exclude each other: give one of them");
  }
  if (!duration.empty()) {
    absl::Duration parsed;
    if (!absl::ParseDuration(duration, &parsed) || parsed <= absl::ZeroDuration() ||
        parsed == absl::InfiniteDuration()) {
      return WrongFlag("duration", duration,
                       "it is a time above 0 with its unit, as 500ms, 10s or 1h30m");
    }
    options.duration = parsed;
  }
  if (!ops.empty()) {
    uint64_t parsed = 0;
    if (!absl::SimpleAtoi(ops, &parsed) || parsed == 0) {
      return WrongFlag("ops", ops, "it is a number above 0");
    }
    options.ops = parsed;
  }
  const std::string memory = absl::GetFlag(FLAGS_memory);
  if (!memory.empty()) {
    absl::StatusOr<uint64_t> bytes = ParseBytes(memory);
    if (!bytes.ok()) return WrongFlag("memory", memory, std::string(bytes.status().message()));
    if (*bytes < kLeastMemory) return WrongFlag("memory", memory, "it is at least 4MiB");
    options.memory_bytes = *bytes;
  }
  return absl::OkStatus();
}

absl::Status ReadSeed(StressOptions& options) {
  const std::string flag = absl::GetFlag(FLAGS_seed);
  const StressEnvironment& environment = options.environment;
  if (!flag.empty()) {
    const std::optional<uint64_t> seed = ParseSeed(flag);
    if (!seed) return WrongFlag("seed", flag, "it is a number below 2^64, as 7 or 0x7");
    options.seed = *seed;
  } else if (!environment.random_seed.empty()) {
    const std::optional<uint64_t> seed = ParseSeed(environment.random_seed);
    if (!seed) {
      return absl::InvalidArgumentError(
          absl::StrCat("TEST_RANDOM_SEED=", environment.random_seed, " is no number below 2^64"));
    }
    options.seed = *seed;
  } else {
    options.seed = std::random_device()();
  }
  // Each shard of a campaign has a seed of its own.
  if (environment.total_shards > 1) {
    options.seed = SeedOf({options.seed, environment.shard_index}) >> 16;
  }
  return absl::OkStatus();
}

absl::Status WantsTwoMemories() {
  return absl::InvalidArgumentError(
      "the injection exhaust chooses how little memory there is, --memory says how much: give one "
      "of them");
}

// A report must not replace another one, nor a recording.
absl::Status CheckFiles(const StressOptions& options) {
  std::vector<FileFlag> files;
  for (const std::string& trace : options.traces) files.push_back({"trace", trace});
  files.push_back({"json", options.json});
  files.push_back({"junit", options.junit});
  files.push_back({"report", options.report});
  return CheckDistinctFiles(files);
}

absl::Status ReadRest(StressOptions& options) {
  const std::string format = absl::GetFlag(FLAGS_format);
  if (!format.empty() && format != "x86_64") {
    return WrongFlag("format", format, "the formats are: x86_64");
  }
  const std::string progress = absl::GetFlag(FLAGS_progress);
  if (!progress.empty()) {
    const std::optional<ProgressMode> mode = ParseProgressMode(progress);
    if (!mode) return WrongFlag("progress", progress, "it is auto, bar, plain or none");
    options.progress = *mode;
  }
  const std::string inject = absl::GetFlag(FLAGS_inject);
  absl::StatusOr<Injections> injections = ParseInjections(inject);
  if (!injections.ok()) {
    return WrongFlag("inject", inject, std::string(injections.status().message()));
  }
  options.inject = *injections;
  if (options.inject.Has(Injection::kExhaust) && options.memory_bytes) return WantsTwoMemories();
  options.json = absl::GetFlag(FLAGS_json);
  options.junit = absl::GetFlag(FLAGS_junit);
  options.report = absl::GetFlag(FLAGS_report);
  return CheckFiles(options);
}

absl::Status ReadReplay(StressOptions& options) {
  const std::string text = absl::GetFlag(FLAGS_replay);
  if (text.empty()) return absl::OkStatus();
  const bool others = !absl::GetFlag(FLAGS_workload).empty() ||
                      !absl::GetFlag(FLAGS_trace).empty() || !absl::GetFlag(FLAGS_seed).empty() ||
                      !absl::GetFlag(FLAGS_threads).empty() ||
                      !absl::GetFlag(FLAGS_inject).empty() || options.duration || options.ops;
  if (others) {
    return absl::InvalidArgumentError(
        "--replay says what to run: leave out --workload, --trace, --seed, --threads, --inject, "
        "--duration and --ops");
  }
  absl::StatusOr<ReplayToken> token = ParseReplayToken(text);
  if (!token.ok()) return WrongFlag("replay", text, std::string(token.status().message()));
  if (token->inject.Has(Injection::kExhaust) && options.memory_bytes) return WantsTwoMemories();
  options.workloads = {token->workload};
  options.seed = token->seed;
  options.threads = token->threads;
  options.inject = token->inject;
  options.replay = *std::move(token);
  return absl::OkStatus();
}

std::string FromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

absl::StatusOr<uint64_t> ParseBytes(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view unit = text.substr(digits);
  uint64_t number = 0;
  int shift = -1;
  if (unit.empty() || unit == "B") shift = 0;
  if (unit == "KiB" || unit == "K") shift = 10;
  if (unit == "MiB" || unit == "M") shift = 20;
  if (unit == "GiB" || unit == "G") shift = 30;
  if (shift < 0 || !absl::SimpleAtoi(std::string(text.substr(0, digits)), &number) ||
      number > (uint64_t{1} << 52 >> shift) || (number << shift) % 4096 != 0) {
    return absl::InvalidArgumentError("it is a multiple of 4 KiB with its unit, as 256MiB or 2GiB");
  }
  return number << shift;
}

StressEnvironment StressEnvironment::FromProcess() {
  StressEnvironment environment;
  environment.random_seed = FromEnvironment("TEST_RANDOM_SEED");
  environment.outputs_dir = FromEnvironment("TEST_UNDECLARED_OUTPUTS_DIR");
  environment.shard_status_file = FromEnvironment("TEST_SHARD_STATUS_FILE");
  // What is no number counts as not set.
  (void)absl::SimpleAtoi(FromEnvironment("TEST_SHARD_INDEX"), &environment.shard_index);
  (void)absl::SimpleAtoi(FromEnvironment("TEST_TOTAL_SHARDS"), &environment.total_shards);
  return environment;
}

absl::StatusOr<StressOptions> ParseStressOptions(const std::vector<std::string>& args,
                                                 const StressEnvironment& environment) {
  StressOptions options;
  options.environment = environment;
  absl::Status status = ReadArguments(args);
  for (absl::Status (*read)(StressOptions&) :
       {&ReadWorkloads, &ReadAmounts, &ReadSeed, &ReadRest, &ReadReplay}) {
    if (status.ok()) status = read(options);
  }
  if (!status.ok()) return status;
  bool timed = false;
  for (const std::string& name : options.workloads) timed = timed || name != kTraceWorkload;
  if (timed && !options.ops && !options.duration && !options.replay) {
    options.duration = kDefaultDuration;
  }
  return options;
}

std::string StressOptions::Command() const {
  std::string text = "./paddock stress";
  if (replay) {
    absl::StrAppend(&text, " --replay='", ToString(*replay), "'");
  } else {
    absl::StrAppend(&text, " --seed=", seed, " --threads=", threads,
                    " --workload=", absl::StrJoin(workloads, ","));
    if (!traces.empty()) absl::StrAppend(&text, " --trace=", Quoted(absl::StrJoin(traces, ",")));
    if (pace == TracePace::kFree) absl::StrAppend(&text, " --pace=free");
    if (duration) absl::StrAppend(&text, " --duration=", absl::FormatDuration(*duration));
    if (ops) absl::StrAppend(&text, " --ops=", *ops);
    if (inject.set != 0) absl::StrAppend(&text, " --inject=", inject.ToString());
  }
  if (memory_bytes) absl::StrAppend(&text, " --memory=", *memory_bytes);
  return text;
}

}  // namespace paddock

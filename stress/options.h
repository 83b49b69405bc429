// SPDX-License-Identifier: Apache-2.0
//
// What the harness is asked to do: the flags, and what Bazel's test protocol adds to them.
//
//   absl::StatusOr<StressOptions> options = ParseStressOptions({"--threads=2", "--seed=7"}, {});
//   if (!options.ok()) { /* print the message, exit 2 */ }
//
// Thread safety: a value; parsing by one thread at a time. Failure: INVALID_ARGUMENT saying what is
// wrong and what would be right.

#ifndef PADDOCK_STRESS_OPTIONS_H_
#define PADDOCK_STRESS_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "paddock/stress/inject/injections.h"
#include "paddock/stress/replay_token.h"
#include "paddock/stress/report/progress.h"

namespace paddock {

inline constexpr std::string_view kTraceWorkload = "trace";

enum class TracePace : uint8_t {
  kOrder,  // an operation starts after those of other threads that had ended when it began
  kFree,   // every recorded thread at its own pace
};

// Variables of Bazel's test protocol; empty or 0 if they are not set.
struct StressEnvironment {
  std::string random_seed;        // TEST_RANDOM_SEED
  std::string outputs_dir;        // TEST_UNDECLARED_OUTPUTS_DIR
  uint64_t shard_index = 0;       // TEST_SHARD_INDEX
  uint64_t total_shards = 0;      // TEST_TOTAL_SHARDS
  std::string shard_status_file;  // TEST_SHARD_STATUS_FILE

  static StressEnvironment FromProcess();
};

struct StressOptions {
  uint32_t threads = 1;
  // Of all workloads together, in equal shares; none: `ops`, or a replay.
  std::optional<absl::Duration> duration;
  // Steps of each workload.
  std::optional<uint64_t> ops;
  uint64_t seed = 0;
  std::vector<std::string> workloads;  // of Workloads(), or kTraceWorkload
  std::vector<std::string> traces;     // files; empty: the bundled one
  TracePace pace = TracePace::kOrder;
  std::optional<uint64_t> memory_bytes;
  Injections inject;
  ProgressMode progress = ProgressMode::kAuto;
  std::string json;  // files; empty: none
  std::string junit;
  std::string report;
  std::optional<ReplayToken> replay;

  StressEnvironment environment;
  // What is needed to run the same again, as a command line for a shell.
  std::string Command() const;
};

// `args` without the program's name. Fills in all defaults; draws a seed if none is given.
absl::StatusOr<StressOptions> ParseStressOptions(const std::vector<std::string>& args,
                                                 const StressEnvironment& environment);

// Every flag with its meaning, unit and default; the workloads; the exit statuses.
std::string StressHelp();

// "256MiB", "1GiB", "64KiB", or bytes.
absl::StatusOr<uint64_t> ParseBytes(std::string_view text);

}  // namespace paddock

#endif  // PADDOCK_STRESS_OPTIONS_H_

// SPDX-License-Identifier: Apache-2.0
//
// One run of the harness: its workers, its oracles, and what all workloads add up to.
//
//   Session session(options);
//   absl::Status status = session.RunGenerated(*FindWorkload("mixed"), budget);
//   if (status.ok()) status = session.RunTrace(plan);
//   Summary summary = session.Summarise();
//
// Thread safety: one thread. Failure: RESOURCE_EXHAUSTED and the like if the environment does not
// allow to go on; violations are no failure of the call.

#ifndef PADDOCK_STRESS_SESSION_H_
#define PADDOCK_STRESS_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "paddock/stress/crew.h"
#include "paddock/stress/job.h"
#include "paddock/stress/options.h"
#include "paddock/stress/oracles.h"
#include "paddock/stress/report/progress.h"
#include "paddock/stress/report/summary.h"
#include "paddock/stress/stream.h"
#include "paddock/stress/trace/plan.h"
#include "paddock/stress/watchdog.h"
#include "paddock/stress/workload/generator.h"
#include "paddock/stress/world.h"

namespace paddock {

// When a generated workload ends: whichever of the two is given comes first.
struct Budget {
  std::optional<absl::Duration> duration;
  std::optional<uint64_t> steps;
};

// What a generated workload's streams asked for.
struct StreamDigest {
  std::string workload;
  uint64_t digest = 0;
  uint64_t steps = 0;
};

class Session {
 public:
  struct Hooks {
    // Asked between rounds; true: stop. May be empty.
    std::function<bool()> interrupted;
    // Called by the watchdog with a report of the hang. May be empty: then it is only a violation.
    std::function<void(const std::string&)> on_hang;
    // Of tests: a transport to use in all worlds.
    ShootdownTransport* transport = nullptr;
    Watchdog::Options watchdog;
  };

  Session(const StressOptions& options, ProgressLine& progress, Hooks hooks);
  ~Session();

  absl::Status RunGenerated(const WorkloadInfo& info, const Budget& budget);
  // Runs the round of `token`, and those before it in the same world.
  absl::Status RunReplay(const ReplayToken& token);
  absl::Status RunTrace(const TracePlan& plan);

  // Violated or interrupted: no need to go on.
  bool finished() const;
  Oracles& oracles() { return oracles_; }
  const std::vector<StreamDigest>& digests() const { return digests_; }
  const WorldTotals& totals() const { return totals_; }
  uint64_t not_opened() const;
  uint64_t exhausted() const;
  Summary Summarise() const;

 private:
  struct Rounds {
    uint64_t first = 0;
    uint64_t end = ~uint64_t{0};
    uint64_t end_ns = sync::kNoDeadline;
    uint64_t steps = ~uint64_t{0};  // of each stream, in all
    uint64_t slice_ns = 0;          // 0: no limit but the steps
    uint64_t rounds_per_world = kRoundsPerWorld;
  };

  World::Options WorldOptions(std::string_view workload, uint32_t fixed, uint32_t churned,
                              uint64_t memory_bytes) const;
  absl::Status RunWorkload(const WorkloadInfo& info, const Rounds& rounds);
  absl::Status RunRounds(const World::Options& world_options, std::string_view workload, Job& job,
                         const Rounds& rounds);
  // One world. Advances `round` and uses up `steps_left`; returns whether there is more to do.
  absl::StatusOr<bool> RunWorld(World& world, std::string_view workload, Job& job,
                                const Rounds& rounds, uint64_t& round, uint64_t& steps_left);
  void NoteViolations(std::string_view workload, uint64_t round);
  void ShowProgress();
  uint64_t OperationsDone() const;

  const StressOptions& options_;
  const Hooks hooks_;
  ProgressLine& progress_;
  Crew crew_;
  std::vector<std::unique_ptr<StreamState>> states_;
  Oracles oracles_;
  std::optional<Watchdog> watchdog_;
  WorldTotals totals_;
  std::vector<StreamDigest> digests_;
  std::vector<WorkloadSummary> workloads_;
  std::vector<TraceSummary> traces_;
  // How to run again what violated; by number of the violation from which on it holds.
  std::vector<std::pair<uint64_t, std::string>> reproductions_;
  const uint64_t start_ns_;
  uint64_t noted_violations_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_SESSION_H_

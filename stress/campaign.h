// SPDX-License-Identifier: Apache-2.0
//
// One run of the harness: its workers, its oracles, and what all workloads add up to.
//
//   Campaign campaign(options, progress, {});
//   absl::Status status = campaign.RunGenerated(*FindWorkload("mixed"), budget);
//   if (status.ok()) status = campaign.RunTrace(plan);
//   Summary summary = campaign.Summarise();
//
// After a violation, or once interrupted, what runs stops at the end of its round and what is still
// asked for is only noted as not run.
//
// Thread safety: one thread. Failure: RESOURCE_EXHAUSTED and the like if the environment does not
// allow to go on; violations are no failure of the call.

#ifndef PADDOCK_STRESS_CAMPAIGN_H_
#define PADDOCK_STRESS_CAMPAIGN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
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

// When a generated workload ends: whichever of the two is given comes first, but not before each
// stream has done a few steps.
struct Budget {
  std::optional<absl::Duration> duration;
  std::optional<uint64_t> steps;
};

// How many of `steps` each of the streams does, so that all together do at least as many.
inline uint64_t StepsOfEach(uint64_t steps, uint32_t streams) {
  return steps / streams + (steps % streams != 0);
}

// What a generated workload's streams asked for.
struct StreamDigest {
  std::string workload;
  uint64_t digest = 0;
  uint64_t steps = 0;
};

class Campaign {
 public:
  struct Hooks {
    // Asked between rounds; true: stop. May be empty.
    std::function<bool()> interrupted;
    // Called by the watchdog with a report of the hang. May be empty: then it is only a violation.
    std::function<void(const std::string&)> on_hang;
    // Of tests: what to use in all worlds.
    ShootdownTransport* transport = nullptr;
    MemoryTamper* tamper = nullptr;
    Watchdog::Options watchdog;
  };

  Campaign(const StressOptions& options, ProgressLine& progress, Hooks hooks);
  ~Campaign();

  absl::Status RunGenerated(const WorkloadInfo& info, const Budget& budget);
  // Runs the round of `token`, and those before it in the same world.
  absl::Status RunReplay(const ReplayToken& token);
  absl::Status RunTrace(const TracePlan& plan);

  Oracles& oracles() { return oracles_; }
  const std::vector<StreamDigest>& digests() const { return digests_; }
  const WorldTotals& totals() const { return totals_; }
  // Of all streams; while none runs.
  uint64_t SumOf(uint64_t OpStats::* counter) const;
  uint64_t not_opened() const { return SumOf(&OpStats::not_opened); }
  uint64_t faults() const { return SumOf(&OpStats::faults); }
  uint64_t exhausted() const { return SumOf(&OpStats::exhausted); }
  Summary Summarise() const;
  // For `on_hang`: what was done up to the round that hangs, and how to run that one again.
  Summary SummariseHang() const;

 private:
  // What a workload has still to do.
  struct Rounds {
    uint64_t next = 0;
    uint64_t last = ~uint64_t{0};
    uint64_t end_ns = sync::kNoDeadline;
    uint64_t steps = ~uint64_t{0};  // of each stream
    bool done = false;
    uint64_t slice_ns = 0;  // of a round; 0: no limit but the steps
    uint64_t rounds_per_world = kRoundsPerWorld;
  };

  bool interrupted() const { return hooks_.interrupted && hooks_.interrupted(); }
  // No need to go on.
  bool finished() const { return oracles_.sink.count() != 0 || interrupted(); }

  World::Options WorldOptions(std::string_view workload, uint64_t memory_bytes) const;
  absl::Status RunWorkload(const WorkloadInfo& info, Rounds rounds);
  // Uses up `rounds`, unless the campaign is finished before.
  absl::Status RunRounds(World::Options options, const std::string& workload, Job& job,
                         Rounds& rounds);
  // The rounds of one world, at least one.
  absl::Status RunWorld(World& world, const std::string& workload, Job& job, Rounds& rounds);
  // The command that runs this round again.
  std::string CommandFor(const std::string& workload, uint64_t round) const;
  void NoteViolations(const std::string& workload, uint64_t round);
  // What follows until the next mark is this round, and closing its world. Streams stand still.
  void MarkRound(const std::string& workload, uint64_t round);
  void ShowProgress(const Job& job);
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
  std::vector<std::string> not_run_;
  // How to run again what violated; by number of the violation from which on it holds.
  std::vector<std::pair<uint64_t, std::string>> reproductions_;
  const uint64_t start_ns_;
  uint64_t noted_violations_ = 0;

  mutable std::mutex mark_mutex_;
  // invariant: under mark_mutex_: the watchdog reads them while the rest of the campaign changes.
  Summary marked_;
  std::string marked_command_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_CAMPAIGN_H_

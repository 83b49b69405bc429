// SPDX-License-Identifier: Apache-2.0
//
// The job of replaying a recording: process i of the plan in the space of slot i. What was replayed
// is counted where it is done.
//
// Thread safety: as Job.

#ifndef PADDOCK_STRESS_REPLAY_REPLAY_JOB_H_
#define PADDOCK_STRESS_REPLAY_REPLAY_JOB_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "paddock/stress/job.h"
#include "paddock/stress/replay/schedule.h"
#include "paddock/stress/report/summary.h"
#include "paddock/stress/trace/plan.h"

namespace paddock {

class ReplayJob final : public Job {
 public:
  // A cause of `undone`, which is no violation if memory is made to run out.
  static constexpr const char* kNoMemory = "memory ran out";

  // `plan` must outlive the job.
  ReplayJob(const TracePlan& plan, TracePace pace, uint32_t streams)
      : plan_(plan), schedule_(plan, pace), tallies_(streams) {}

  void RunSlice(Stream& stream, uint32_t number, const SliceLimit& limit) override;
  bool done() const override { return schedule_.done(); }
  uint64_t remaining() const { return schedule_.remaining(); }

  // While no slice runs. Lines of operations that were tried and not carried out, by cause.
  std::map<std::string, uint64_t> undone() const;
  TraceSummary Summarise() const;

  // Memory in which the plan can be replayed in any order, with what waits for reclamation.
  static uint64_t MemoryBytes(const TracePlan& plan);

 private:
  // In lines.
  struct alignas(64) Tally {
    std::array<uint64_t, kTraceOpKinds> replayed = {};
    std::map<std::string, uint64_t> undone;  // by cause
  };

  const TracePlan& plan_;
  ReplaySchedule schedule_;
  std::vector<Tally> tallies_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPLAY_REPLAY_JOB_H_

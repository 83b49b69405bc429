// SPDX-License-Identifier: Apache-2.0
//
// The job of replaying a recording: process i of the plan in the space of slot i.
//
// Thread safety: as Job.

#ifndef PADDOCK_STRESS_REPLAY_REPLAY_JOB_H_
#define PADDOCK_STRESS_REPLAY_REPLAY_JOB_H_

#include <cstdint>

#include "paddock/stress/job.h"
#include "paddock/stress/replay/schedule.h"
#include "paddock/stress/trace/plan.h"

namespace paddock {

class ReplayJob final : public Job {
 public:
  ReplayJob(const TracePlan& plan, TracePace pace) : schedule_(plan, pace) {}

  void RunSlice(Stream& stream, uint32_t number, const SliceLimit& limit) override;
  bool done() const override { return schedule_.done(); }
  uint64_t remaining() const { return schedule_.remaining(); }

  // Memory in which the plan can be replayed in any order, with what waits for reclamation.
  static uint64_t MemoryBytes(const TracePlan& plan);

 private:
  ReplaySchedule schedule_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPLAY_REPLAY_JOB_H_

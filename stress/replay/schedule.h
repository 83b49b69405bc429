// SPDX-License-Identifier: Apache-2.0
//
// Which recorded thread may take its next step: any number of workers replay any number of recorded
// threads, and none ever waits for a step that only it could take.
//
//   ReplaySchedule schedule(plan, TracePace::kOrder);
//   while (!schedule.done()) {
//     std::optional<ReplayTurn> turn = schedule.Take();   // none: others do all that is ready
//     while (turn) {
//       Replay(*turn);
//       turn = schedule.Finish(*turn);                    // the same thread's next, if ready
//     }
//   }
//
// A thread is with one worker, or in the queue of those that are ready, or noted with the thread
// whose step it waits for. Under kFree nothing waits.
//
// Thread safety: any thread. Cost: a lock per step, of the process's own.

#ifndef PADDOCK_STRESS_REPLAY_SCHEDULE_H_
#define PADDOCK_STRESS_REPLAY_SCHEDULE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "paddock/concurrency/sync.h"
#include "paddock/stress/options.h"
#include "paddock/stress/trace/plan.h"

namespace paddock {

struct ReplayTurn {
  uint32_t process = 0;
  uint32_t thread = 0;
  const TraceOperation* operation = nullptr;
};

class ReplaySchedule {
 public:
  // `plan` must outlive the schedule.
  ReplaySchedule(const TracePlan& plan, TracePace pace);

  std::optional<ReplayTurn> Take();
  std::optional<ReplayTurn> Finish(const ReplayTurn& turn);
  // Leaves a turn for others without having done it.
  void GiveBack(const ReplayTurn& turn);

  uint64_t remaining() const { return remaining_.load(sync::seq_cst); }
  bool done() const { return remaining() == 0; }

 private:
  struct Waiter {
    uint32_t thread;      // who waits
    uint32_t operations;  // until so many are completed
  };
  // invariant: all but `trace` under the mutex.
  struct Process {
    const TraceProcess* trace = nullptr;
    std::mutex mutex;
    std::vector<uint32_t> completed;           // by thread
    std::vector<std::vector<Waiter>> waiters;  // by the thread waited for
  };
  struct Ready {
    uint32_t process;
    uint32_t thread;
  };

  // The thread's next step, if it may be taken now; else notes what it waits for. Under the mutex.
  std::optional<ReplayTurn> NextOf(uint32_t process, uint32_t thread);
  void Queue(uint32_t process, uint32_t thread);

  const TracePace pace_;
  std::vector<std::unique_ptr<Process>> processes_;
  sync::Atomic<uint64_t> remaining_;

  std::mutex ready_mutex_;
  std::deque<Ready> ready_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPLAY_SCHEDULE_H_

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/replay/schedule.h"

#include <utility>

namespace paddock {

ReplaySchedule::ReplaySchedule(const TracePlan& plan, TracePace pace)
    : pace_(pace), remaining_(plan.OperationCount()) {
  for (uint32_t p = 0; p < plan.processes.size(); ++p) {
    const TraceProcess& trace = plan.processes[p];
    processes_.push_back(std::make_unique<Process>());
    Process& process = *processes_.back();
    process.trace = &trace;
    process.completed.resize(trace.threads.size());
    process.waiters.resize(trace.threads.size());
    const std::lock_guard<std::mutex> lock(process.mutex);
    for (uint32_t t = 0; t < trace.threads.size(); ++t) {
      if (NextOf(p, t)) Queue(p, t);
    }
  }
}

std::optional<ReplayTurn> ReplaySchedule::NextOf(uint32_t process, uint32_t thread) {
  Process& of = *processes_[process];
  const std::vector<TraceOperation>& operations = of.trace->threads[thread].operations;
  if (of.completed[thread] == operations.size()) return std::nullopt;
  const TraceOperation& next = operations[of.completed[thread]];
  if (pace_ == TracePace::kOrder) {
    for (const TraceWait& wait : of.trace->Waits(next)) {
      if (of.completed[wait.thread] >= wait.operations) continue;
      of.waiters[wait.thread].push_back({thread, wait.operations});
      return std::nullopt;
    }
  }
  return ReplayTurn{process, thread, &next};
}

void ReplaySchedule::Queue(uint32_t process, uint32_t thread) {
  const std::lock_guard<std::mutex> lock(ready_mutex_);
  ready_.push_back({process, thread});
}

std::optional<ReplayTurn> ReplaySchedule::Take() {
  Ready ready;
  {
    const std::lock_guard<std::mutex> lock(ready_mutex_);
    if (ready_.empty()) return std::nullopt;
    ready = ready_.front();
    ready_.pop_front();
  }
  Process& process = *processes_[ready.process];
  const std::lock_guard<std::mutex> lock(process.mutex);
  return NextOf(ready.process, ready.thread);
}

void ReplaySchedule::GiveBack(const ReplayTurn& turn) { Queue(turn.process, turn.thread); }

std::optional<ReplayTurn> ReplaySchedule::Finish(const ReplayTurn& turn) {
  Process& process = *processes_[turn.process];
  std::optional<ReplayTurn> next;
  {
    const std::lock_guard<std::mutex> lock(process.mutex);
    const uint32_t completed = ++process.completed[turn.thread];
    std::vector<Waiter> waiters = std::exchange(process.waiters[turn.thread], {});
    for (const Waiter& waiter : waiters) {
      if (waiter.operations > completed) {
        process.waiters[turn.thread].push_back(waiter);
      } else if (NextOf(turn.process, waiter.thread)) {
        Queue(turn.process, waiter.thread);
      }
    }
    next = NextOf(turn.process, turn.thread);
  }
  remaining_.fetch_sub(1, sync::seq_cst);
  return next;
}

}  // namespace paddock

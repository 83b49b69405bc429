// SPDX-License-Identifier: Apache-2.0
//
// Execution: its threads, and who runs next.

#include "paddock/concurrency/model/execution.h"

#include <algorithm>
#include <string>

namespace paddock::model {
namespace {

constexpr uint32_t kMostIdleJumps = 100;

}  // namespace

Execution* Execution::current_execution = nullptr;
Execution* Execution::concurrent_execution = nullptr;

void Execution::Run(absl::FunctionRef<void()> scenario) {
  scenario_ = &scenario;
  memory_.Reset();
  current_execution = this;
  concurrent_execution = nullptr;
  thread_count_ = 1;
  live_ = 1;
  current_ = 0;
  trace_.threads.assign(1, "main");
  threads_[0].fiber.Prepare(0, &RunScenario);
  if (options_.in_arena) {
    Arena::Reset();
    Arena::Enter();
  }
  host_.SwitchTo(threads_[0].fiber);
  Arena::Leave();
  current_execution = nullptr;
  concurrent_execution = nullptr;
}

void Execution::RunScenario() {
  Execution& execution = *current_execution;
  (*execution.scenario_)();
  if (execution.live_ != 1) execution.Fail("lost thread", "the scenario ends before its threads");
  execution.ReturnToHost();
}

void Execution::RunThread() {
  Execution& execution = *current_execution;
  Thread& thread = execution.self();
  thread.body(thread.argument);
  execution.Finish();
}

void Execution::ReturnToHost() {
  self().fiber.SwitchTo(host_);
  __builtin_unreachable();
}

ThreadId Execution::StartThread(void (*body)(void*), void* argument) {
  if (concurrent_execution == nullptr) {
    // Whatever this thread did alone happens before everything that follows.
    memory_.Reset();
    thread_count_ = 1;
    threads_[0].clock = VectorClock();
    concurrent_execution = this;
  }
  if (thread_count_ == kMaxThreads) Fail("too many threads", "an execution has at most 8 threads");
  self().clock.Tick(current_);
  const auto id = static_cast<ThreadId>(thread_count_++);
  Thread& thread = threads_[id];
  thread.clock = self().clock;
  thread.clock.Tick(id);
  thread.status = Status::kRunnable;
  thread.yielded = false;
  thread.timed_out = false;
  thread.watched_clock = false;
  thread.watch_depth = 0;
  thread.watches.clear();
  thread.slots = {};
  thread.next = Operation();
  thread.body = body;
  thread.argument = argument;
  thread.fiber.Prepare(id, &RunThread);
  trace_.threads.resize(std::max<size_t>(trace_.threads.size(), thread_count_));
  ++live_;
  return id;
}

void Execution::Finish() {
  self().status = Status::kFinished;
  --live_;
  for (uint32_t i = 0; i < thread_count_; ++i) {
    Thread& other = threads_[i];
    if (other.status != Status::kJoining || other.joins != current_) continue;
    other.status = Status::kRunnable;
  }
  Reschedule(/*local=*/false);
  __builtin_unreachable();
}

void Execution::JoinThread(ThreadId thread, std::source_location where) {
  if (concurrent_execution == nullptr) return;  // it ended before this thread was alone again
  if (threads_[thread].status != Status::kFinished) {
    self().status = Status::kJoining;
    self().joins = thread;
    self().next = Operation{.where = where};
    Reschedule(/*local=*/false);
  }
  self().clock.Join(threads_[thread].clock);
  if (live_ == 1 && current_ == 0) concurrent_execution = nullptr;
}

bool Execution::CanRun(const Thread& thread) const {
  return thread.status == Status::kRunnable ||
         (thread.status == Status::kSleeping && thread.deadline_ns != ~uint64_t{0});
}

void Execution::Arrive(const Operation& next) {
  self().next = next;
  Reschedule(/*local=*/!next.shared);
  for (uint32_t i = 0; i < thread_count_; ++i) threads_[i].yielded = false;
  self().clock.Tick(current_);
}

void Execution::Reschedule(bool local) {
  if (++tick_ > options_.most_ticks) {
    Fail("livelock", "no end after " + std::to_string(options_.most_ticks) + " scheduling points");
  }
  ThreadChoice choice{
      .tick = tick_, .current = current_, .local = false, .count = 0, .options = {}, .next = {}};
  const bool may_stay = self().status == Status::kRunnable && !self().yielded;
  const auto add_all = [&](auto qualifies, bool deviates) {
    for (uint32_t i = 0; i < thread_count_; ++i) {
      const auto id = static_cast<ThreadId>((current_ + i) % thread_count_);
      if (!qualifies(threads_[id])) continue;
      choice.options[choice.count++] = {id, deviates && id != current_};
    }
  };
  do {
    add_all([](const Thread& t) { return t.status == Status::kRunnable && !t.yielded; }, may_stay);
    if (choice.count == 0) {
      add_all([](const Thread& t) { return t.status == Status::kRunnable; }, false);
    }
    add_all([&](const Thread& t) { return t.status == Status::kSleeping && CanRun(t); },
            choice.count != 0);
  } while (choice.count == 0 && LetTimePass());
  if (choice.count == 0) FailStuck();

  for (uint32_t i = 0; i < thread_count_; ++i) {
    if (CanRun(threads_[i])) choice.next[i] = &threads_[i].next;
  }
  choice.local = local && choice.options[0].thread == current_;
  const uint32_t picked = strategy_.PickThread(choice);
  if (picked == Strategy::kPrune) {
    outcome_ = Outcome::kPruned;
    ReturnToHost();
  }
  const ThreadId next = choice.options[picked].thread;
  if (picked != 0) schedule_.push_back({tick_, Deviation::Kind::kThread, next});
  SwitchTo(next);
}

void Execution::SwitchTo(ThreadId next) {
  Thread& before = self();
  Thread& thread = threads_[next];
  if (thread.status == Status::kSleeping) {
    now_ns_ = std::max(now_ns_, thread.deadline_ns);
    thread.status = Status::kRunnable;
    thread.timed_out = true;
  }
  thread.yielded = false;
  if (next == current_) return;
  current_ = next;
  before.fiber.SwitchTo(thread.fiber);
}

// For those who wait with an eye on the clock. False: nobody does, or it has not helped.
bool Execution::LetTimePass() {
  bool helps = false;
  if (idle_jumps_ == kMostIdleJumps) return false;
  for (uint32_t i = 0; i < thread_count_; ++i) {
    Thread& thread = threads_[i];
    if (thread.status != Status::kWatching || !thread.watched_clock) continue;
    thread.status = Status::kRunnable;
    helps = true;
  }
  if (!helps) return false;
  ++idle_jumps_;
  now_ns_ += kIdleJumpNs;
  return true;
}

uint32_t Execution::PickValue(Deviation::Kind kind, uint32_t count) {
  if (count == 1) return 0;
  const uint32_t value = strategy_.PickValue({.tick = tick_, .kind = kind, .count = count});
  if (value != 0) schedule_.push_back({tick_, kind, value});
  return value;
}

void Execution::Yield() {
  if (concurrent_execution == nullptr) return;
  self().yielded = true;
  self().next = Operation();
  Reschedule(/*local=*/false);
}

void** Execution::Slot(const void* key, bool create) {
  Thread::Slot* free = nullptr;
  for (Thread::Slot& slot : self().slots) {
    if (slot.key == key) return &slot.value;
    if (slot.key == nullptr && free == nullptr) free = &slot;
  }
  if (key == nullptr || !create || free == nullptr) return nullptr;
  free->key = key;
  return &free->value;
}

}  // namespace paddock::model

// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_EXECUTION_H_
#define PADDOCK_CONCURRENCY_MODEL_EXECUTION_H_

#include <source_location>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "paddock/concurrency/model/arena.h"
#include "paddock/concurrency/model/fiber.h"
#include "paddock/concurrency/model/memory.h"
#include "paddock/concurrency/model/operation.h"
#include "paddock/concurrency/model/schedule.h"
#include "paddock/concurrency/model/strategy.h"
#include "paddock/concurrency/model/trace.h"
#include "paddock/concurrency/model/vector_clock.h"

// One run of a scenario under a scheduler that owns every interleaving. The scenario's threads are
// fibers of the calling thread; each atomic access, wait and wake-up is a point at which the
// strategy decides who goes on.
//
//   Execution execution(memory, strategy, {});
//   execution.Run([] { ... creates objects, starts sync::Threads, joins them, checks ...; });
//   if (execution.outcome() == Outcome::kFailed) Report(execution.failure(), execution.schedule());
//
// While only one thread exists, nothing is a scheduling point and nothing is recorded: setting a
// world up and taking it down cost what they cost otherwise.
//
// Time stands still, except that it jumps to a sleeper's deadline, when the strategy lets it pass,
// or, if nobody can run, by kIdleJumpNs for those who wait with an eye on the clock.
namespace paddock::model {

enum class Outcome : uint8_t { kCompleted, kFailed, kPruned };

struct Failure {
  HostString kind;     // "data race", "deadlock", ...: a few words, the same for the same bug
  HostString message;  // what happened, with names and places
};

class Execution {
 public:
  struct Options {
    uint32_t most_ticks = 20'000;  // more are a livelock
    bool traces = false;           // keep the steps
    bool in_arena = true;          // where `new` of the scenario gets its memory
  };

  static constexpr uint32_t kMaxSlots = 8;  // for each thread, see ThreadSlots
  static constexpr uint64_t kFirstNs = 1'000'000'000;
  static constexpr uint64_t kIdleJumpNs = 1'000'000;

  Execution(Memory& memory, Strategy& strategy, const Options& options)
      : memory_(memory), strategy_(strategy), options_(options) {}
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  // One at a time in a process.
  void Run(absl::FunctionRef<void()> scenario);

  Outcome outcome() const { return outcome_; }
  const Failure& failure() const { return failure_; }
  const Schedule& schedule() const { return schedule_; }
  const Trace& trace() const { return trace_; }
  // Two executions with the same hash did the same steps, for all that matters.
  uint64_t hash() const { return hash_; }
  uint32_t ticks() const { return tick_; }
  const HostVector<HostString>& reached() const { return reached_; }

  // What follows is for the backend and for scenarios, on a thread of the execution.

  // The execution that the caller is a part of; null outside.
  static Execution* Current() { return current_execution; }
  // The same, null also while there is nobody to interleave with.
  static Execution* Concurrent() { return concurrent_execution; }

  bool traces() const { return options_.traces; }

  uint64_t Load(const void* object, size_t bytes, Order order, std::source_location where);
  void Store(void* object, size_t bytes, uint64_t value, Order order, std::source_location where);
  // Stores what `change` makes of the value; returns the value before.
  uint64_t Update(void* object, size_t bytes, Order order,
                  absl::FunctionRef<uint64_t(uint64_t)> change, std::string_view name,
                  std::source_location where);
  bool CompareExchange(void* object, size_t bytes, uint64_t& expected, uint64_t desired,
                       Order success, Order failure, std::source_location where);
  void PlainAccess(const void* object, bool writes, std::source_location where);
  void Constructed(const void* object, size_t bytes);
  void Destroyed(const void* object);

  // False: the deadline passed.
  bool Sleep(const void* word, uint32_t expected, uint64_t deadline_ns, std::source_location where);
  enum class Whom : uint8_t { kOne, kAll };
  void Wake(const void* word, Whom whom, std::source_location where);
  void Yield();

  // What a thread reads and writes from here on is remembered, until EndWatch of the same depth.
  size_t BeginWatch();
  void EndWatch(size_t begin);
  // A round of waiting is over that began with `begin`. If it changed nothing, and nothing that it
  // read has changed since, the thread waits until something does; else others go first.
  void AwaitChange(size_t begin, std::source_location where);

  uint64_t NowNs();
  void AdvanceTime(uint64_t ns);

  // `body` must stay until the thread is joined.
  ThreadId StartThread(void (*body)(void*), void* argument);
  void JoinThread(ThreadId thread, std::source_location where);
  // The calling thread's slot of that key; null if there is none, or none left to create.
  void** Slot(const void* key, bool create);

  void ReleaseMemory(const void* start, size_t bytes, std::source_location where);
  void TakeMemory(const void* start, size_t bytes, std::source_location where);
  void Name(const void* start, size_t bytes, std::string_view name);
  void NameThread(std::string_view name);
  void Reach(std::string_view state);
  [[noreturn]] void Fail(std::string_view kind, std::string_view message);

 private:
  enum class Status : uint8_t { kRunnable, kSleeping, kWatching, kJoining, kFinished };

  struct Watch {
    uintptr_t address;
    uint8_t bytes;
    bool wrote;
    uint64_t value;  // before the first write, or as last read
  };
  struct Thread {
    Fiber fiber;
    VectorClock clock;
    Status status = Status::kRunnable;
    bool yielded = false;
    bool timed_out = false;
    bool watched_clock = false;
    uint32_t watch_depth = 0;
    Operation next;
    uintptr_t sleeps_on = 0;
    uint64_t deadline_ns = 0;
    ThreadId joins = 0;
    size_t watch_begin = 0;
    HostVector<Watch> watches;
    void (*body)(void*) = nullptr;
    void* argument = nullptr;
    struct Slot {
      const void* key;
      void* value;
    };
    std::array<Slot, kMaxSlots> slots{};
  };
  struct NamedRange {
    uintptr_t start;
    size_t bytes;
    HostString name;
  };

  static void RunScenario();
  static void RunThread();

  Thread& self() { return threads_[current_]; }
  Actor Acting(std::source_location where) { return Actor{current_, self().clock, where}; }
  bool CanRun(const Thread& thread) const;
  bool LetTimePass();

  // Lets others run first, if the strategy says so; then the caller's operation `next` happens.
  void Arrive(const Operation& next);
  // The caller cannot go on, or need not: somebody else runs.
  void Reschedule(bool local);
  void SwitchTo(ThreadId next);
  [[noreturn]] void ReturnToHost();
  void Finish();
  uint32_t PickValue(Deviation::Kind kind, uint32_t count);

  void Check(const MemoryError& error, uintptr_t address, std::source_location where);
  void Remember(uintptr_t address, size_t bytes, uint64_t value, bool writes);
  void WakeWatchers(uintptr_t address, uint64_t value);
  void FailStuck();
  HostString Describe(ThreadId thread) const;
  HostString NameOf(uintptr_t address) const;
  void Record(uintptr_t address, uint64_t value, std::source_location where,
              absl::FunctionRef<HostString()> what);
  void Mix(uint64_t value);

  static Execution* current_execution;
  static Execution* concurrent_execution;

  Memory& memory_;
  Strategy& strategy_;
  const Options options_;
  const absl::FunctionRef<void()>* scenario_ = nullptr;

  Fiber host_;
  std::array<Thread, kMaxThreads> threads_;
  uint32_t thread_count_ = 0;
  uint32_t live_ = 0;
  ThreadId current_ = 0;
  uint32_t tick_ = 0;
  uint32_t idle_jumps_ = 0;
  uint64_t now_ns_ = kFirstNs;

  Outcome outcome_ = Outcome::kCompleted;
  Failure failure_;
  Schedule schedule_;
  Trace trace_;
  uint64_t hash_ = 0;
  HostVector<NamedRange> names_;
  HostVector<HostString> reached_;
};

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_EXECUTION_H_

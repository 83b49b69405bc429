// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/execution.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace paddock::model {
namespace {

constexpr uint32_t kMostIdleJumps = 100;
constexpr uint32_t kMostLonelyRounds = 100'000;

uint64_t ReadBytes(const void* object, size_t bytes) {
  uint64_t value = 0;
  std::memcpy(&value, object, bytes);
  return value;
}
uint64_t ReadBytes(uintptr_t address, size_t bytes) {
  return ReadBytes(reinterpret_cast<const void*>(address), bytes);
}

uintptr_t AddressOf(const void* object) { return reinterpret_cast<uintptr_t>(object); }

HostString Host(std::string_view text) { return {text.data(), text.size()}; }

std::string ThreadLabel(uint32_t thread) { return "T" + std::to_string(thread); }

HostString Number(uint64_t value) {
  constexpr uint64_t kLastDecimal = 4095;
  if (value <= kLastDecimal) return Host(std::to_string(value));
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

Execution* Execution::current_execution = nullptr;
Execution* Execution::concurrent_execution = nullptr;

// --- Threads and the scheduler.

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

// --- Memory.

uint64_t Execution::Load(const void* object, size_t bytes, Order order,
                         std::source_location where) {
  const uintptr_t address = AddressOf(object);
  Arrive({OpKind::kLoad, order, memory_.MayBeShared(address), address, where});
  const Actor actor = Acting(where);
  Location& location = memory_.At(address, ReadBytes(object, bytes), actor);
  Check(memory_.NoteAtomic(location, actor, false), address, where);
  const uint32_t age = PickValue(Deviation::Kind::kRead, memory_.Visible(location, actor, order));
  const uint64_t value = memory_.Load(location, actor, order, age);
  Remember(address, bytes, value, false);
  Record(address, value, where, [&] {
    HostString text = NameOf(address) + " = " + Number(value) + "  load " + OrderName(order);
    if (age != 0) text += " (old: it is " + Number(location.newest().value) + ")";
    return text;
  });
  return value;
}

void Execution::Store(void* object, size_t bytes, uint64_t value, Order order,
                      std::source_location where) {
  const uintptr_t address = AddressOf(object);
  Arrive({OpKind::kStore, order, memory_.MayBeShared(address), address, where});
  const Actor actor = Acting(where);
  const uint64_t before = ReadBytes(object, bytes);
  Location& location = memory_.At(address, before, actor);
  Check(memory_.NoteAtomic(location, actor, true), address, where);
  memory_.Write(location, actor, order, value);
  Remember(address, bytes, before, true);
  std::memcpy(object, &value, bytes);
  WakeWatchers(address, value);
  Record(address, value, where, [&] {
    return NameOf(address) + ": " + Number(before) + " -> " + Number(value) + "  store " +
           OrderName(order);
  });
}

uint64_t Execution::Update(void* object, size_t bytes, Order order,
                           absl::FunctionRef<uint64_t(uint64_t)> change, std::string_view name,
                           std::source_location where) {
  const uintptr_t address = AddressOf(object);
  Arrive({OpKind::kUpdate, order, memory_.MayBeShared(address), address, where});
  const Actor actor = Acting(where);
  const uint64_t before = ReadBytes(object, bytes);
  uint64_t after = change(before);
  if (bytes < sizeof(after)) after &= (uint64_t{1} << (8 * bytes)) - 1;
  Location& location = memory_.At(address, before, actor);
  Check(memory_.NoteAtomic(location, actor, true), address, where);
  memory_.ReadForUpdate(location, actor, order);
  memory_.Update(location, actor, order, after);
  Remember(address, bytes, before, true);
  std::memcpy(object, &after, bytes);
  WakeWatchers(address, after);
  Record(address, after, where, [&] {
    return NameOf(address) + ": " + Number(before) + " -> " + Number(after) + "  " + Host(name) +
           " " + OrderName(order);
  });
  return before;
}

bool Execution::CompareExchange(void* object, size_t bytes, uint64_t& expected, uint64_t desired,
                                Order success, Order failure, std::source_location where) {
  const uintptr_t address = AddressOf(object);
  Arrive({OpKind::kUpdate, success, memory_.MayBeShared(address), address, where});
  const Actor actor = Acting(where);
  const uint64_t before = ReadBytes(object, bytes);
  Location& location = memory_.At(address, before, actor);
  const bool succeeds = before == expected;
  Check(memory_.NoteAtomic(location, actor, succeeds), address, where);
  if (succeeds) {
    memory_.ReadForUpdate(location, actor, success);
    memory_.Update(location, actor, success, desired);
    Remember(address, bytes, before, true);
    std::memcpy(object, &desired, bytes);
    WakeWatchers(address, desired);
  } else {
    memory_.Load(location, actor, failure, 0);
    Remember(address, bytes, before, false);
  }
  Record(address, before, where, [&] {
    HostString text = NameOf(address) + ": " + Number(before);
    if (succeeds) return text + " -> " + Number(desired) + "  exchanged " + OrderName(success);
    return text + ", not " + Number(expected) + ": not exchanged " + OrderName(failure);
  });
  expected = before;
  return succeeds;
}

void Execution::PlainAccess(const void* object, bool writes, std::source_location where) {
  // Not a scheduling point: what it races with is found by happens-before, in any interleaving.
  self().clock.Tick(current_);
  const Actor actor = Acting(where);
  const uintptr_t address = AddressOf(object);
  Location& location = memory_.At(address, 0, actor);
  Check(memory_.NotePlain(location, actor, writes), address, where);
}

void Execution::Constructed(const void* object, size_t bytes) {
  self().clock.Tick(current_);
  memory_.Construct(AddressOf(object), ReadBytes(object, bytes), Acting(std::source_location()));
}

void Execution::Destroyed(const void* object) {
  self().clock.Tick(current_);
  const auto where = std::source_location();
  Check(memory_.Destroy(AddressOf(object), Acting(where)), AddressOf(object), where);
}

void Execution::ReleaseMemory(const void* start, size_t bytes, std::source_location where) {
  if (concurrent_execution == nullptr) return;
  self().clock.Tick(current_);
  Check(memory_.Release(AddressOf(start), bytes, Acting(where)), AddressOf(start), where);
}

void Execution::TakeMemory(const void* start, size_t bytes, std::source_location where) {
  if (concurrent_execution == nullptr) return;
  self().clock.Tick(current_);
  memory_.Take(AddressOf(start), bytes, Acting(where));
}

void Execution::Check(const MemoryError& error, uintptr_t address, std::source_location where) {
  if (!error) return;
  std::string message = ThreadLabel(current_) + " at " + ShortPlace(where) + ": ";
  message += NameOf(address);
  message += std::string(" ") + error.what + " " + ThreadLabel(error.other);
  if (error.where.line() != 0) message += " at " + ShortPlace(error.where);
  Fail(error.kind, message);
}

// --- Waiting.

bool Execution::Sleep(const void* word, uint32_t expected, uint64_t deadline_ns,
                      std::source_location where) {
  const uintptr_t address = AddressOf(word);
  if (concurrent_execution == nullptr) {
    if (ReadBytes(word, sizeof(expected)) != expected) return true;
    if (deadline_ns == ~uint64_t{0}) FailStuck();
    now_ns_ = std::max(now_ns_, deadline_ns);
    return false;
  }
  Arrive({OpKind::kSleep, Order::kRelaxed, true, address, where});
  const Actor actor = Acting(where);
  const uint64_t value = ReadBytes(word, sizeof(expected));
  Location& location = memory_.At(address, value, actor);
  Check(memory_.NoteAtomic(location, actor, false), address, where);
  Record(address, value, where, [&] {
    return NameOf(address) + " = " + Number(value) +
           (value == expected ? "  sleeps" : "  does not sleep");
  });
  if (value != expected) return true;
  if (deadline_ns <= now_ns_) return false;
  Thread& thread = self();
  thread.status = Status::kSleeping;
  thread.sleeps_on = address;
  thread.deadline_ns = deadline_ns;
  thread.timed_out = false;
  thread.next = Operation{.kind = deadline_ns == ~uint64_t{0} ? OpKind::kStart : OpKind::kTime,
                          .where = where};
  Reschedule(/*local=*/false);
  return !thread.timed_out;
}

void Execution::Wake(const void* word, Whom whom, std::source_location where) {
  if (concurrent_execution == nullptr) return;
  const uintptr_t address = AddressOf(word);
  Arrive({OpKind::kWake, Order::kRelaxed, true, address, where});
  std::array<ThreadId, kMaxThreads> sleepers;
  uint32_t count = 0;
  for (uint32_t i = 0; i < thread_count_; ++i) {
    const bool sleeps = threads_[i].status == Status::kSleeping && threads_[i].sleeps_on == address;
    if (sleeps) sleepers[count++] = static_cast<ThreadId>(i);
  }
  uint32_t first = 0;
  if (whom == Whom::kOne && count > 1) {
    first = PickValue(Deviation::Kind::kWake, count);
    count = first + 1;
  }
  Record(address, count - first, where,
         [&] { return NameOf(address) + "  wakes " + Number(count - first); });
  for (uint32_t i = first; i < count; ++i) {
    Thread& thread = threads_[sleepers[i]];
    thread.status = Status::kRunnable;
    thread.next = Operation();
  }
}

size_t Execution::BeginWatch() {
  ++self().watch_depth;
  return self().watches.size();
}

void Execution::EndWatch(size_t begin) {
  Thread& thread = self();
  thread.watches.resize(std::min(begin, thread.watches.size()));
  if (--thread.watch_depth == 0) thread.watched_clock = false;
}

void Execution::Remember(uintptr_t address, size_t bytes, uint64_t value, bool writes) {
  Thread& thread = self();
  if (thread.watch_depth == 0) return;
  for (Watch& watch : thread.watches) {
    if (watch.address != address) continue;
    if (!watch.wrote) watch.value = value;
    watch.wrote |= writes;
    return;
  }
  thread.watches.push_back({address, static_cast<uint8_t>(bytes), writes, value});
}

void Execution::AwaitChange(size_t begin, std::source_location where) {
  Thread& thread = self();
  if (concurrent_execution == nullptr) {
    if (++idle_jumps_ > kMostLonelyRounds) {
      Fail("livelock", "the only thread waits in vain at " + ShortPlace(where));
    }
    now_ns_ += thread.watched_clock ? kIdleJumpNs : 0;
    return;
  }
  bool changed = false;
  for (size_t i = begin; i < thread.watches.size(); ++i) {
    const Watch& watch = thread.watches[i];
    changed |= ReadBytes(watch.address, watch.bytes) != watch.value;
  }
  if (changed) {
    Yield();
  } else {
    thread.status = Status::kWatching;
    thread.watch_begin = begin;
    thread.next = Operation{.where = where};
    Reschedule(/*local=*/false);
  }
  // Whoever waits sees everything sooner or later; it may as well be now.
  for (size_t i = begin; i < thread.watches.size(); ++i) {
    const Watch& watch = thread.watches[i];
    const Actor actor = Acting(where);
    memory_.SeeNewest(memory_.At(watch.address, ReadBytes(watch.address, watch.bytes), actor),
                      actor);
  }
  thread.watches.resize(begin);
  thread.watched_clock = false;
}

void Execution::WakeWatchers(uintptr_t address, uint64_t value) {
  for (uint32_t i = 0; i < thread_count_; ++i) {
    Thread& thread = threads_[i];
    if (thread.status != Status::kWatching) continue;
    for (size_t w = thread.watch_begin; w < thread.watches.size(); ++w) {
      if (thread.watches[w].address != address || thread.watches[w].value == value) continue;
      thread.status = Status::kRunnable;
      break;
    }
  }
}

uint64_t Execution::NowNs() {
  if (self().watch_depth != 0) self().watched_clock = true;
  return now_ns_;
}

void Execution::AdvanceTime(uint64_t ns) {
  if (concurrent_execution != nullptr) {
    Arrive({OpKind::kTime, Order::kRelaxed, true, 0, std::source_location()});
  }
  now_ns_ += ns;
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

// --- What is told to people.

HostString Execution::NameOf(uintptr_t address) const {
  for (const NamedRange& range : names_) {
    if (address - range.start >= range.bytes) continue;
    if (address == range.start) return range.name;
    return range.name + "+" + Number(address - range.start);
  }
  const void* const object = reinterpret_cast<const void*>(address);
  ThreadId stack = 0;
  if (Fiber::FindStack(object, stack)) return "a local of " + Host(ThreadLabel(stack));
  if (Arena::Contains(object)) return "heap+" + Number(Arena::OffsetOf(object));
  return Number(address);
}

HostString Execution::Describe(ThreadId id) const {
  const Thread& thread = threads_[id];
  HostString text = Host(ThreadLabel(id)) + " " + trace_.threads[id];
  const auto add_place = [&] {
    if (thread.next.where.line() != 0) text += " at " + Host(ShortPlace(thread.next.where));
  };
  switch (thread.status) {
    case Status::kRunnable:
      text += " can run";
      break;
    case Status::kFinished:
      text += " has ended";
      break;
    case Status::kJoining:
      text += " joins " + Host(ThreadLabel(thread.joins));
      add_place();
      break;
    case Status::kSleeping:
      text += " sleeps on " + NameOf(thread.sleeps_on);
      add_place();
      break;
    case Status::kWatching:
      text += " waits for a change of";
      for (size_t i = thread.watch_begin; i < thread.watches.size(); ++i) {
        text += (i == thread.watch_begin ? " " : ", ") + NameOf(thread.watches[i].address) + " = " +
                Number(thread.watches[i].value);
      }
      add_place();
      break;
  }
  return text;
}

void Execution::FailStuck() {
  HostString text = "nobody can run:";
  for (uint32_t id = 0; id < thread_count_; ++id) {
    text += "\n    " + Describe(static_cast<ThreadId>(id));
  }
  Fail("deadlock", text);
}

void Execution::Fail(std::string_view kind, std::string_view message) {
  failure_.kind = Host(kind);
  failure_.message = Host(message);
  outcome_ = Outcome::kFailed;
  ReturnToHost();
}

void Execution::Name(const void* start, size_t bytes, std::string_view name) {
  names_.push_back({AddressOf(start), bytes, Host(name)});
}

void Execution::NameThread(std::string_view name) { trace_.threads[current_] = Host(name); }

void Execution::Reach(std::string_view state) {
  const HostString name = Host(state);
  if (std::find(reached_.begin(), reached_.end(), name) == reached_.end()) reached_.push_back(name);
}

void Execution::Mix(uint64_t value) { hash_ = (hash_ ^ value) * 0x100'0000'01b3u; }

void Execution::Record(uintptr_t address, uint64_t value, std::source_location where,
                       absl::FunctionRef<HostString()> what) {
  Mix(tick_);
  Mix(current_);
  Mix(where.line());
  Mix(value);
  if (!options_.traces) return;
  trace_.steps.push_back({tick_, current_, !memory_.MayBeShared(address), what(), where});
}

}  // namespace paddock::model

// SPDX-License-Identifier: Apache-2.0
//
// Execution: sleeping and waking, waiting for a change, and time.

#include <algorithm>
#include <array>
#include <string>

#include "paddock/concurrency/model/execution.h"
#include "paddock/concurrency/model/execution_text.h"

namespace paddock::model {
namespace {

constexpr uint32_t kMostLonelyRounds = 100'000;

}  // namespace

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

}  // namespace paddock::model

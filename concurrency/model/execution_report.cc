// SPDX-License-Identifier: Apache-2.0
//
// Execution: what is told to people.

#include <algorithm>
#include <string>

#include "paddock/concurrency/model/execution.h"
#include "paddock/concurrency/model/execution_text.h"

namespace paddock::model {

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

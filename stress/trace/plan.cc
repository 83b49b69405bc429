// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/plan.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "paddock/stress/trace/areas.h"
#include "paddock/stress/trace/meaning.h"
#include "paddock/stress/trace/ordering.h"
#include "paddock/stress/trace/parser.h"

namespace paddock {
namespace {

// Takes the lines one by one. Areas and sizes change at the line that ends an operation.
class PlanBuilder {
 public:
  PlanBuilder(TracePlan& plan, const TracePlanOptions& options) : plan_(plan), options_(options) {}

  // The error is that of the first line: nothing but its reason.
  absl::Status AddLine(uint32_t number, std::string_view line);
  absl::Status Finish();

 private:
  struct OpenCall {
    TraceEvent enter;
    uint32_t line;
  };
  struct Process {
    Process(uint32_t number, TraceSizer& sizer) : index(number), space(sizer) {}
    uint32_t index;  // in the plan
    uint32_t open_calls = 0;
    TraceHeap heap;
    TraceAreas areas;
    TraceSizer::Space space;
  };
  struct Thread {
    Process* process;
    uint32_t index;  // in the process
    uint64_t last_time_ns = 0;
    std::optional<OpenCall> open;
  };

  Thread& FindThread(const TraceEvent& event);
  absl::Status AddEvent(uint32_t line, const TraceEvent& event);
  void AddFault(uint32_t line, const TraceEvent& event, Thread& thread);
  void AddExit(uint32_t line, const TraceEvent& event, Thread& thread);
  // Forgets the thread's open call and returns it.
  OpenCall Close(Thread& thread);
  void AddOperation(Thread& thread, TraceOperation operation);
  void Skip(std::string_view reason, uint64_t lines) {
    plan_.accounting.skipped[std::string(reason)] += lines;
  }
  void SkipHalfCall() { Skip("call whose end is not in the recording", 1); }

  TracePlan& plan_;
  const TracePlanOptions options_;
  TraceSizer sizer_;
  bool any_understood_ = false;
  std::vector<std::unique_ptr<Process>> processes_;
  absl::flat_hash_map<uint32_t, Process*> by_pid_;
  absl::flat_hash_map<uint64_t, Thread> threads_;  // by pid and tid
};

PlanBuilder::Thread& PlanBuilder::FindThread(const TraceEvent& event) {
  const uint64_t key = uint64_t{event.pid} << 32 | event.tid;
  if (const auto found = threads_.find(key); found != threads_.end()) return found->second;
  Process*& process = by_pid_[event.pid];
  if (process == nullptr) {
    const auto index = static_cast<uint32_t>(plan_.processes.size());
    process = processes_.emplace_back(std::make_unique<Process>(index, sizer_)).get();
    plan_.processes.push_back({.pid = event.pid, .threads = {}, .waits = {}});
  }
  std::vector<TraceThread>& threads = plan_.processes[process->index].threads;
  const auto index = static_cast<uint32_t>(threads.size());
  threads.push_back({.tid = event.tid, .operations = {}});
  return threads_.emplace(key, Thread{.process = process, .index = index, .open = {}})
      .first->second;
}

absl::Status PlanBuilder::AddLine(uint32_t number, std::string_view line) {
  TraceAccounting& accounting = plan_.accounting;
  ++accounting.lines;
  if (IsTraceComment(line)) {
    Skip("blank line or comment", 1);
    return absl::OkStatus();
  }
  absl::StatusOr<TraceEvent> event = ParseTraceLine(line);
  absl::Status status = event.ok() ? AddEvent(number, *event) : event.status();
  if (status.ok()) {
    any_understood_ = true;
    return status;
  }
  ++accounting.not_understood;
  if (accounting.examples.size() < TraceAccounting::kMaxExamples) {
    accounting.examples.push_back({number, std::string(status.message())});
  }
  return any_understood_ ? absl::OkStatus() : status;
}

absl::Status PlanBuilder::AddEvent(uint32_t line, const TraceEvent& event) {
  Thread& thread = FindThread(event);
  if (event.time_ns < thread.last_time_ns) {
    return absl::InvalidArgumentError(absl::StrCat(
        "time goes back by ", thread.last_time_ns - event.time_ns, " ns in thread ", event.tid));
  }
  thread.last_time_ns = event.time_ns;
  switch (event.phase) {
    case TracePhase::kInstant:
      AddFault(line, event, thread);
      break;
    case TracePhase::kEnter:
      if (thread.open) {
        Close(thread);
        SkipHalfCall();
      }
      thread.open = OpenCall{event, line};
      ++thread.process->open_calls;
      break;
    case TracePhase::kExit:
      AddExit(line, event, thread);
      break;
  }
  return absl::OkStatus();
}

PlanBuilder::OpenCall PlanBuilder::Close(Thread& thread) {
  --thread.process->open_calls;
  return *std::exchange(thread.open, std::nullopt);
}

void PlanBuilder::AddFault(uint32_t line, const TraceEvent& event, Thread& thread) {
  TraceMeaning meaning = InterpretTraceFault(event, options_.user_end);
  if (!meaning.operation) return Skip(meaning.skipped, 1);
  // Such a fault raised a signal, unless a call under way has just made the page accessible.
  if (thread.process->open_calls == 0 &&
      thread.process->areas.At(meaning.operation->range.start) == TraceAccess{0}) {
    return Skip("fault on an inaccessible page", 1);
  }
  meaning.operation->first_line = meaning.operation->last_line = line;
  meaning.operation->begin_ns = meaning.operation->end_ns = event.time_ns;
  AddOperation(thread, *meaning.operation);
}

void PlanBuilder::AddExit(uint32_t line, const TraceEvent& event, Thread& thread) {
  if (thread.open && thread.open->enter.call != event.call) {
    Close(thread);
    SkipHalfCall();
  }
  if (!thread.open) return Skip("call whose begin is not in the recording", 1);
  const OpenCall open = Close(thread);
  TraceMeaning meaning =
      InterpretTraceCall(open.enter, event, options_.user_end, thread.process->heap);
  if (!meaning.operation) return Skip(meaning.skipped, 2);
  meaning.operation->first_line = open.line;
  meaning.operation->last_line = line;
  meaning.operation->begin_ns = open.enter.time_ns;
  meaning.operation->end_ns = event.time_ns;
  AddOperation(thread, *meaning.operation);
}

void PlanBuilder::AddOperation(Thread& thread, TraceOperation operation) {
  Process& process = *thread.process;
  process.areas.Apply(operation);
  process.space.Apply(operation);
  std::vector<TraceOperation>& operations =
      plan_.processes[process.index].threads[thread.index].operations;
  if (!operations.empty()) {
    // A fault inside a call comes before it, so the call must not begin before the fault.
    operation.begin_ns = std::max(operation.begin_ns, operations.back().begin_ns);
  }
  operations.push_back(operation);
  const std::string_view event = TraceCallName(TraceCallOf(operation.kind));
  plan_.accounting.planned[std::string(event)] += operation.lines();
}

absl::Status PlanBuilder::Finish() {
  for (auto& [key, thread] : threads_) {
    if (thread.open) SkipHalfCall();
  }
  const TraceAccounting& accounting = plan_.accounting;
  if (accounting.not_understood > accounting.lines / 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        plan_.name, ":", accounting.examples[0].line, ": ", accounting.examples[0].reason, "; ",
        accounting.not_understood, " of ", accounting.lines, " lines are not understood"));
  }
  if (plan_.OperationCount() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(plan_.name, ":1: none of the ", accounting.lines,
                     " lines changes an address space: nothing to replay"));
  }
  plan_.sizing = sizer_.sizing();
  for (TraceProcess& process : plan_.processes) {
    for (TraceThread& thread : process.threads) thread.operations.shrink_to_fit();
    OrderTraceProcess(process);
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t TracePlan::ThreadCount() const {
  uint64_t count = 0;
  for (const TraceProcess& process : processes) count += process.threads.size();
  return count;
}

uint64_t TracePlan::OperationCount() const {
  uint64_t count = 0;
  for (const TraceProcess& process : processes) {
    for (const TraceThread& thread : process.threads) count += thread.operations.size();
  }
  return count;
}

absl::StatusOr<TracePlan> BuildTracePlan(TraceReader& reader, const TracePlanOptions& options) {
  TracePlan plan;
  plan.name = reader.name();
  PlanBuilder builder(plan, options);
  while (true) {
    absl::StatusOr<std::optional<std::string_view>> line = reader.Next();
    if (!line.ok()) return line.status();
    if (!line->has_value()) break;
    const uint64_t number = reader.line_number();
    if (number > std::numeric_limits<uint32_t>::max()) {
      return absl::InvalidArgumentError(
          absl::StrCat(plan.name, ":", number, ": a recording of more than 2^32 lines"));
    }
    if (absl::Status status = builder.AddLine(static_cast<uint32_t>(number), **line);
        !status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(plan.name, ":", number, ": not a recording: ", status.message()));
    }
  }
  if (absl::Status status = builder.Finish(); !status.ok()) return status;
  return plan;
}

absl::StatusOr<TracePlan> LoadTracePlan(const std::string& path, const TracePlanOptions& options) {
  absl::StatusOr<TraceReader> reader = TraceReader::Open(path);
  if (!reader.ok()) return reader.status();
  return BuildTracePlan(*reader, options);
}

}  // namespace paddock

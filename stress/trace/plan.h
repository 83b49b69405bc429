// SPDX-License-Identifier: Apache-2.0
//
// A recording as a plan to replay: processes, their threads, the operations of each thread in
// order, and which operations of other threads each must wait for.
//
//   absl::StatusOr<TracePlan> plan = LoadTracePlan("run.zst");  // or BuildTracePlan(reader)
//   for (const TraceProcess& process : plan->processes)        // one address space each, empty
//     for (const TraceThread& thread : process.threads)        // one task each
//       for (const TraceOperation& op : thread.operations) {
//         for (const TraceWait& wait : process.Waits(op))      // --pace=order
//           WaitUntil(done[wait.thread] >= wait.operations);
//         Replay(op);
//         ++done[this_thread];
//       }
//
// What a recording cannot tell: a process that was forked starts with an empty space although its
// parent's mappings were inherited, and execve leaves the old ones in place (neither is recorded);
// operations on addresses of which nothing is known are replayed like all others.
//
// Not replayed are lines without an effect on an address space (failed calls, queries, advice that
// maps and unmaps nothing, faults that only raised a signal) and calls of which one half is
// missing. Every line is counted exactly once, see TraceAccounting.
//
// A file is refused when it is not whole text (TraceReader), when its first line that is neither
// blank nor a comment is not understood, when more than half of its lines are not understood, and
// when nothing is left to replay.
//
// Thread safety: a plan that is no longer changed can be read by any thread.
// Failure: what TraceReader refuses, with its codes; INVALID_ARGUMENT for the rest, with file, line
//   and reason.
// Cost: 72 bytes per operation and 8 per wait, of which there are fewer than operations; loading
//   takes about a second per million lines.

#ifndef PADDOCK_STRESS_TRACE_PLAN_H_
#define PADDOCK_STRESS_TRACE_PLAN_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "paddock/stress/trace/operation.h"
#include "paddock/stress/trace/reader.h"
#include "paddock/stress/trace/sizing.h"

namespace paddock {

// Until `operations` operations of thread number `thread` (index in TraceProcess::threads) are
// completed.
struct TraceWait {
  uint32_t thread = 0;
  uint32_t operations = 0;
  friend bool operator==(const TraceWait&, const TraceWait&) = default;
};

struct TraceThread {
  uint32_t tid = 0;
  std::vector<TraceOperation> operations;  // may be empty
};

struct TraceProcess {
  uint32_t pid = 0;
  std::vector<TraceThread> threads;  // in order of appearance
  std::vector<TraceWait> waits;      // of all operations, see Waits

  // What must be completed before `op`, of this process, starts: together with what those waited
  // for, every operation of the process's other threads that ended before `op` began. Waits of a
  // plan never form a circle.
  absl::Span<const TraceWait> Waits(const TraceOperation& op) const {
    return absl::MakeConstSpan(waits).subspan(op.first_wait, op.wait_count);
  }
};

// invariant: the sum of all counts is `lines`.
struct TraceAccounting {
  uint64_t lines = 0;
  // By event as recorded ("page-faults", "mmap", ...): lines that became operations, to be
  // replayed. The enter and the exit of a call are two lines.
  std::map<std::string, uint64_t> planned;
  // By reason.
  std::map<std::string, uint64_t> skipped;
  uint64_t not_understood = 0;

  struct Example {
    uint64_t line;
    std::string reason;
  };
  static constexpr size_t kMaxExamples = 10;
  std::vector<Example> examples;  // the first lines that are not understood
};

struct TracePlan {
  std::string name;  // of the file
  TraceAccounting accounting;
  TraceSizing sizing;
  std::vector<TraceProcess> processes;  // in order of appearance

  uint64_t ThreadCount() const;
  uint64_t OperationCount() const;
};

struct TracePlanOptions {
  // Addresses from here on are not replayed. A multiple of 4 KiB; the default is the lower half of
  // 48-bit addresses.
  uint64_t user_end = uint64_t{1} << 47;
};

absl::StatusOr<TracePlan> BuildTracePlan(TraceReader& reader, const TracePlanOptions& options = {});
absl::StatusOr<TracePlan> LoadTracePlan(const std::string& path,
                                        const TracePlanOptions& options = {});

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_PLAN_H_

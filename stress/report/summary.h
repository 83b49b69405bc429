// SPDX-License-Identifier: Apache-2.0
//
// Everything that a run of the harness has to say at its end; what the writers turn into text,
// JSON, JUnit and HTML.
//
//   Summary summary{.seed = seed, .command = command, ...};
//   puts(TextSummary(summary).c_str());
//   return summary.verdict() == Verdict::kFail ? 1 : 0;
//
// Thread safety: a value.

#ifndef PADDOCK_STRESS_REPORT_SUMMARY_H_
#define PADDOCK_STRESS_REPORT_SUMMARY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "paddock/stress/oracle/violation.h"

namespace paddock {

struct OperationSummary {
  std::string name = {};
  uint64_t count = 0;
  uint64_t p50_ns = 0;
  uint64_t p99_ns = 0;
  uint64_t max_ns = 0;
};

struct WorkloadSummary {
  std::string name = {};
  double seconds = 0;
  uint64_t operations = 0;
  uint64_t violations = 0;  // reported while it ran
};

struct LockSummary {
  uint64_t acquired = 0;
  uint64_t contended = 0;
  uint64_t stray_retries = 0;
};

struct TlbSummary {
  uint64_t issued = 0;
  uint64_t batches = 0;
  uint64_t interrupts = 0;
  uint64_t interrupts_saved = 0;
  uint64_t full_flushes = 0;
  uint64_t lazy_skips = 0;     // CPUs that were left out: idle, or at work in another space
  uint64_t lazy_catchups = 0;  // flushes that such CPUs did later
};

struct RcuSummary {
  uint64_t grace_periods = 0;
  uint64_t longest_ns = 0;
  uint64_t peak_backlog = 0;
};

struct FrameSummary {
  uint64_t total = 0;
  uint64_t peak = 0;
  uint64_t leaked = 0;
};

// Every line of the recording is in exactly one of the counts; those that a run did not come to are
// skipped.
struct TraceSummary {
  std::string file = {};
  uint64_t lines = 0;
  std::map<std::string, uint64_t> replayed = {};  // by kind
  std::map<std::string, uint64_t> skipped = {};   // by reason
  uint64_t not_understood = 0;
  struct Line {
    uint64_t number = 0;
    std::string reason = {};
  };
  std::vector<Line> examples = {};  // the first of those not understood
  uint64_t processes = 0;
  uint64_t threads = 0;
};

enum class Verdict : uint8_t {
  kPass,
  kFail,
  kInterrupted,  // no failure, but told to stop before the end
};
// "pass", "fail", "interrupted".
const char* VerdictName(Verdict verdict);

struct Summary {
  uint64_t seed = 0;
  std::string command = {};  // runs this again
  double seconds = 0;
  uint32_t threads = 0;
  uint64_t transactions = 0;  // cursors opened and closed
  std::vector<OperationSummary> operations = {};
  std::vector<WorkloadSummary> workloads = {};
  // All six of violation.h; one that this run cannot exercise has `expected` kNothing.
  std::vector<OracleResult> oracles = {};
  std::vector<Violation> violations = {};  // the first ones
  uint64_t violation_count = 0;            // all of them
  bool interrupted = false;
  // What was asked for and not done, because the run was interrupted or a violation ended it.
  std::vector<std::string> not_run = {};
  LockSummary locks = {};
  TlbSummary tlb = {};
  RcuSummary rcu = {};
  FrameSummary frames = {};
  std::vector<TraceSummary> traces = {};

  Verdict verdict() const;
  bool Passed() const { return verdict() == Verdict::kPass; }
  // Why the run failed, one line each: violations, and oracles that were to check something and
  // checked nothing.
  std::vector<std::string> Failures() const;
  uint64_t AllViolations() const;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_SUMMARY_H_

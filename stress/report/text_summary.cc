// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/text_summary.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "paddock/stress/report/text_format.h"

namespace paddock {
namespace {

constexpr size_t kShownViolations = 10;

void AppendOperations(const Summary& summary, std::string* out) {
  absl::StrAppendFormat(out, "\n%-16s %15s %11s %10s %10s %10s\n", "operation", "count", "rate",
                        "p50", "p99", "max");
  for (const OperationSummary& operation : summary.operations) {
    const bool timed = operation.max_ns != 0;
    const auto time = [&](uint64_t ns) { return timed ? HumanDuration(ns) : std::string("-"); };
    absl::StrAppendFormat(out, "%-16s %15s %11s %10s %10s %10s\n", operation.name,
                          WithThousands(operation.count),
                          HumanRate(operation.count, summary.seconds), time(operation.p50_ns),
                          time(operation.p99_ns), time(operation.max_ns));
  }
}

void AppendLine(const char* title, std::initializer_list<std::pair<const char*, uint64_t>> numbers,
                std::string* out) {
  absl::StrAppendFormat(out, "%-7s ", title);
  const char* separator = "";
  for (const auto& [name, n] : numbers) {
    absl::StrAppend(out, separator, WithThousands(n), " ", name);
    separator = ", ";
  }
  absl::StrAppend(out, "\n");
}

void AppendMachine(const Summary& summary, std::string* out) {
  absl::StrAppend(out, "\n");
  AppendLine("locks",
             {{"acquired", summary.locks.acquired},
              {"contended", summary.locks.contended},
              {"stray retries", summary.locks.stray_retries}},
             out);
  AppendLine("tlb",
             {{"operations issued", summary.tlb.issued},
              {"batches", summary.tlb.batches},
              {"interrupts sent", summary.tlb.interrupts},
              {"saved", summary.tlb.interrupts_saved},
              {"full flushes", summary.tlb.full_flushes}},
             out);
  absl::StrAppendFormat(out, "%-7s %s grace periods, longest %s, peak backlog %s\n", "rcu",
                        WithThousands(summary.rcu.grace_periods),
                        HumanDuration(summary.rcu.longest_ns),
                        WithThousands(summary.rcu.peak_backlog));
  AppendLine("frames",
             {{"total", summary.frames.total},
              {"peak", summary.frames.peak},
              {"leaked", summary.frames.leaked}},
             out);
}

std::string Counts(const std::map<std::string, uint64_t>& counts) {
  if (counts.empty()) return "nothing";
  return absl::StrJoin(counts, ", ", [](std::string* out, const auto& count) {
    absl::StrAppend(out, WithThousands(count.second), " ", count.first);
  });
}

void AppendTraces(const Summary& summary, std::string* out) {
  for (const TraceSummary& trace : summary.traces) {
    absl::StrAppendFormat(out,
                          "\ntrace %s: %s lines, %d processes, %d threads\n"
                          "  replayed        %s\n  skipped         %s\n  not understood  %s\n",
                          trace.file, WithThousands(trace.lines), trace.processes, trace.threads,
                          Counts(trace.replayed), Counts(trace.skipped),
                          WithThousands(trace.not_understood));
  }
}

void AppendOracles(const Summary& summary, std::string* out) {
  absl::StrAppendFormat(out, "\n%-16s %15s %11s\n", "checked", "checks", "violations");
  for (const OracleResult& oracle : summary.oracles) {
    const bool idle = oracle.checks == 0 && oracle.violations == 0;
    const char* note = !idle                                   ? ""
                       : oracle.expected == Expected::kNothing ? "  not exercised by this run"
                                                               : "  CHECKED NOTHING";
    absl::StrAppendFormat(out, "%-16s %15s %11s%s\n", oracle.name, WithThousands(oracle.checks),
                          WithThousands(oracle.violations), note);
  }
}

void AppendViolations(const Summary& summary, std::string* out) {
  const size_t shown = std::min(summary.violations.size(), kShownViolations);
  for (size_t i = 0; i < shown; ++i) {
    const Violation& violation = summary.violations[i];
    absl::StrAppend(out, "\nVIOLATION ", i + 1, " (", violation.oracle, ")\n  ",
                    absl::StrReplaceAll(violation.message, {{"\n", "\n  "}}), "\n");
    if (!violation.reproduce.empty() && violation.reproduce != summary.command) {
      absl::StrAppend(out, "  reproduce: ", violation.reproduce, "\n");
    }
  }
  const uint64_t all = std::max<uint64_t>(summary.violation_count, summary.violations.size());
  if (all > shown) absl::StrAppend(out, "\n... and ", WithThousands(all - shown), " more\n");
}

}  // namespace

std::string TextSummary(const Summary& summary) {
  std::string out;
  absl::StrAppendFormat(&out, "%.1f s, %d threads, seed %d, %s transactions\n", summary.seconds,
                        summary.threads, summary.seed, WithThousands(summary.transactions));
  for (const WorkloadSummary& workload : summary.workloads) {
    absl::StrAppendFormat(&out, "  %-14s %15s operations in %.1f s\n", workload.name,
                          WithThousands(workload.operations), workload.seconds);
  }
  AppendOperations(summary, &out);
  AppendMachine(summary, &out);
  AppendTraces(summary, &out);
  AppendOracles(summary, &out);
  AppendViolations(summary, &out);
  const std::vector<std::string> failures = summary.Failures();
  if (failures.empty()) {
    absl::StrAppend(&out, "\nPASS: no violation\n");
  } else {
    absl::StrAppend(&out, "\nFAIL: ", absl::StrJoin(failures, "; "), "\n");
  }
  absl::StrAppend(&out, "reproduce: ", summary.command, "\n");
  return out;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/text_summary.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "paddock/stress/report/facts.h"
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

void AppendMachine(const Summary& summary, std::string* out) {
  absl::StrAppend(out, "\n");
  for (const FactGroup& group : MachineFacts(summary)) {
    absl::StrAppendFormat(out, "%-7s %s\n", group.title,
                          absl::StrJoin(group.facts, ", ", [](std::string* line, const Fact& fact) {
                            absl::StrAppend(line, fact.value, " ", fact.name);
                          }));
  }
}

void AppendTraces(const Summary& summary, std::string* out) {
  for (const FactGroup& group : TraceFacts(summary)) {
    absl::StrAppend(out, "\n", group.title, "\n");
    for (const Fact& fact : group.facts) {
      absl::StrAppendFormat(out, "  %-15s %s\n", fact.name, fact.value);
    }
  }
}

void AppendOracles(const Summary& summary, std::string* out) {
  absl::StrAppendFormat(out, "\n%-16s %15s %11s\n", "checked", "checks", "violations");
  for (const OracleResult& oracle : summary.oracles) {
    const std::string note = IdleNote(oracle);
    absl::StrAppendFormat(out, "%-16s %15s %11s%s%s\n", oracle.name, WithThousands(oracle.checks),
                          WithThousands(oracle.violations), note.empty() ? "" : "  ", note);
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
  const uint64_t all = summary.AllViolations();
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
  switch (summary.verdict()) {
    case Verdict::kPass:
      absl::StrAppend(&out, "\nPASS: no violation\n");
      break;
    case Verdict::kFail:
      absl::StrAppend(&out, "\nFAIL: ", absl::StrJoin(summary.Failures(), "; "), "\n");
      break;
    case Verdict::kInterrupted:
      absl::StrAppend(&out, "\nINTERRUPTED: no violation in what was done\n");
      break;
  }
  for (const std::string& what : summary.not_run) absl::StrAppend(&out, "not run: ", what, "\n");
  absl::StrAppend(&out, "reproduce: ", summary.command, "\n");
  return out;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/junit_summary.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/stress/report/facts.h"
#include "paddock/stress/report/text_format.h"

namespace paddock {
namespace {

struct Case {
  std::string group;  // "workload", "oracle" or "not_run"
  std::string name;
  double seconds = 0;
  std::string failure = {};  // one line; empty if it passed
  std::string details = {};
  std::string skipped = {};  // why; empty if it was not
};

std::string DetailsOf(const Summary& summary, const std::string& oracle) {
  std::string details;
  for (const Violation& violation : summary.violations) {
    if (violation.oracle != oracle) continue;
    absl::StrAppend(&details, violation.message, "\nreproduce: ", violation.reproduce, "\n\n");
  }
  return details;
}

std::vector<Case> CasesOf(const Summary& summary) {
  std::vector<Case> cases;
  for (const WorkloadSummary& workload : summary.workloads) {
    Case& entry = cases.emplace_back(Case{"workload", workload.name, workload.seconds});
    if (workload.violations == 0) continue;
    entry.failure = absl::StrCat(workload.violations, " violations while it ran");
    entry.details = absl::StrCat("reproduce: ", summary.command, "\n");
  }
  for (const OracleResult& oracle : summary.oracles) {
    Case& entry = cases.emplace_back(Case{"oracle", oracle.name});
    std::string& note = oracle.Passed() ? entry.skipped : entry.failure;
    note = IdleNote(oracle);
    if (oracle.Passed()) continue;
    if (note.empty()) {
      note = absl::StrCat(oracle.violations, " violations in ", oracle.checks, " checks");
    }
    entry.details = DetailsOf(summary, oracle.name);
  }
  for (const std::string& what : summary.not_run) {
    cases.emplace_back(Case{"not_run", what}).skipped =
        summary.interrupted ? "interrupted" : "ended by a violation";
  }
  // Reported by somebody without a result of its own, such as the watchdog.
  for (const Violation& violation : summary.violations) {
    const auto is_case = [&](const Case& entry) {
      return entry.group == "oracle" && entry.name == violation.oracle;
    };
    if (std::any_of(cases.begin(), cases.end(), is_case)) continue;
    cases.push_back(
        Case{"oracle", violation.oracle, 0, "violated", DetailsOf(summary, violation.oracle)});
  }
  return cases;
}

void Append(const Case& entry, std::string* out) {
  absl::StrAppendFormat(out,
                        "    <testcase classname=\"paddock.stress.%s\" name=\"%s\" time=\"%.3f\"",
                        entry.group, EscapeMarkup(entry.name), entry.seconds);
  if (!entry.skipped.empty()) {
    absl::StrAppend(out, ">\n      <skipped message=\"", EscapeMarkup(entry.skipped),
                    "\"/>\n    </testcase>\n");
  } else if (!entry.failure.empty()) {
    absl::StrAppend(out, ">\n      <failure message=\"", EscapeMarkup(entry.failure), "\">",
                    EscapeMarkup(entry.details), "</failure>\n    </testcase>\n");
  } else {
    absl::StrAppend(out, "/>\n");
  }
}

}  // namespace

std::string JunitSummary(const Summary& summary) {
  const std::vector<Case> cases = CasesOf(summary);
  const auto failures = std::count_if(cases.begin(), cases.end(),
                                      [](const Case& entry) { return !entry.failure.empty(); });
  const auto skipped = std::count_if(cases.begin(), cases.end(),
                                     [](const Case& entry) { return !entry.skipped.empty(); });
  const std::string counts =
      absl::StrFormat("tests=\"%d\" failures=\"%d\" errors=\"0\" skipped=\"%d\" time=\"%.3f\"",
                      cases.size(), failures, skipped, summary.seconds);
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  absl::StrAppend(&out, "<testsuites ", counts, ">\n  <testsuite name=\"paddock.stress\" ", counts,
                  ">\n    <properties>\n      <property name=\"seed\" value=\"", summary.seed,
                  "\"/>\n      <property name=\"command\" value=\"", EscapeMarkup(summary.command),
                  "\"/>\n      <property name=\"verdict\" value=\"", VerdictName(summary.verdict()),
                  "\"/>\n    </properties>\n");
  for (const Case& entry : cases) Append(entry, &out);
  absl::StrAppend(&out, "  </testsuite>\n</testsuites>\n");
  return out;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
#include "paddock/stress/explore/results.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "paddock/stress/report/text_format.h"

namespace paddock::explore {
namespace {

std::string BoundText(const model::Exploration& result) {
  if (!result.bound) return "-";
  return *result.bound == model::DepthFirst::kUnbounded ? "none" : std::to_string(*result.bound);
}

std::string Message(const Row& row) {
  if (row.result->violation) {
    return row.result->violation->kind + ": " + row.result->violation->message;
  }
  std::string text;
  for (const std::string& promise : row.result->unmet) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", promise);
  }
  return text;
}

uint64_t CountOf(const std::vector<Row>& rows, Outcome outcome) {
  return static_cast<uint64_t>(std::ranges::count(rows, outcome, &Row::outcome));
}

std::string Token(const Row& row) { return row.scenario + ":" + row.result->violation->token; }

}  // namespace

std::string TableHeader() {
  return absl::StrFormat("%-26s %-8s %12s %10s  %-5s %-8s %8s  %s\n", "scenario", "strategy",
                         "executions", "pruned", "bound", "complete", "seconds", "verdict");
}

std::string TableLine(const Row& row) {
  const model::Exploration& result = *row.result;
  return absl::StrFormat("%-26s %-8s %12s %10s  %-5s %-8s %8.1f  %s\n", row.scenario, row.strategy,
                         WithThousands(result.executions), WithThousands(result.pruned),
                         BoundText(result), result.complete ? "yes" : "no", result.seconds,
                         row.outcome() == Outcome::kPassed ? "pass" : "FAIL");
}

std::string Explain(const Row& row) {
  if (row.outcome() != Outcome::kFailed) return "";
  std::string text = absl::StrCat("\n", row.scenario, ": ", Message(row), "\n");
  if (!row.result->violation) {
    if (row.CutOff()) absl::StrAppend(&text, "the search was cut off: give it more --budget\n");
    return text;
  }
  absl::StrAppend(&text, "\n", row.result->violation->trace,
                  "\nrun it again: ./paddock explore --replay=", Token(row), "\n");
  return text;
}

std::string Verdict(const std::vector<Row>& rows) {
  const uint64_t failed = CountOf(rows, Outcome::kFailed);
  const uint64_t not_run = CountOf(rows, Outcome::kNotRun);
  std::vector<std::string> cut_off;
  for (const Row& row : rows) {
    if (row.CutOff()) cut_off.push_back(row.scenario);
  }
  std::string text = absl::StrFormat("\n%s: %d of %d scenarios passed",
                                     failed != 0    ? "FAIL"
                                     : not_run != 0 ? "INTERRUPTED"
                                                    : "PASS",
                                     CountOf(rows, Outcome::kPassed), rows.size());
  if (!cut_off.empty()) {
    absl::StrAppend(&text, "; not searched up to the bound: ", absl::StrJoin(cut_off, ", "));
  }
  if (not_run != 0) absl::StrAppendFormat(&text, "; %d not run", not_run);
  return text + "\n";
}

std::string JsonRows(const std::vector<Row>& rows) {
  nlohmann::json all = nlohmann::json::array();
  for (const Row& row : rows) {
    if (row.outcome() == Outcome::kNotRun) {
      all.push_back(
          {{"scenario", row.scenario}, {"strategy", row.strategy}, {"verdict", "not run"}});
      continue;
    }
    const model::Exploration& result = *row.result;
    const bool failed = row.outcome() == Outcome::kFailed;
    nlohmann::json entry = {{"scenario", row.scenario},
                            {"strategy", row.strategy},
                            {"executions", result.executions},
                            {"pruned", result.pruned},
                            {"bound", nullptr},
                            {"complete", result.complete},
                            {"seconds", result.seconds},
                            {"verdict", failed ? "fail" : "pass"},
                            {"reached", result.reached}};
    if (result.bound == model::DepthFirst::kUnbounded) {
      entry["bound"] = "none";
    } else if (result.bound) {
      entry["bound"] = *result.bound;
    }
    if (failed) entry["message"] = Message(row);
    if (result.violation) entry["replay"] = Token(row);
    all.push_back(std::move(entry));
  }
  return all.dump(2) + "\n";
}

std::string JunitRows(const std::vector<Row>& rows) {
  double seconds = 0;
  std::string cases;
  for (const Row& row : rows) {
    const double own_seconds = row.result ? row.result->seconds : 0;
    seconds += own_seconds;
    absl::StrAppend(&cases, "    <testcase classname=\"explore\" name=\"",
                    EscapeMarkup(row.scenario), "\" time=\"", absl::StrFormat("%.3f", own_seconds),
                    "\"");
    switch (row.outcome()) {
      case Outcome::kPassed:
        absl::StrAppend(&cases, "/>\n");
        break;
      case Outcome::kNotRun:
        absl::StrAppend(&cases, ">\n      <skipped/>\n    </testcase>\n");
        break;
      case Outcome::kFailed:
        absl::StrAppend(&cases, ">\n      <failure message=\"", EscapeMarkup(Message(row)), "\">",
                        EscapeMarkup(Explain(row)), "</failure>\n    </testcase>\n");
        break;
    }
  }
  return absl::StrFormat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
      "  <testsuite name=\"explore\" tests=\"%d\" failures=\"%d\" skipped=\"%d\" "
      "time=\"%.3f\">\n%s"
      "  </testsuite>\n</testsuites>\n",
      rows.size(), CountOf(rows, Outcome::kFailed), CountOf(rows, Outcome::kNotRun), seconds,
      cases);
}

}  // namespace paddock::explore

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/html_summary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/stress/report/facts.h"
#include "paddock/stress/report/text_format.h"

namespace paddock {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --ink: #1c2430; --soft: #667080; --line: #dde2e8; --paper: #fff;
  --bar: #3b6fb6; --bar2: #9dbde6; --good: #19794b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #97a1ae; --line: #333b47;
  --paper: #14181e; --bar: #6d9ee0; --bar2: #35557f; --good: #5fc795; --bad: #ff8b80; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h2::first-letter { text-transform: uppercase; }
.verdict { font-weight: 700; } .pass { color: var(--good); } .fail { color: var(--bad); }
.soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre, code { font: 13px/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .7rem; border: 1px solid var(--line); border-radius: 6px; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
)css";

void AppendTables(const std::vector<FactGroup>& groups, std::string* out) {
  for (const FactGroup& group : groups) {
    absl::StrAppend(out, "<h2>", EscapeMarkup(group.title), "</h2>\n<table>\n");
    for (const Fact& fact : group.facts) {
      absl::StrAppend(out, "<tr><td>", EscapeMarkup(fact.name), "</td><td class=\"n\">",
                      EscapeMarkup(fact.value), "</td></tr>\n");
    }
    absl::StrAppend(out, "</table>\n");
  }
}

void AppendOperations(const Summary& summary, std::string* out) {
  absl::StrAppend(out,
                  "<h2>Operations</h2>\n<table>\n<tr><th>operation</th><th class=\"n\">count</th>"
                  "<th class=\"n\">rate</th><th class=\"n\">p50</th><th class=\"n\">p99</th>"
                  "<th class=\"n\">max</th></tr>\n");
  for (const OperationSummary& operation : summary.operations) {
    absl::StrAppend(out, "<tr><td>", EscapeMarkup(operation.name), "</td>");
    for (const std::string& cell :
         {WithThousands(operation.count), HumanRate(operation.count, summary.seconds),
          HumanDuration(operation.p50_ns), HumanDuration(operation.p99_ns),
          HumanDuration(operation.max_ns)}) {
      absl::StrAppend(out, "<td class=\"n\">", cell, "</td>");
    }
    absl::StrAppend(out, "</tr>\n");
  }
  absl::StrAppend(out, "</table>\n");
}

// One row per operation: a dark bar from p50 to p99, a light one on to the maximum.
void AppendLatencies(const Summary& summary, std::string* out) {
  uint64_t top = 1;
  for (const OperationSummary& operation : summary.operations) {
    top = std::max(top, operation.max_ns);
  }
  const int decades = std::max(1, static_cast<int>(std::ceil(std::log10(top))));
  constexpr int kLeft = 130;
  constexpr int kWidth = 700;
  constexpr int kRow = 22;
  const int height = kRow * static_cast<int>(summary.operations.size()) + 24;
  const auto x = [&](uint64_t ns) {
    return kLeft + kWidth * std::log10(static_cast<double>(std::max<uint64_t>(ns, 1))) / decades;
  };
  absl::StrAppendFormat(
      out,
      "<h2>Latency</h2>\n<p class=\"soft\">Dark: median to 99th percentile. Light: "
      "on to the maximum. Logarithmic.</p>\n"
      "<svg viewBox=\"0 0 %d %d\" width=\"100%%\" role=\"img\" "
      "aria-label=\"Latency of each operation\">\n",
      kLeft + kWidth + 40, height);
  uint64_t ns = 1;
  for (int decade = 0; decade <= decades; ++decade, ns *= 10) {
    absl::StrAppendFormat(out,
                          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\" "
                          "stroke=\"var(--line)\"/><text x=\"%.1f\" y=\"%d\" "
                          "text-anchor=\"middle\">%s</text>\n",
                          x(ns), x(ns), height - 18, x(ns), height - 4, HumanDuration(ns));
  }
  int y = 4;
  for (const OperationSummary& operation : summary.operations) {
    const auto bar = [&](uint64_t from, uint64_t to, const char* colour) {
      absl::StrAppendFormat(out,
                            "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"12\" rx=\"2\" "
                            "fill=\"var(%s)\"/>\n",
                            x(from), y, std::max(2.0, x(to) - x(from)), colour);
    };
    absl::StrAppendFormat(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", kLeft - 8,
                          y + 10, EscapeMarkup(operation.name));
    bar(operation.p99_ns, operation.max_ns, "--bar2");
    bar(operation.p50_ns, operation.p99_ns, "--bar");
    y += kRow;
  }
  absl::StrAppend(out, "</svg>\n");
}

void AppendOracles(const Summary& summary, std::string* out) {
  absl::StrAppend(out,
                  "<h2>Checked</h2>\n<table>\n<tr><th>oracle</th><th class=\"n\">checks</th>"
                  "<th class=\"n\">violations</th><th></th></tr>\n");
  for (const OracleResult& oracle : summary.oracles) {
    const std::string idle = IdleNote(oracle);
    const std::string word = !idle.empty() ? idle : oracle.Passed() ? "pass" : "fail";
    const char* style = !oracle.Passed() ? "fail" : idle.empty() ? "pass" : "soft";
    absl::StrAppend(out, "<tr><td>", EscapeMarkup(oracle.name), "</td><td class=\"n\">",
                    WithThousands(oracle.checks), "</td><td class=\"n\">",
                    WithThousands(oracle.violations), "</td><td class=\"", style, "\">", word,
                    "</td></tr>\n");
  }
  absl::StrAppend(out, "</table>\n");
}

void AppendViolations(const Summary& summary, std::string* out) {
  if (summary.violations.empty()) return;
  absl::StrAppend(out, "<h2>Violations</h2>\n<p>", WithThousands(summary.AllViolations()),
                  " in all, the first ", summary.violations.size(), " here.</p>\n");
  for (const Violation& violation : summary.violations) {
    absl::StrAppend(out, "<p class=\"fail\">", EscapeMarkup(violation.oracle), "</p>\n<pre>",
                    EscapeMarkup(violation.message),
                    "\n\nreproduce: ", EscapeMarkup(violation.reproduce), "</pre>\n");
  }
}

}  // namespace

std::string HtmlSummary(const Summary& summary) {
  const char* const verdict = VerdictName(summary.verdict());
  std::string out = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>Paddock stress: ",
      verdict, ", seed ", summary.seed, "</title>\n<style>", kStyle,
      "</style>\n</head>\n<body>\n<h1>Paddock stress: <span class=\"verdict ", verdict, "\">",
      verdict, "</span></h1>\n");
  absl::StrAppendFormat(
      &out, "<p class=\"soft\">%.1f s, %d threads, seed %d, %s transactions</p>\n", summary.seconds,
      summary.threads, summary.seed, WithThousands(summary.transactions));
  for (const std::string& failure : summary.Failures()) {
    absl::StrAppend(&out, "<p class=\"fail\">", EscapeMarkup(failure), "</p>\n");
  }
  for (const std::string& what : summary.not_run) {
    absl::StrAppend(&out, "<p>not run: ", EscapeMarkup(what), "</p>\n");
  }
  absl::StrAppend(&out, "<pre>", EscapeMarkup(summary.command), "</pre>\n");
  AppendViolations(summary, &out);
  AppendOracles(summary, &out);
  if (!summary.operations.empty()) {
    AppendOperations(summary, &out);
    AppendLatencies(summary, &out);
  }
  AppendTables(TraceFacts(summary), &out);
  AppendTables(MachineFacts(summary), &out);
  absl::StrAppend(&out, "</body>\n</html>\n");
  return out;
}

}  // namespace paddock

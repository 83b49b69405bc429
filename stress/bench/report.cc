// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/report.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock::bench {
namespace {

// Threads that share nothing and yet cost more than this beside each other say that the machine is
// busy.
constexpr double kBusyMachine = 1.05;

std::string Fixed(double value) { return absl::StrFormat("%.2f", value); }

// Three significant digits, or so.
std::string Ns(double ns) { return absl::StrFormat("%.*f", ns < 100 ? 1 : 0, ns); }

TextTable CostTable(const Results& results) {
  TextTable table{
      "costs",
      "Nanoseconds are medians per operation and thread; spread is the distance of the "
      "quartiles; x L is the cost\nas a multiple of an uncontended lock and unlock.",
      {{"case", "threads", "ns", "spread", "x L", "compared with", "ratio", "target", "verdict"}},
      {5, 8}};
  for (const Row& row : results.Rows()) {
    std::vector<std::string> cells = {row.id.name,
                                      absl::StrCat(row.id.threads),
                                      Ns(row.median_ns),
                                      absl::StrFormat("%.0f%%", 100 * row.spread),
                                      Fixed(row.ratio),
                                      "",
                                      "",
                                      "",
                                      row.VerdictText()};
    if (row.comparison) {
      const bool is_cost = row.comparison->measure == Measure::kCost;
      cells[5] = absl::StrCat(row.ReferenceText(), is_cost ? "" : ", throughput");
      cells[6] = Fixed(row.compared_ratio);
      if (row.comparison->target) {
        cells[7] = absl::StrCat(is_cost ? "<= " : ">= ", Fixed(*row.comparison->target));
      }
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

TextTable DesignTable(const Results& results) {
  const RatioTable ratios = results.Ratios();
  TextTable table{"beside other designs",
                  "Paddock's cost as a multiple of each other one's, on as many threads (of the "
                  "raw costs: on one).",
                  {{"case", "threads"}},
                  {}};
  for (const std::string& column : ratios.columns) table.rows.front().push_back(column);
  for (const RatioTable::Line& line : ratios.lines) {
    std::vector<std::string> cells = {line.subject.name, absl::StrCat(line.subject.threads)};
    for (const std::optional<double>& ratio : line.ratios) {
      cells.push_back(ratio ? Fixed(*ratio) : "");
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

TextTable FigureTable(const Results& results) {
  TextTable table{"memory", "", {{"figure", "value", "target", "verdict", "unit"}}, {3, 4}};
  for (const Figure& each : results.figures()) {
    table.rows.push_back({each.name, Fixed(each.value), absl::StrCat("<= ", Fixed(each.target)),
                          VerdictName(each.verdict()), each.unit});
  }
  return table;
}

const char* TrendText(Trend trend) {
  switch (trend) {
    case Trend::kSame:
      return "";
    case Trend::kBetter:
      return "better";
    case Trend::kWorse:
      return "WORSE";
    case Trend::kTooFew:
      return "too few repetitions to tell";
    case Trend::kOnlyBefore:
      return "not in this run";
    case Trend::kOnlyNow:
      return "not in the older run";
  }
  return "";
}

TextTable ChangeTable(const std::vector<Change>& changes) {
  TextTable table{"changes since the older run",
                  "Medians as multiples of L; p is the probability of such a difference by chance.",
                  {{"case", "before", "now", "change", "p", "verdict"}},
                  {5}};
  for (const Change& each : changes) {
    const bool is_both = each.trend != Trend::kOnlyBefore && each.trend != Trend::kOnlyNow;
    table.rows.push_back({each.id.Text(), each.before > 0 ? Fixed(each.before) : "",
                          each.now > 0 ? Fixed(each.now) : "",
                          is_both ? absl::StrFormat("%+.0f%%", each.Percent()) : "",
                          is_both ? absl::StrFormat("%.4f", each.p) : "", TrendText(each.trend)});
  }
  return table;
}

std::string Padded(const TextTable& table) {
  std::vector<size_t> widths(table.rows.front().size());
  for (const auto& row : table.rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : table.rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&line, i == 0 ? "" : "  ", table.IsText(i) ? row[i] : blanks + row[i],
                      table.IsText(i) ? blanks : "");
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace

bool TextTable::IsText(size_t column) const {
  return column == 0 ||
         std::find(text_columns.begin(), text_columns.end(), column) != text_columns.end();
}

std::vector<TextTable> TablesOf(const Results& results, const std::vector<Change>& changes) {
  std::vector<TextTable> tables;
  for (TextTable& table : std::vector<TextTable>{CostTable(results), DesignTable(results),
                                                 FigureTable(results), ChangeTable(changes)}) {
    if (table.rows.size() > 1) tables.push_back(std::move(table));
  }
  return tables;
}

std::string MachineNote(const Results& results) {
  const double ratio = results.MachineRatio();
  if (ratio <= kBusyMachine) return "";
  return absl::StrFormat(
      "%s on two threads, which share nothing, costs %.2f times what it costs on one: the machine "
      "is busy, or its\nCPUs share a core. The ratios, each to the L of the same threads, take "
      "that out as far as can be.",
      kUnitCase, ratio);
}

std::string PlainText(const std::vector<TextTable>& tables, const std::string& note) {
  std::string text;
  for (const TextTable& table : tables) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", table.title, "\n");
    if (!table.explanation.empty()) absl::StrAppend(&text, table.explanation, "\n");
    absl::StrAppend(&text, "\n", Padded(table));
  }
  if (!note.empty()) absl::StrAppend(&text, "\n", note, "\n");
  return text;
}

}  // namespace paddock::bench

// SPDX-License-Identifier: Apache-2.0
//
// The tables of a run, once, for every way to show them.
//
// Thread safety: pure functions.

#ifndef PADDOCK_STRESS_BENCH_REPORT_H_
#define PADDOCK_STRESS_BENCH_REPORT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "paddock/stress/bench/compare.h"
#include "paddock/stress/bench/results.h"

namespace paddock::bench {

// Cells of text, the first row the headings. The first column, and those in `text_columns`, are
// read as text, the others as numbers.
struct TextTable {
  std::string title;
  std::string explanation;
  std::vector<std::vector<std::string>> rows;
  std::vector<size_t> text_columns;

  bool IsText(size_t column) const;
};

// Those that have rows: costs, ratios to other designs, figures, changes since an older run.
std::vector<TextTable> TablesOf(const Results& results, const std::vector<Change>& changes);

// What to know before one reads the figures; empty if there is nothing.
std::string MachineNote(const Results& results);

// For a terminal: columns padded.
std::string PlainText(const std::vector<TextTable>& tables, const std::string& note);

// A page of its own: no other files, no scripts.
std::string HtmlPage(const std::vector<TextTable>& tables, const std::string& machine,
                     const std::string& note);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_REPORT_H_

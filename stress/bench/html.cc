// SPDX-License-Identifier: Apache-2.0

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "paddock/stress/bench/report.h"
#include "paddock/stress/report/text_format.h"

namespace paddock::bench {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --ink: #1c2430; --soft: #667080; --line: #dde2e8; --paper: #fff;
  --good: #19794b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #97a1ae; --line: #333b47;
  --paper: #14181e; --good: #5fc795; --bad: #ff8b80; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 66rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h2::first-letter { text-transform: uppercase; }
p { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line); }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tbody tr:hover { background: color-mix(in srgb, var(--line) 40%, transparent); }
)css";

std::string Cell(const char* tag, const std::string& text, bool is_text) {
  std::string style = is_text ? "" : "n";
  if (text == "pass" || text == "better") style = "good";
  if (text == "WORSE" || absl::StartsWith(text, "miss")) style = "bad";
  const std::string attribute = style.empty() ? "" : absl::StrCat(" class=\"", style, "\"");
  return absl::StrCat("<", tag, attribute, ">", EscapeMarkup(text), "</", tag, ">");
}

void AppendTable(const TextTable& table, std::string* out) {
  absl::StrAppend(out, "<h2>", EscapeMarkup(table.title), "</h2>\n");
  if (!table.explanation.empty()) {
    absl::StrAppend(out, "<p>", EscapeMarkup(table.explanation), "</p>\n");
  }
  absl::StrAppend(out, "<table>\n");
  for (size_t i = 0; i < table.rows.size(); ++i) {
    absl::StrAppend(out, i == 0 ? "<thead>" : i == 1 ? "<tbody>\n" : "", "<tr>");
    for (size_t column = 0; column < table.rows[i].size(); ++column) {
      absl::StrAppend(out, Cell(i == 0 ? "th" : "td", table.rows[i][column], table.IsText(column)));
    }
    absl::StrAppend(out, "</tr>", i == 0 ? "</thead>" : "", "\n");
  }
  absl::StrAppend(out, "</tbody>\n</table>\n");
}

}  // namespace

std::string HtmlPage(const std::vector<TextTable>& tables, const std::string& machine,
                     const std::string& note) {
  std::string out = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>Paddock bench</title>\n<style>",
      kStyle, "</style>\n</head>\n<body>\n<h1>Paddock bench</h1>\n<p>", EscapeMarkup(machine),
      "</p>\n");
  if (!note.empty()) absl::StrAppend(&out, "<p class=\"bad\">", EscapeMarkup(note), "</p>\n");
  for (const TextTable& table : tables) AppendTable(table, &out);
  absl::StrAppend(&out, "</body>\n</html>\n");
  return out;
}

}  // namespace paddock::bench

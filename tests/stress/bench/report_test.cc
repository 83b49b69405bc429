// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/report.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock::bench {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Results SomeResults() {
  Results results;
  results.Compare({{"open", 1}, std::nullopt, Measure::kCost, 4.5});
  results.Add({"open", 1}, {100, 10});
  results.Add(Figure{"memory", "%", 1.75, 1.8});
  return results;
}

TEST(Report, ARowHasRatioTargetAndVerdict) {
  const std::string text = PlainText(TablesOf(SomeResults(), {}), "");
  EXPECT_THAT(text, testing::ContainsRegex(
                        "open +1 +100 +0% +10\\.00 +L +10\\.00 +<= 4\\.50 +miss by 122%\n"));
  EXPECT_THAT(text, testing::ContainsRegex("memory +1\\.75 +<= 1\\.80 +pass +%\n"));
}

TEST(Report, TablesWithoutRowsAreLeftOut) {
  EXPECT_THAT(TablesOf(Results(), {}), IsEmpty());
  EXPECT_EQ(TablesOf(SomeResults(), {}).size(), 2);
  EXPECT_EQ(TablesOf(SomeResults(), {Change{{"open", 1}, 1, 2, 0.001, Trend::kWorse}}).size(), 3);
}

TEST(Report, AChangeForTheWorseStandsOut) {
  const std::string text =
      PlainText(TablesOf({}, {Change{{"open", 1}, 4, 5, 0.0001, Trend::kWorse},
                              Change{{"gone", 2}, 4, 0, 1, Trend::kOnlyBefore}}),
                "");
  EXPECT_THAT(text,
              testing::ContainsRegex("open/threads:1 +4\\.00 +5\\.00 +\\+25% +0\\.0001 +WORSE\n"));
  EXPECT_THAT(text, testing::ContainsRegex("gone/threads:2 +4\\.00 +not in this run\n"));
}

TEST(Report, ABusyMachineIsNoted) {
  Results results;
  results.Add({kUnitCase, 1}, {10, 10});
  EXPECT_EQ(MachineNote(results), "");
  results.Add({kUnitCase, 2}, {15, 10});
  EXPECT_THAT(MachineNote(results), HasSubstr("costs 1.50 times"));
}

TEST(Report, ThePageIsWholeAndEscaped) {
  Results results;
  results.Add({"<open> & \"close\"", 1}, {100, 10});
  const std::string page = HtmlPage(TablesOf(results, {}), "a <machine>", "a <note>");
  EXPECT_THAT(page, HasSubstr("&lt;open&gt; &amp; &quot;close&quot;"));
  EXPECT_THAT(page, HasSubstr("a &lt;machine&gt;"));
  EXPECT_THAT(page, HasSubstr("a &lt;note&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<open>")));
  EXPECT_THAT(page, HasSubstr("</html>"));
  for (const char* outside : {"http:", "https:", "src=", "href=", "<script", "@import", "url("}) {
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  }
}

TEST(Report, ThePageMarksVerdicts) {
  const std::string page = HtmlPage(TablesOf(SomeResults(), {}), "", "");
  EXPECT_THAT(page, HasSubstr("<td class=\"bad\">miss by 122%</td>"));
  EXPECT_THAT(page, HasSubstr("<td class=\"good\">pass</td>"));
}

}  // namespace
}  // namespace paddock::bench

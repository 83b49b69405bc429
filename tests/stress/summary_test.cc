// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/summary.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "paddock/stress/report/html_summary.h"
#include "paddock/stress/report/json_summary.h"
#include "paddock/stress/report/junit_summary.h"
#include "paddock/stress/report/text_format.h"
#include "paddock/stress/report/text_summary.h"
#include "paddock/tests/stress/sample_summary.h"

namespace paddock {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> Keys(const ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

// Enough of an XML parser to see that every element is closed and nothing is left unescaped.
bool IsWellFormed(const std::string& xml) {
  std::vector<std::string> open;
  size_t at = 0;
  while (at < xml.size()) {
    const size_t less = xml.find('<', at);
    const std::string text = xml.substr(at, less - at);
    if (text.find('>') != std::string::npos) return false;
    if (less == std::string::npos) break;
    const size_t greater = xml.find('>', less);
    if (greater == std::string::npos) return false;
    const std::string tag = xml.substr(less + 1, greater - less - 1);
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0 || tag.find('<') != std::string::npos) {
      return false;
    }
    const std::string name =
        tag.substr(tag[0] == '/', tag.find_first_of(" />", 1) - (tag[0] == '/'));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != name) return false;
      open.pop_back();
    } else if (tag[0] != '?' && tag.back() != '/') {
      open.push_back(name);
    }
    at = greater + 1;
  }
  return open.empty();
}

TEST(SummaryVerdict, PassesWithoutViolations) { EXPECT_TRUE(PassingSummary().Passed()); }

TEST(SummaryVerdict, AnOracleThatCheckedNothingFails) {
  Summary summary = PassingSummary();
  summary.oracles[4].checks = 0;
  EXPECT_THAT(summary.Failures(), ElementsAre("ageing: checked nothing"));
  summary.oracles[4].expected = Expected::kNothing;
  EXPECT_TRUE(summary.Passed());
}

TEST(SummaryVerdict, ViolationsOutsideTheOraclesCountToo) {
  EXPECT_THAT(FailingSummary().Failures(), ElementsAre("tlb: 3 violations", "1 other violations"));
}

TEST(SummaryVerdict, AnInterruptedRunHasNotPassedAndOneThatFailedHasFailed) {
  Summary summary = InterruptedSummary();
  EXPECT_EQ(summary.verdict(), Verdict::kInterrupted);
  EXPECT_FALSE(summary.Passed());
  EXPECT_THAT(summary.Failures(), IsEmpty());
  summary.violation_count = 1;
  EXPECT_EQ(summary.verdict(), Verdict::kFail);
}

TEST(JsonSummaryWriter, SaysWhatAnInterruptedRunDidNotDo) {
  const ordered_json json = ordered_json::parse(JsonSummary(InterruptedSummary()));
  EXPECT_EQ(json["verdict"], "interrupted");
  EXPECT_THAT(json["not_run"], ElementsAre("the rest of mixed after 7 steps", "trace <a>"));
}

TEST(JsonSummaryWriter, HasExactlyTheKeysOfTheSchema) {
  const ordered_json json = ordered_json::parse(JsonSummary(PassingSummary()));
  EXPECT_THAT(Keys(json), ElementsAre("schema", "seed", "command", "verdict", "seconds", "threads",
                                      "transactions", "operations", "oracles", "violations",
                                      "locks", "tlb", "rcu", "frames"));
  EXPECT_THAT(Keys(json["operations"]), ElementsAre("map", "unmap"));
  EXPECT_THAT(Keys(json["operations"]["map"]), ElementsAre("count", "p50_ns", "p99_ns", "max_ns"));
  EXPECT_THAT(Keys(json["oracles"]),
              ElementsAre("serializability", "walker", "tlb", "memory", "ageing", "books"));
  EXPECT_THAT(Keys(json["oracles"]["books"]), ElementsAre("checks", "violations"));
  EXPECT_THAT(Keys(json["locks"]), ElementsAre("acquired", "contended", "stray_retries"));
  EXPECT_THAT(Keys(json["tlb"]), ElementsAre("issued", "batches", "interrupts", "interrupts_saved",
                                             "full_flushes", "lazy_skips", "lazy_catchups"));
  EXPECT_THAT(Keys(json["rcu"]), ElementsAre("grace_periods", "longest_ns", "peak_backlog"));
  EXPECT_THAT(Keys(json["frames"]), ElementsAre("total", "peak", "leaked"));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["seed"], 18446744073709551615u);
  EXPECT_EQ(json["verdict"], "pass");
  EXPECT_EQ(json["seconds"], 10.5);
  EXPECT_EQ(json["operations"]["unmap"]["max_ns"], 2400000);
  EXPECT_EQ(json["tlb"]["interrupts_saved"], 11);
  EXPECT_TRUE(json["violations"].is_array());
}

TEST(JsonSummaryWriter, ShowsViolationsAndTraces) {
  const ordered_json json = ordered_json::parse(JsonSummary(FailingSummary()));
  EXPECT_EQ(json["verdict"], "fail");
  ASSERT_EQ(json["violations"].size(), 2u);
  EXPECT_THAT(Keys(json["violations"][0]), ElementsAre("oracle", "message", "reproduce"));
  EXPECT_EQ(json["oracles"]["tlb"]["violations"], 3);
  ASSERT_EQ(json["trace"].size(), 1u);
  const ordered_json& trace = json["trace"][0];
  EXPECT_THAT(Keys(trace), ElementsAre("file", "lines", "replayed", "skipped", "not_understood",
                                       "not_understood_examples", "processes", "threads"));
  EXPECT_EQ(trace["not_understood_examples"].size(), 4u);
  EXPECT_EQ(trace["not_understood_examples"][0]["line"], 7);
  EXPECT_EQ(trace["not_understood_examples"][0]["reason"], "expected <pid>");
  EXPECT_EQ(trace["replayed"]["page-fault"], 60);
  EXPECT_EQ(trace["skipped"]["failed call"], 15);
}

TEST(JsonSummaryWriter, AllSixOraclesAreThereEvenWithoutResults) {
  const ordered_json json = ordered_json::parse(JsonSummary(Summary{}));
  EXPECT_EQ(json["oracles"].size(), 6u);
  EXPECT_TRUE(json["operations"].is_object());
}

TEST(JunitSummaryWriter, HasACasePerWorkloadAndPerOracle) {
  const std::string xml = JunitSummary(PassingSummary());
  EXPECT_TRUE(IsWellFormed(xml)) << xml;
  EXPECT_THAT(xml, HasSubstr("tests=\"8\" failures=\"0\" errors=\"0\" skipped=\"0\""));
  EXPECT_THAT(xml, HasSubstr("<testcase classname=\"paddock.stress.workload\" name=\"mixed\" "
                             "time=\"8.250\"/>"));
  EXPECT_THAT(xml, HasSubstr("classname=\"paddock.stress.oracle\" name=\"books\""));
}

TEST(JunitSummaryWriter, FailuresAreEscaped) {
  const std::string xml = JunitSummary(FailingSummary());
  EXPECT_TRUE(IsWellFormed(xml)) << xml;
  // The workload, the oracle, and the watchdog that has no result of its own.
  EXPECT_THAT(xml, HasSubstr("tests=\"9\" failures=\"3\""));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"3 violations in 1000 checks\">cpu 1 read "
                             "&lt;frame&gt; &amp; &quot;more&quot;\n  second line \xef\xbf\xbd"));
  EXPECT_THAT(xml, HasSubstr("name=\"watchdog\""));
}

TEST(JunitSummaryWriter, AnOracleThatWasNotExercisedIsSkippedAndAnIdleOneFails) {
  Summary summary = PassingSummary();
  summary.oracles[4].checks = 0;
  EXPECT_THAT(JunitSummary(summary), HasSubstr("<failure message=\"checked nothing\">"));
  summary.oracles[4].expected = Expected::kNothing;
  EXPECT_THAT(JunitSummary(summary), HasSubstr("<skipped"));
  EXPECT_THAT(JunitSummary(summary), HasSubstr("failures=\"0\" errors=\"0\" skipped=\"1\""));
}

TEST(JunitSummaryWriter, WhatWasNotRunIsSkipped) {
  const std::string xml = JunitSummary(InterruptedSummary());
  EXPECT_TRUE(IsWellFormed(xml)) << xml;
  EXPECT_THAT(xml, HasSubstr("tests=\"10\" failures=\"0\" errors=\"0\" skipped=\"2\""));
  EXPECT_THAT(xml, HasSubstr("<property name=\"verdict\" value=\"interrupted\"/>"));
  EXPECT_THAT(xml, HasSubstr("classname=\"paddock.stress.not_run\" name=\"trace &lt;a&gt;\" "
                             "time=\"0.000\">\n      <skipped message=\"interrupted\"/>"));
}

TEST(HtmlSummaryWriter, SaysWhatAnInterruptedRunDidNotDo) {
  const std::string html = HtmlSummary(InterruptedSummary());
  EXPECT_THAT(html, HasSubstr("<span class=\"verdict interrupted\">interrupted</span>"));
  EXPECT_THAT(html, HasSubstr("<p>not run: trace &lt;a&gt;</p>"));
}

TEST(HtmlSummaryWriter, IsSelfContainedAndEscaped) {
  const std::string html = HtmlSummary(FailingSummary());
  EXPECT_THAT(html, HasSubstr("<span class=\"verdict fail\">fail</span>"));
  EXPECT_THAT(html, HasSubstr("cpu 1 read &lt;frame&gt; &amp; &quot;more&quot;"));
  EXPECT_THAT(html, Not(HasSubstr("<frame>")));
  EXPECT_THAT(html, HasSubstr("expected &lt;pid&gt;"));
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, HasSubstr("build.trace.zst"));
  for (const char* outside : {"http:", "https:", "<script", "<link", "@import", "src="}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
}

TEST(HtmlSummaryWriter, DrawsNothingWithoutOperations) {
  EXPECT_THAT(HtmlSummary(Summary{}), Not(HasSubstr("<svg")));
}

TEST(TextSummaryWriter, SaysWhatWasDoneCheckedAndHowToRepeatIt) {
  const std::string text = TextSummary(PassingSummary());
  for (const char* part :
       {"10.5 s, 4 threads, seed 18446744073709551615, 1,234,567 transactions",
        "map                    1,000,000    95.2 k/s     350 ns    2.10 us     180 us\n",
        "locks   5 acquired, 6 contended, 7 stray retries\n",
        "TLB     8 operations issued, 9 batches, 10 interrupts sent, 11 interrupts saved, "
        "12 full flushes, 16 CPUs skipped, 17 late flushes\n",
        "RCU     13 grace periods, 14.0 ms longest, 15 peak backlog\n",
        "frames  65,536 total, 4,096 peak, 0 leaked\n",
        "serializability            1,000           0\n", "\nPASS: no violation\n",
        "reproduce: ./paddock stress --seed=18446744073709551615 --workload=mixed,rcu\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(TextSummaryWriter, ShowsViolationsAndAnOracleThatWasIdle) {
  Summary summary = FailingSummary();
  summary.oracles[0].checks = 0;
  const std::string text = TextSummary(summary);
  EXPECT_THAT(text, HasSubstr("VIOLATION 1 (tlb)\n  cpu 1 read"));
  EXPECT_THAT(text, HasSubstr("... and 2 more"));
  EXPECT_THAT(text, HasSubstr("serializability                0           0  checked nothing\n"));
  EXPECT_THAT(text, HasSubstr("FAIL: serializability: checked nothing; tlb: 3 violations"));
  EXPECT_THAT(text, HasSubstr("  replayed        20 mmap, 60 page-fault\n"));
  EXPECT_THAT(text, HasSubstr("  not understood  5\n  - line 7        expected <pid>\n"));
  EXPECT_THAT(text, Not(HasSubstr("line 13"))) << "the JSON has them all";
}

TEST(TextSummaryWriter, SaysWhatAnInterruptedRunDidNotDo) {
  const std::string text = TextSummary(InterruptedSummary());
  EXPECT_THAT(text, HasSubstr("\nINTERRUPTED: no violation in what was done\n"
                              "not run: the rest of mixed after 7 steps\nnot run: trace <a>\n"));
  EXPECT_THAT(text, Not(HasSubstr("PASS")));
}

TEST(TextFormat, NumbersForPeople) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(1000), "1,000");
  EXPECT_EQ(WithThousands(1234567), "1,234,567");
  EXPECT_EQ(HumanDuration(0), "0 ns");
  EXPECT_EQ(HumanDuration(999), "999 ns");
  EXPECT_EQ(HumanDuration(1000), "1.00 us");
  EXPECT_EQ(HumanDuration(999'999), "1.00 ms");
  EXPECT_EQ(HumanDuration(12'345'678), "12.3 ms");
  EXPECT_EQ(HumanDuration(90'000'000'000), "90.0 s");
  EXPECT_EQ(HumanRate(5, 0), "-");
  EXPECT_EQ(HumanRate(2'500'000, 2), "1.25 M/s");
}

TEST(TextFormat, MarkupIsEscapedAndWhatXmlCannotHoldIsReplaced) {
  const std::string replaced = "\xef\xbf\xbd";
  EXPECT_EQ(EscapeMarkup("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c&#39;");
  EXPECT_EQ(EscapeMarkup("tab\tline\n"), "tab\tline\n");
  EXPECT_EQ(EscapeMarkup(std::string("\0x", 2)), replaced + "x");
  EXPECT_EQ(EscapeMarkup("\x1b[0m"), replaced + "[0m");
  EXPECT_EQ(EscapeMarkup("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8e"),
            "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8e");
  EXPECT_EQ(EscapeMarkup("\xc3"), replaced);                 // cut off
  EXPECT_EQ(EscapeMarkup("\xc0\xaf"), replaced + replaced);  // overlong
  EXPECT_EQ(EscapeMarkup("\xed\xa0\x80"), replaced);         // a surrogate
  EXPECT_EQ(EscapeMarkup("\xef\xbf\xbf"), replaced);         // U+FFFF
}

}  // namespace
}  // namespace paddock

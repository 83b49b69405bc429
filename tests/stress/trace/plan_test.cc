// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/plan.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

absl::StatusOr<TracePlan> Build(const std::string& text) {
  TraceReader reader = TraceReader::FromMemory(text, "rec");
  return BuildTracePlan(reader);
}

TracePlan Plan(const std::string& text) {
  absl::StatusOr<TracePlan> plan = Build(text);
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return {};
  uint64_t sum = plan->accounting.not_understood;
  for (const auto& [kind, lines] : plan->accounting.planned) sum += lines;
  for (const auto& [reason, lines] : plan->accounting.skipped) sum += lines;
  EXPECT_EQ(sum, plan->accounting.lines) << "every line is counted once";
  return *std::move(plan);
}

// One line: thread, time in nanoseconds, the rest.
std::string Line(const std::string& ids, int time_ns, const std::string& rest) {
  return absl::StrCat(ids, " 1.", absl::Dec(time_ns, absl::kZeroPad9), ": ", rest, "\n");
}
std::string Fault(const std::string& ids, int time_ns, const std::string& address) {
  return Line(ids, time_ns, "page-faults: " + address);
}
std::string Enter(const std::string& ids, int time_ns, const std::string& call,
                  const std::string& args) {
  return Line(ids, time_ns, "syscalls:sys_enter_" + call + ": " + args + "   0");
}
std::string Exit(const std::string& ids, int time_ns, const std::string& call,
                 const std::string& result = "0x0") {
  return Line(ids, time_ns, "syscalls:sys_exit_" + call + ": " + result + "   0");
}
std::string Munmap(const std::string& ids, int begin, int end, const std::string& addr) {
  return Enter(ids, begin, "munmap", "addr: " + addr + ", len: 0x1000") + Exit(ids, end, "munmap");
}

std::vector<std::string> Kinds(const TraceThread& thread) {
  std::vector<std::string> kinds;
  for (const TraceOperation& op : thread.operations) kinds.emplace_back(TraceOpKindName(op.kind));
  return kinds;
}

TEST(TracePlan, PairsEachCallWithItsEndAcrossThreads) {
  const TracePlan plan =
      Plan(Enter("1/1", 1, "mmap", "addr: 0x0, len: 0x2000, prot: 0x3, flags: 0x22") +
           Enter("1/2", 2, "munmap", "addr: 0x90000, len: 0x1000") +
           Exit("1/1", 3, "mmap", "0x50000") + Exit("1/2", 4, "munmap") + Fault("1/1", 5, "50010"));
  ASSERT_EQ(plan.processes.size(), 1u);
  ASSERT_EQ(plan.ThreadCount(), 2u);
  EXPECT_EQ(plan.OperationCount(), 3u);
  const TraceProcess& process = plan.processes[0];
  EXPECT_EQ(process.pid, 1u);
  EXPECT_EQ(process.threads[0].tid, 1u);
  EXPECT_EQ(process.threads[1].tid, 2u);
  EXPECT_THAT(Kinds(process.threads[0]), ElementsAre("reserve", "fault"));
  EXPECT_THAT(Kinds(process.threads[1]), ElementsAre("unmap"));
  const TraceOperation& reserve = process.threads[0].operations[0];
  EXPECT_EQ(reserve.first_line, 1u);
  EXPECT_EQ(reserve.last_line, 3u);
  EXPECT_EQ(reserve.begin_ns, 1'000'000'001u);
  EXPECT_EQ(reserve.end_ns, 1'000'000'003u);
  EXPECT_THAT(plan.accounting.planned,
              UnorderedElementsAre(Pair("mmap", 2), Pair("munmap", 2), Pair("page-faults", 1)));
  EXPECT_THAT(plan.accounting.skipped, IsEmpty());
}

TEST(TracePlan, CountsLinesWithoutEffectByReason) {
  const TracePlan plan =
      Plan("# a comment\n\n" + Fault("1/1", 1, "5000") + Fault("1/1", 2, "8") +
           Fault("1/1", 3, "ffffffffff600000") + Enter("1/1", 4, "brk", "brk: 0x0") +
           Exit("1/1", 5, "brk", "0x9000") + Enter("1/1", 6, "munmap", "addr: 0x1, len: 0x0") +
           Exit("1/1", 7, "munmap", "0xffffffffffffffea"));
  EXPECT_THAT(plan.accounting.skipped,
              UnorderedElementsAre(Pair("blank line or comment", 2),
                                   Pair("fault on the null page", 1), Pair("outside user space", 1),
                                   Pair("query of the heap's end", 2), Pair("failed munmap", 2)));
  EXPECT_EQ(plan.OperationCount(), 1u);
}

TEST(TracePlan, SkipsCallsOfWhichOneHalfIsMissing) {
  const std::string unmap = "addr: 0x90000, len: 0x1000";
  const TracePlan plan = Plan(Exit("1/1", 1, "munmap") + Enter("1/1", 2, "munmap", unmap) +
                              Enter("1/1", 3, "munmap", unmap) + Exit("1/1", 4, "brk", "0x1000") +
                              Munmap("1/1", 5, 6, "0x90000") + Enter("1/1", 7, "munmap", unmap));
  EXPECT_THAT(plan.accounting.skipped,
              UnorderedElementsAre(Pair("call whose begin is not in the recording", 2),
                                   Pair("call whose end is not in the recording", 3)));
  EXPECT_EQ(plan.OperationCount(), 1u);
}

TEST(TracePlan, SkipsFaultsThatRaisedASignal) {
  const std::string reserve =
      Enter("1/1", 1, "mmap", "addr: 0x0, len: 0x2000, prot: 0x0, flags: 0x22") +
      Exit("1/1", 2, "mmap", "0x50000");
  EXPECT_THAT(Plan(reserve + Fault("1/1", 3, "50000")).accounting.skipped,
              ElementsAre(Pair("fault on an inaccessible page", 1)));
  const std::string protect = Enter("1/2", 3, "mprotect", "start: 0x50000, len: 0x1000, prot: 0x3");
  const TracePlan plan = Plan(reserve + protect + Fault("1/1", 4, "50000") +
                              Exit("1/2", 5, "mprotect") + Fault("1/1", 6, "50000"));
  EXPECT_THAT(plan.accounting.skipped, IsEmpty()) << "the page may be accessible already";
  EXPECT_EQ(plan.accounting.planned.at("page-faults"), 2u);
}

TEST(TracePlan, AFaultInsideACallComesBeforeIt) {
  const TracePlan plan = Plan(Enter("1/1", 1, "munmap", "addr: 0x90000, len: 0x1000") +
                              Fault("1/1", 2, "5000") + Exit("1/1", 3, "munmap"));
  const TraceThread& thread = plan.processes[0].threads[0];
  EXPECT_THAT(Kinds(thread), ElementsAre("fault", "unmap"));
  EXPECT_EQ(thread.operations[1].begin_ns, 1'000'000'002u);
}

TEST(TracePlan, OrdersThreadsOfOneProcessOnly) {
  const TracePlan plan =
      Plan(Fault("1/1", 1, "5000") + Fault("1/2", 2, "6000") + Fault("7/7", 3, "5000"));
  ASSERT_EQ(plan.processes.size(), 2u);
  EXPECT_THAT(plan.processes[0].waits, ElementsAre(TraceWait{0, 1}));
  EXPECT_THAT(plan.processes[1].waits, IsEmpty());
  EXPECT_EQ(plan.sizing.peak_pages, 3u);
}

TEST(TracePlan, KeepsTheHeapOfEachProcessApart) {
  const TracePlan plan =
      Plan(Enter("1/1", 1, "brk", "brk: 0x0") + Exit("1/1", 2, "brk", "0x9000") +
           Enter("2/2", 3, "brk", "brk: 0xa000") + Exit("2/2", 4, "brk", "0xa000") +
           Enter("1/1", 5, "brk", "brk: 0xc000") + Exit("1/1", 6, "brk", "0xc000"));
  EXPECT_EQ(plan.OperationCount(), 1u);
  EXPECT_EQ(plan.processes[0].threads[0].operations[0].range,
            (VirtRange{VirtAddr(0x9000), VirtAddr(0xc000)}));
  EXPECT_EQ(plan.accounting.skipped.at("brk before the heap's end is known"), 2u);
}

TEST(TracePlan, CountsAndShowsLinesThatAreNotUnderstood) {
  const TracePlan plan = Plan(Fault("1/1", 5, "5000") + "what is this\n" + Fault("1/1", 6, "6000") +
                              Fault("1/1", 4, "7000"));
  EXPECT_EQ(plan.accounting.not_understood, 2u);
  ASSERT_EQ(plan.accounting.examples.size(), 2u);
  EXPECT_EQ(plan.accounting.examples[0].line, 2u);
  EXPECT_THAT(plan.accounting.examples[0].reason, HasSubstr("expected PID/TID at `what`"));
  EXPECT_EQ(plan.accounting.examples[1].line, 4u);
  EXPECT_THAT(plan.accounting.examples[1].reason, HasSubstr("time goes back by 2 ns in thread 1"));
}

TEST(TracePlan, RefusesAFileWhoseFirstLineIsNoEvent) {
  const absl::Status status = Build("# comment\nhello\n" + Fault("1/1", 1, "5000")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("rec:2: not a recording: expected PID/TID at `hello`"));
}

TEST(TracePlan, RefusesAFileOfWhichMostIsNotUnderstood) {
  const std::string good = Fault("1/1", 1, "5000");
  EXPECT_TRUE(Build(good + "bad\n").ok()) << "half";
  const absl::Status status = Build(good + "bad\nbad\n").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("rec:2: expected PID/TID at `bad`"));
  EXPECT_THAT(status.message(), HasSubstr("2 of 3 lines are not understood"));
}

TEST(TracePlan, RefusesAFileWithNothingToReplay) {
  for (const std::string& text : {std::string("# only this\n"), Fault("1/1", 1, "8")}) {
    const absl::Status status = Build(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("nothing to replay"));
  }
}

TEST(TracePlan, PassesOnWhatTheReaderRefuses) {
  EXPECT_EQ(Build("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Build(Fault("1/1", 1, "5000") + "1/1 1.0: page-fau").status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(LoadTracePlan("/nonexistent/trace").status().code(), absl::StatusCode::kNotFound);
}

TEST(TracePlan, TheEndOfUserSpaceIsAnOption) {
  const std::string text = Fault("1/1", 1, "5000") + Fault("1/1", 2, "7fff00000000");
  TraceReader reader = TraceReader::FromMemory(text, "rec");
  const absl::StatusOr<TracePlan> plan = BuildTracePlan(reader, {.user_end = uint64_t{1} << 38});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->accounting.skipped.at("outside user space"), 1u);
}

}  // namespace
}  // namespace paddock

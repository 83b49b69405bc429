// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/parser.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TraceEvent Parse(std::string_view line) {
  absl::StatusOr<TraceEvent> event = ParseTraceLine(line);
  EXPECT_TRUE(event.ok()) << event.status() << " in " << line;
  return event.value_or(TraceEvent{});
}

std::string Reason(std::string_view line) {
  absl::StatusOr<TraceEvent> event = ParseTraceLine(line);
  EXPECT_EQ(event.status().code(), absl::StatusCode::kInvalidArgument) << line;
  return std::string(event.status().message());
}

TEST(TraceParser, ReadsAPageFault) {
  const TraceEvent event =
      Parse("16969/16971  1409.750486722:                 page-faults:     560b60a0f048");
  EXPECT_EQ(event.pid, 16969u);
  EXPECT_EQ(event.tid, 16971u);
  EXPECT_EQ(event.time_ns, 1409'750486722u);
  EXPECT_EQ(event.call, TraceCall::kPageFault);
  EXPECT_EQ(event.phase, TracePhase::kInstant);
  EXPECT_EQ(event.args[0], 0x560b60a0f048u);
}

TEST(TraceParser, ReadsPageFaultsUnderTheirOtherNames) {
  for (const std::string name : {"page-faults:u", "faults", "minor-faults", "major-faults:k"}) {
    const TraceEvent event = Parse("  7/8 1.5: " + name + ": 0x1000");
    EXPECT_EQ(event.call, TraceCall::kPageFault) << name;
    EXPECT_EQ(event.args[0], 0x1000u) << name;
  }
}

TEST(TraceParser, ReadsAShortFaultAddress) {
  EXPECT_EQ(Parse("1/1  1409.852882703:   page-faults:        8").args[0], 8u);
}

TEST(TraceParser, ScalesTheFractionOfASecond) {
  EXPECT_EQ(Parse("1/1 2.000001: faults: 0").time_ns, 2'000'001'000u);
  EXPECT_EQ(Parse("1/1 2.5: faults: 0").time_ns, 2'500'000'000u);
}

TEST(TraceParser, ReadsTheEnterOfEachCall) {
  const std::string start = "5/6  1.000000001: syscalls:sys_enter_";
  const TraceEvent mmap = Parse(start +
                                "mmap: addr: 0x7fb0afcf0000, len: 0x00009000, prot: 0x00000005, "
                                "flags: 0x00000812, fd: 0x00000003, off: 0x00002000        0");
  EXPECT_EQ(mmap.call, TraceCall::kMmap);
  EXPECT_EQ(mmap.phase, TracePhase::kEnter);
  EXPECT_THAT(mmap.args, ElementsAre(0x7fb0afcf0000, 0x9000, 5, 0x812, 0));

  const TraceEvent munmap = Parse(start + "munmap: addr: 0x7faf6f25b000, len: 0x0000b11f   0");
  EXPECT_EQ(munmap.call, TraceCall::kMunmap);
  EXPECT_THAT(munmap.args, ElementsAre(0x7faf6f25b000, 0xb11f, 0, 0, 0));

  const TraceEvent mprotect =
      Parse(start + "mprotect: start: 0x558d4985c000, len: 0x00001000, prot: 0x00000001     0");
  EXPECT_EQ(mprotect.call, TraceCall::kMprotect);
  EXPECT_THAT(mprotect.args, ElementsAre(0x558d4985c000, 0x1000, 1, 0, 0));

  const TraceEvent brk = Parse(start + "brk: brk: 0x558d6892e000               0");
  EXPECT_EQ(brk.call, TraceCall::kBrk);
  EXPECT_THAT(brk.args, ElementsAre(0x558d6892e000, 0, 0, 0, 0));

  const TraceEvent madvise =
      Parse(start + "madvise: start: 0x7f0000000000, len_in: 0x00021000, behavior: 0x00000004  0");
  EXPECT_EQ(madvise.call, TraceCall::kMadvise);
  EXPECT_THAT(madvise.args, ElementsAre(0x7f0000000000, 0x21000, 4, 0, 0));

  const TraceEvent mremap =
      Parse(start +
            "mremap: addr: 0x7f1d2c0ec000, old_len: 0x00023000, new_len: 0x00034000, "
            "flags: 0x00000003, new_addr: 0x7f1d00000000               0");
  EXPECT_EQ(mremap.call, TraceCall::kMremap);
  EXPECT_THAT(mremap.args, ElementsAre(0x7f1d2c0ec000, 0x23000, 0x34000, 3, 0x7f1d00000000));
}

TEST(TraceParser, ReadsTheExitOfACall) {
  const TraceEvent mmap = Parse("5/6 1.0:      syscalls:sys_exit_mmap: 0x7fb0afcf0000       0");
  EXPECT_EQ(mmap.call, TraceCall::kMmap);
  EXPECT_EQ(mmap.phase, TracePhase::kExit);
  EXPECT_EQ(mmap.args[0], 0x7fb0afcf0000u);
  EXPECT_EQ(Parse("5/6 1.0: syscalls:sys_exit_munmap: 0xffffffffffffffea   0").args[0],
            0xffffffffffffffeau);
}

TEST(TraceParser, TakesTheAddressColumnBeforeAfterOrNot) {
  for (const std::string exit : {"0x10 0", "0x10", "0 0x10"}) {
    EXPECT_EQ(Parse("5/6 1.0: syscalls:sys_exit_brk: " + exit).args[0], 0x10u) << exit;
  }
  for (const std::string enter : {"brk: 0x10   0", "brk: 0x10", "0 brk: 0x10"}) {
    EXPECT_EQ(Parse("5/6 1.0: syscalls:sys_enter_brk: " + enter).args[0], 0x10u) << enter;
  }
}

TEST(TraceParser, FindsArgumentsByName) {
  const TraceEvent event =
      Parse("5/6 1.0: syscalls:sys_enter_munmap: more: 0x1, len: 0x2000, addr: 0x3000");
  EXPECT_THAT(event.args, ElementsAre(0x3000, 0x2000, 0, 0, 0));
}

TEST(TraceParser, SaysWhatItDoesNotUnderstand) {
  EXPECT_THAT(Reason("hello world"), HasSubstr("expected PID/TID at `hello`"));
  EXPECT_THAT(Reason("sort 1/2 1.0: faults: 0"), HasSubstr("expected PID/TID at `sort`"));
  EXPECT_THAT(Reason("-1/-1 1.0: faults: 0"), HasSubstr("expected PID/TID"));
  EXPECT_THAT(Reason("1/99999999999 1.0: faults: 0"), HasSubstr("expected PID/TID"));
  for (const std::string time :
       {"1.0", "1:", "1.:", ".5:", "1.0000000001:", "-1.5:", "x.5:", "99999999999.0:", ""}) {
    EXPECT_THAT(Reason("1/2 " + time + " faults: 0"), HasSubstr("expected SECONDS.FRACTION"))
        << time;
  }
  EXPECT_THAT(Reason("1/2 1.0: faults"), HasSubstr("expected EVENT: at `faults`"));
  EXPECT_THAT(Reason("1/2 1.0:"), HasSubstr("expected EVENT: at ``"));
  EXPECT_THAT(Reason("1/2 1.0: sched:sched_switch: x"), HasSubstr("no event of ours"));
  EXPECT_THAT(Reason("1/2 1.0: syscalls:sys_enter_read: fd: 0x1"), HasSubstr("no event of ours"));
  EXPECT_THAT(Reason("1/2 1.0: PERF_RECORD_LOST lost 12"), HasSubstr("events were lost"));
}

TEST(TraceParser, SaysWhatIsWrongWithAFault) {
  EXPECT_THAT(Reason("1/2 1.0: page-faults:"), HasSubstr("a page fault at no address"));
  EXPECT_THAT(Reason("1/2 1.0: page-faults: main+0x10"), HasSubstr("a page fault at no address"));
  EXPECT_THAT(Reason("1/2 1.0: page-faults: 10000000000000000"), HasSubstr("at no address"));
  EXPECT_THAT(Reason("1/2 1.0: page-faults: 10 20"), HasSubstr("text after the address"));
}

TEST(TraceParser, SaysWhatIsWrongWithACall) {
  const std::string enter = "1/2 1.0: syscalls:sys_enter_munmap: ";
  EXPECT_THAT(Reason(enter), HasSubstr("munmap lacks `addr`"));
  EXPECT_THAT(Reason(enter + "addr: 0x1000"), HasSubstr("munmap lacks `len`"));
  EXPECT_THAT(Reason(enter + "addr: 0x1000, len:"), HasSubstr("munmap: len is no 0x number: ``"));
  EXPECT_THAT(Reason(enter + "addr: 0x1000, len: 0x"), HasSubstr("len is no 0x number: `0x`"));
  EXPECT_THAT(Reason(enter + "addr: 0x1000, len: 16"), HasSubstr("len is no 0x number: `16`"));
  EXPECT_THAT(Reason(enter + "addr: 0x1, addr: 0x1"), HasSubstr("munmap has twice `addr`"));
  EXPECT_THAT(Reason(enter + "addr: 0x1 0 len: 0x1"), HasSubstr("expected `name:` at `0`"));
  const std::string exit = "1/2 1.0: syscalls:sys_exit_munmap: ";
  EXPECT_THAT(Reason(exit), HasSubstr("an exit without a result"));
  EXPECT_THAT(Reason(exit + "12"), HasSubstr("an exit without a result"));
  EXPECT_THAT(Reason(exit + "0x0 rest"), HasSubstr("text after the result: `rest`"));
  EXPECT_THAT(Reason(exit + "0x0 0 0"), HasSubstr("text after the result: `0`"));
}

TEST(TraceParser, RefusesEveryPrefixOfACall) {
  const std::string line =
      "5/6 1.0: syscalls:sys_enter_mprotect: start: 0x558d4985c000, len: 0x00001000, prot: 0x1";
  EXPECT_TRUE(ParseTraceLine(line).ok());
  for (size_t size = 0; size < line.size(); ++size) {
    EXPECT_FALSE(ParseTraceLine(line.substr(0, size)).ok()) << line.substr(0, size);
  }
}

TEST(TraceParser, TellsCommentsFromEvents) {
  EXPECT_TRUE(IsTraceComment(""));
  EXPECT_TRUE(IsTraceComment("  \t"));
  EXPECT_TRUE(IsTraceComment("# captured on    : Thu"));
  EXPECT_FALSE(IsTraceComment("1/2 1.0: page-faults: 0"));
}

TEST(TraceParser, NamesCallsAsTheRecordingDoes) {
  EXPECT_EQ(TraceCallName(TraceCall::kPageFault), "page-faults");
  EXPECT_EQ(TraceCallName(TraceCall::kMremap), "mremap");
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Recordings are replayed whole, every line is accounted for, and what the program mapped is
// mapped.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "paddock/stress/replay/replayer.h"
#include "paddock/stress/trace/plan.h"
#include "paddock/stress/trace/small_trace.h"
#include "paddock/tests/stress/harness/campaign_runner.h"

namespace paddock {
namespace {

TracePlan SmallPlan() {
  TraceReader reader = TraceReader::FromMemory(SmallTrace(), kSmallTraceName);
  absl::StatusOr<TracePlan> plan = BuildTracePlan(reader);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

void ExpectEveryLineCountedOnce(const TraceSummary& trace) {
  uint64_t sum = trace.not_understood;
  for (const auto& [kind, lines] : trace.replayed) sum += lines;
  for (const auto& [reason, lines] : trace.skipped) sum += lines;
  EXPECT_EQ(sum, trace.lines);
  EXPECT_GT(trace.lines, 0u);
}

class Pace : public testing::TestWithParam<std::string> {};

TEST_P(Pace, TheBundledTraceIsReplayedWhole) {
  TestCampaign test(TestOptions({"--threads=2", "--pace=" + GetParam()}));
  const TracePlan plan = SmallPlan();
  const absl::Status status = test.campaign.RunTrace(plan);
  EXPECT_TRUE(status.ok()) << status;
  const Summary summary = test.campaign.Summarise();
  ExpectPassed(summary);
  ExpectAllChecked(summary);
  ASSERT_EQ(summary.traces.size(), 1u);
  ExpectEveryLineCountedOnce(summary.traces[0]);
  EXPECT_EQ(summary.traces[0].lines, plan.accounting.lines);
  EXPECT_EQ(summary.traces[0].replayed, plan.accounting.planned);
  EXPECT_EQ(summary.traces[0].skipped, plan.accounting.skipped);
  EXPECT_EQ(summary.traces[0].threads, plan.ThreadCount());
}

INSTANTIATE_TEST_SUITE_P(Both, Pace, testing::Values("order", "free"),
                         [](const auto& info) { return info.param; });

TEST(TraceReplay, TooLittleMemoryIsSaidWithHowMuchWouldDo) {
  TestCampaign test(TestOptions({"--threads=2", "--memory=4MiB"}));
  const absl::Status status = test.campaign.RunTrace(SmallPlan());
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(std::string(status.message()).find("--memory=8MiB"), std::string::npos) << status;
}

// 200,000 faults of one thread, which no machine replays in one slice.
TracePlan LongPlan() {
  std::string text;
  for (int i = 0; i < 200'000; ++i) {
    absl::StrAppendFormat(&text, "1/1 1.%09d: page-faults: %x000\n", i, 0x1000 + i % 512);
  }
  TraceReader reader = TraceReader::FromMemory(text, "long");
  absl::StatusOr<TracePlan> plan = BuildTracePlan(reader);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

TEST(TraceReplay, AnInterruptedReplayCountsWhatItReplayed) {
  Campaign::Hooks hooks;
  hooks.interrupted = [asked = std::make_shared<int>(0)] { return ++*asked >= 2; };
  TestCampaign test(TestOptions({"--threads=2"}), std::move(hooks));
  const TracePlan plan = LongPlan();
  EXPECT_TRUE(test.campaign.RunTrace(plan).ok());
  const Summary summary = test.campaign.Summarise();
  EXPECT_EQ(summary.verdict(), Verdict::kInterrupted);
  ASSERT_EQ(summary.traces.size(), 1u);
  const TraceSummary& trace = summary.traces[0];
  ExpectEveryLineCountedOnce(trace);
  ASSERT_EQ(trace.skipped.count("the run ended before"), 1u);
  const uint64_t replayed = trace.lines - trace.skipped.at("the run ended before");
  EXPECT_EQ(replayed == 0 ? 0 : trace.replayed.at("page-faults"), replayed);
  EXPECT_LT(replayed, trace.lines);
  EXPECT_EQ(summary.not_run.at(0),
            absl::StrCat(trace.lines - replayed, " of 200000 operations of trace long"));
}

TEST(TraceReplay, WhatFoundNoMemoryIsNotCountedAsReplayed) {
  TestCampaign test(TestOptions({"--threads=2", "--inject=alloc=0.9"}));
  const absl::Status status = test.campaign.RunTrace(SmallPlan());
  EXPECT_TRUE(status.ok()) << status;
  const Summary summary = test.campaign.Summarise();
  ExpectPassed(summary);
  ASSERT_EQ(summary.traces.size(), 1u);
  ExpectEveryLineCountedOnce(summary.traces[0]);
  EXPECT_GT(summary.traces[0].skipped.count("memory ran out"), 0u);
}

TEST(TraceReplay, WhatIsRefusedIsCountedByItsCauseAndReported) {
  // Addresses of programs end at 2^47.
  const std::string text =
      "1/1 1.000000001: syscalls:sys_enter_munmap: addr: 0x800000000000, len: 0x1000\n"
      "1/1 1.000000002: syscalls:sys_exit_munmap: 0x0\n"
      "what\n";
  TraceReader reader = TraceReader::FromMemory(text, "high");
  absl::StatusOr<TracePlan> plan = BuildTracePlan(reader, {.user_end = uint64_t{1} << 48});
  ASSERT_TRUE(plan.ok()) << plan.status();
  TestCampaign test(TestOptions({"--threads=2"}));
  EXPECT_TRUE(test.campaign.RunTrace(*plan).ok());
  const Summary summary = test.campaign.Summarise();
  ASSERT_EQ(summary.traces.size(), 1u);
  const TraceSummary& trace = summary.traces[0];
  ExpectEveryLineCountedOnce(trace);
  EXPECT_EQ(trace.skipped.count("memory ran out"), 0u);
  ASSERT_EQ(trace.skipped.size(), 1u);
  EXPECT_EQ(trace.skipped.begin()->first.substr(0, 11), "refused as ");
  EXPECT_EQ(trace.skipped.begin()->second, 2u);
  ASSERT_EQ(trace.examples.size(), 1u);
  EXPECT_EQ(trace.examples[0].number, 3u);
  EXPECT_EQ(test.campaign.oracles().sink.count(kSerializabilityOracle), 1u);
  EXPECT_EQ(test.campaign.oracles().sink.count(kBooksOracle), 1u);
}

TEST(TraceReplay, PermissionsBecomeProperties) {
  EXPECT_EQ(PropertyOfAccess(0), kReadKernel) << "no access for the program";
  EXPECT_EQ(PropertyOfAccess(kTraceRead), kReadUser);
  EXPECT_EQ(PropertyOfAccess(kTraceRead | kTraceWrite), kReadWriteUser);
  EXPECT_EQ(PropertyOfAccess(kTraceRead | kTraceExecute), kReadExecuteUser);
}

// What one operation after the other leaves behind, in a world without workers.
class OneByOne : public testing::Test {
 protected:
  void SetUp() override {
    world_ = *World::Create({.cpus = 1}, oracles_);
    ASSERT_TRUE(seat_.Sit(world_->machine(), CpuId{0}).ok());
    stream_.emplace(*world_, state_, 0);
    stream_->Begin(seat_);
  }
  void TearDown() override {
    stream_->End();
    seat_.StandUp();
    TransactionLog* const logs[] = {&state_.log};
    world_->EndRound(logs);
    WorldTotals totals;
    world_->Close(stream_->opened(), totals);
    for (const Violation& violation : oracles_.sink.violations()) {
      ADD_FAILURE() << violation.message;
    }
  }

  void Do(TraceOpKind kind, uint64_t first, uint64_t pages, TraceAccess access = kTraceRead,
          uint64_t source = 0, uint64_t source_pages = 0) {
    TraceOperation operation;
    operation.kind = kind;
    operation.access = access;
    operation.range = {VirtAddr(first << 12), VirtAddr((first + pages) << 12)};
    operation.source = {VirtAddr(source << 12), VirtAddr((source + source_pages) << 12)};
    EXPECT_TRUE(Replayer(*stream_).Replay(stream_->Space(0), operation).ok());
  }
  std::optional<Translation> At(uint64_t page) {
    const RcuReadGuard guard(world_->machine().rcu(), seat_.pin());
    return stream_->Space(0).space->Walk(guard, VirtAddr(page << 12));
  }

  Oracles oracles_{1, "again"};
  StreamState state_{0};
  std::unique_ptr<World> world_;
  CpuSeat seat_;
  std::optional<Stream> stream_;
};

TEST_F(OneByOne, AFaultMapsOnceAndASecondOneChangesNothing) {
  Do(TraceOpKind::kFault, 5, 1, kTraceRead | kTraceWrite);
  const std::optional<Translation> first = At(5);
  ASSERT_TRUE(first);
  Do(TraceOpKind::kFault, 5, 1);
  ASSERT_TRUE(At(5));
  EXPECT_EQ(At(5)->address, first->address);
}

TEST_F(OneByOne, ReservingUnmapsAndPopulatesIfAsked) {
  Do(TraceOpKind::kFault, 5, 1);
  Do(TraceOpKind::kReserve, 4, 4);
  EXPECT_FALSE(At(5));
  Do(TraceOpKind::kPopulate, 100, 130);
  EXPECT_TRUE(At(100));
  EXPECT_TRUE(At(229));
  EXPECT_FALSE(At(230));
}

TEST_F(OneByOne, ProtectingChangesWhatIsMapped) {
  Do(TraceOpKind::kFault, 5, 1, kTraceRead | kTraceWrite);
  Do(TraceOpKind::kProtect, 4, 4, 0);
  ASSERT_TRUE(At(5));
  EXPECT_FALSE(HasAny(At(5)->item.property.flags, PageFlags::kUser | PageFlags::kWrite));
  Do(TraceOpKind::kProtect, 4, 4, kTraceRead | kTraceWrite);
  EXPECT_TRUE(HasAll(At(5)->item.property.flags, PageFlags::kUser | PageFlags::kWrite));
}

TEST_F(OneByOne, MovingKeepsTheFramesAndTheirOffsets) {
  Do(TraceOpKind::kFault, 10, 1, kTraceRead | kTraceWrite);
  Do(TraceOpKind::kFault, 12, 1, kTraceRead | kTraceWrite);
  const PhysAddr first = At(10)->address;
  const PhysAddr third = At(12)->address;
  Do(TraceOpKind::kMove, 1000, 8, kTraceRead | kTraceWrite, 10, 4);
  EXPECT_FALSE(At(10));
  EXPECT_FALSE(At(12));
  ASSERT_TRUE(At(1000) && At(1002));
  EXPECT_EQ(At(1000)->address, first);
  EXPECT_EQ(At(1002)->address, third);
  EXPECT_FALSE(At(1001));
}

TEST_F(OneByOne, MovingToASmallerPlaceDropsTheRest) {
  for (uint64_t page = 10; page < 14; ++page) Do(TraceOpKind::kFault, page, 1);
  Do(TraceOpKind::kMove, 1000, 2, kTraceRead, 10, 4);
  EXPECT_TRUE(At(1001));
  EXPECT_FALSE(At(1002));
  EXPECT_FALSE(At(12));
}

TEST_F(OneByOne, EveryKindOfUnmappingUnmaps) {
  for (const TraceOpKind kind : {TraceOpKind::kUnmap, TraceOpKind::kDiscard, TraceOpKind::kShrink,
                                 TraceOpKind::kHeapShrink}) {
    Do(TraceOpKind::kFault, 7, 1);
    ASSERT_TRUE(At(7));
    Do(kind, 0, 512);
    EXPECT_FALSE(At(7)) << TraceOpKindName(kind);
  }
}

TEST_F(OneByOne, GrowingMapsNothing) {
  Do(TraceOpKind::kGrow, 20, 4);
  Do(TraceOpKind::kHeapGrow, 30, 4);
  EXPECT_FALSE(At(20));
  EXPECT_FALSE(At(30));
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// A short run of each workload, with more threads than this machine may have cores.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/check.h"
#include "paddock/tests/stress/harness/campaign_runner.h"

namespace paddock {
namespace {

class Workload : public testing::TestWithParam<std::string> {};

TEST_P(Workload, RunsForASecondWithoutViolation) {
  TestCampaign test(TestOptions({"--threads=3"}));
  const absl::Status status = test.campaign.RunGenerated(
      *FindWorkload(GetParam()), {.duration = absl::Seconds(1), .steps = std::nullopt});
  EXPECT_TRUE(status.ok()) << status;
  const Summary summary = test.campaign.Summarise();
  ExpectPassed(summary);
  ExpectAllChecked(summary);
}

TEST_P(Workload, OneThreadAloneRunsToo) {
  TestCampaign test(TestOptions({"--threads=1"}));
  const absl::Status status =
      test.campaign.RunGenerated(*FindWorkload(GetParam()), {.duration = {}, .steps = 3000});
  EXPECT_TRUE(status.ok()) << status;
  const Summary summary = test.campaign.Summarise();
  ExpectPassed(summary);
  ExpectAllChecked(summary);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const WorkloadInfo& info : Workloads()) names.emplace_back(info.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(All, Workload, testing::ValuesIn(Names()),
                         [](const auto& info) { return info.param; });

// Runs a workload until it has done all of what `done` asks for, at most for a minute.
template <typename Done>
void RunUntil(TestCampaign& test, const char* workload, Done done) {
  const absl::Time end = absl::Now() + absl::Minutes(1);
  do {
    const absl::Status status = test.campaign.RunGenerated(
        *FindWorkload(workload), {.duration = absl::Milliseconds(500), .steps = std::nullopt});
    ASSERT_TRUE(status.ok()) << status;
    ExpectPassed(test.campaign.Summarise());
  } while (!testing::Test::HasFailure() && !done() && absl::Now() < end);
}

uint64_t CountOf(const Summary& summary, std::string_view name) {
  for (const OperationSummary& operation : summary.operations) {
    if (operation.name == name) return operation.count;
  }
  return 0;
}

TEST(Io, ReadsAndWritesWithAndWithoutFaults) {
  TestCampaign test(TestOptions({"--threads=3"}));
  const auto sum = [&](uint64_t OpStats::* counter) { return test.campaign.SumOf(counter); };
  RunUntil(test, "io", [&] { return sum(&OpStats::resolved) != 0; });
  const Summary summary = test.campaign.Summarise();
  for (const char* name : {"read_memory", "write_memory", "map", "unmap", "protect", "sync"}) {
    EXPECT_GT(CountOf(summary, name), 0u) << name;
  }
  EXPECT_GT(sum(&OpStats::ordered_reads), 0u);
  EXPECT_GT(sum(&OpStats::unordered_reads), 0u);
  EXPECT_GT(sum(&OpStats::faults), 0u);
  EXPECT_GT(sum(&OpStats::resolved), 0u);
}

TEST(Kvirt, UsesAddressesAgainUntilThereAreNone) {
  TestCampaign test(TestOptions({"--threads=3"}));
  const auto sum = [&](uint64_t OpStats::* counter) { return test.campaign.SumOf(counter); };
  // With contracts, each step looks at all areas: the window does not fill in the time.
  const auto is_done = [&] {
    if constexpr (kContractsChecked) {
      return sum(&OpStats::reused_pages) > uint64_t{KernelAreas::kWindowPages};
    }
    return sum(&OpStats::window_full) != 0;
  };
  RunUntil(test, "kvirt", is_done);
  const Summary summary = test.campaign.Summarise();
  for (const char* name : {"create_area", "destroy_area", "split_area", "query_area", "access_area",
                           "flush_areas", "check_areas"}) {
    EXPECT_GT(CountOf(summary, name), 0u) << name;
  }
  EXPECT_GT(sum(&OpStats::reused_pages), uint64_t{KernelAreas::kWindowPages});
  EXPECT_TRUE(is_done());
  EXPECT_GT(sum(&OpStats::areas_abandoned), 0u);
  EXPECT_GT(sum(&OpStats::faults), 0u) << "guards and read-only areas";
  EXPECT_EQ(sum(&OpStats::exhausted), 0u) << "a full window is no lack of memory";
}

TEST(Determinism, SameSeedAndStepsAskForTheSameOperations) {
  StressOptions options = TestOptions({"--threads=2"});
  const auto digest = [](const StressOptions& how) {
    TestCampaign test(how);
    const absl::Status status =
        test.campaign.RunGenerated(*FindWorkload("mixed"), {.duration = {}, .steps = 10000});
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(test.campaign.digests().at(0).steps, 10000u);
    return test.campaign.digests().at(0).digest;
  };
  const uint64_t first = digest(options);
  EXPECT_EQ(first, digest(options));
  ++options.seed;
  EXPECT_NE(first, digest(options));
}

TEST(Replay, RunsTheRoundsUpToTheOneNamed) {
  TestCampaign test(TestOptions({"--threads=2"}));
  const ReplayToken token{"tlb", test.options.seed, 2, kRoundsPerWorld + 1, {}};
  const absl::Status status = test.campaign.RunReplay(token);
  EXPECT_TRUE(status.ok()) << status;
  ExpectPassed(test.campaign.Summarise());
  EXPECT_EQ(test.campaign.digests().at(0).steps, 2 * 2 * kStepsPerRound)
      << "two rounds of two streams";
}

TEST(Replay, TheLastRoundOfAllEndsTheRun) {
  TestCampaign test(TestOptions({"--threads=1"}));
  // It is the last of its world; those before it are run too.
  ASSERT_EQ(~uint64_t{0} % kRoundsPerWorld, kRoundsPerWorld - 1);
  const ReplayToken token{"tlb", test.options.seed, 1, ~uint64_t{0}, {}};
  const absl::Status status = test.campaign.RunReplay(token);
  EXPECT_TRUE(status.ok()) << status;
  ExpectPassed(test.campaign.Summarise());
  EXPECT_EQ(test.campaign.digests().at(0).steps, kRoundsPerWorld * kStepsPerRound);
}

TEST(Duration, HoweverShortEachWorkloadChecksSomething) {
  TestCampaign test(TestOptions({"--threads=3"}));
  for (const WorkloadInfo& info : Workloads()) {
    const absl::Status status =
        test.campaign.RunGenerated(info, {.duration = absl::Nanoseconds(1), .steps = std::nullopt});
    EXPECT_TRUE(status.ok()) << status;
  }
  const Summary summary = test.campaign.Summarise();
  ExpectPassed(summary);
  ExpectAllChecked(summary);
  for (const StreamDigest& digest : test.campaign.digests()) {
    EXPECT_GT(digest.steps, 0u) << digest.workload;
  }
}

// Interrupted when it is asked for the `n`-th time.
Campaign::Hooks InterruptedAt(int n) {
  Campaign::Hooks hooks;
  hooks.interrupted = [n, asked = std::make_shared<int>(0)] { return ++*asked >= n; };
  return hooks;
}

TEST(Interruption, SaysWhatWasNotRunAndHasNotPassed) {
  TestCampaign test(TestOptions({"--threads=2"}), InterruptedAt(2));
  const Budget budget{.duration = {}, .steps = 1'000'000'000};
  EXPECT_TRUE(test.campaign.RunGenerated(*FindWorkload("tlb"), budget).ok());
  EXPECT_TRUE(test.campaign.RunGenerated(*FindWorkload("rcu"), budget).ok());
  const Summary summary = test.campaign.Summarise();
  EXPECT_EQ(summary.verdict(), Verdict::kInterrupted);
  EXPECT_THAT(summary.not_run,
              testing::ElementsAre(testing::StartsWith("the rest of tlb after "), "rcu"));
  ASSERT_EQ(summary.workloads.size(), 1u);
  EXPECT_EQ(summary.workloads[0].name, "tlb");
  EXPECT_EQ(summary.frames.leaked, 0u);
}

TEST(Interruption, AfterTheEndIsNone) {
  TestCampaign test(TestOptions({"--threads=2"}), InterruptedAt(2));
  EXPECT_TRUE(
      test.campaign.RunGenerated(*FindWorkload("tlb"), {.duration = {}, .steps = 100}).ok());
  ExpectPassed(test.campaign.Summarise());
}

TEST(Seeds, OfWorldsDependOnTheWorkloadsWholeName) {
  EXPECT_NE(HashName("tlb"), HashName("rcu"));
  EXPECT_NE(HashName("mixed"), HashName("mixde"));
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// A short run of each workload, with more threads than this machine may have cores.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/stress/harness/session_runner.h"

namespace paddock {
namespace {

class Workload : public testing::TestWithParam<std::string> {};

TEST_P(Workload, RunsForASecondWithoutViolation) {
  TestSession test(TestOptions({"--threads=3"}));
  const absl::Status status = test.session.RunGenerated(
      *FindWorkload(GetParam()), {.duration = absl::Seconds(1), .steps = std::nullopt});
  EXPECT_TRUE(status.ok()) << status;
  const Summary summary = test.session.Summarise();
  ExpectPassed(summary);
  ExpectAllChecked(summary);
}

TEST_P(Workload, OneThreadAloneRunsToo) {
  TestSession test(TestOptions({"--threads=1"}));
  const absl::Status status =
      test.session.RunGenerated(*FindWorkload(GetParam()), {.duration = {}, .steps = 3000});
  EXPECT_TRUE(status.ok()) << status;
  const Summary summary = test.session.Summarise();
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

TEST(Determinism, SameSeedAndStepsAskForTheSameOperations) {
  StressOptions options = TestOptions({"--threads=2"});
  const auto digest = [](const StressOptions& how) {
    TestSession test(how);
    const absl::Status status =
        test.session.RunGenerated(*FindWorkload("mixed"), {.duration = {}, .steps = 10000});
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(test.session.digests().at(0).steps, 10000u);
    return test.session.digests().at(0).digest;
  };
  const uint64_t first = digest(options);
  EXPECT_EQ(first, digest(options));
  ++options.seed;
  EXPECT_NE(first, digest(options));
}

TEST(Replay, RunsTheRoundsUpToTheOneNamed) {
  TestSession test(TestOptions({"--threads=2"}));
  const ReplayToken token{"tlb", test.options.seed, 2, kRoundsPerWorld + 1, {}};
  const absl::Status status = test.session.RunReplay(token);
  EXPECT_TRUE(status.ok()) << status;
  ExpectPassed(test.session.Summarise());
  EXPECT_EQ(test.session.digests().at(0).steps, 2 * 2 * kStepsPerRound)
      << "two rounds of two streams";
}

}  // namespace
}  // namespace paddock

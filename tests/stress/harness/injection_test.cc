// SPDX-License-Identifier: Apache-2.0
//
// Under every injected fault nothing is violated and the books balance.

#include <string>

#include "gtest/gtest.h"
#include "paddock/stress/inject/failing_allocator.h"
#include "paddock/tests/stress/harness/campaign_runner.h"

namespace paddock {
namespace {

class Injected : public testing::TestWithParam<std::string> {};

TEST_P(Injected, MixedSurvivesAndTheBooksBalance) {
  TestCampaign test(TestOptions({"--threads=2", "--inject=" + GetParam()}));
  const absl::Status status = test.campaign.RunGenerated(
      *FindWorkload("mixed"), {.duration = absl::Seconds(1), .steps = std::nullopt});
  EXPECT_TRUE(status.ok()) << status;
  const Summary summary = test.campaign.Summarise();
  ExpectPassed(summary);
  const bool memory = test.options.inject.MayExhaust();
  EXPECT_EQ(test.campaign.exhausted() != 0, memory)
      << "memory must run out when that is injected, and only then";
  if (test.options.inject.Has(Injection::kAlloc)) {
    EXPECT_GT(test.campaign.totals().refused_allocations, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, Injected,
                         testing::Values("alloc=0.05", "delay", "stall", "preempt", "exhaust",
                                         "alloc,delay,stall,preempt"),
                         [](const auto& info) {
                           std::string name;
                           for (const char c : info.param) {
                             if (c >= 'a' && c <= 'z') name += c;
                           }
                           return name;
                         });

TEST(FailingSwitch, RefusesAboutTheShareItWasToldAndNothingWhileOff) {
  FailingSwitch failing(0.25, TestSeed());
  int refused = 0;
  for (int i = 0; i < 1000; ++i) refused += failing.Refuses() ? 1 : 0;
  EXPECT_EQ(refused, 0);
  failing.Set(true);
  for (int i = 0; i < 10000; ++i) refused += failing.Refuses() ? 1 : 0;
  EXPECT_NEAR(refused, 2500, 300);
  EXPECT_EQ(failing.refused(), static_cast<uint64_t>(refused));
}

}  // namespace
}  // namespace paddock

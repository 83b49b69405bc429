// SPDX-License-Identifier: Apache-2.0
//
// Runs the harness inside a test.

#ifndef PADDOCK_TESTS_STRESS_HARNESS_CAMPAIGN_RUNNER_H_
#define PADDOCK_TESTS_STRESS_HARNESS_CAMPAIGN_RUNNER_H_

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/stress/campaign.h"
#include "paddock/stress/options.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {

inline StressOptions TestOptions(std::vector<std::string> args) {
  args.push_back("--seed=" + std::to_string(TestSeed() >> 1));
  absl::StatusOr<StressOptions> options = ParseStressOptions(args, {});
  EXPECT_TRUE(options.ok()) << options.status();
  return *std::move(options);
}

// A campaign and what it borrows.
struct TestCampaign {
  explicit TestCampaign(StressOptions how, Campaign::Hooks hooks = {})
      : options(std::move(how)),
        progress(ProgressMode::kNone, {}, stderr, Output::kOther),
        campaign(options, progress, std::move(hooks)) {}

  const StressOptions options;
  ProgressLine progress;
  Campaign campaign;
};

inline void ExpectPassed(const Summary& summary) {
  for (const std::string& failure : summary.Failures()) ADD_FAILURE() << failure;
  for (const Violation& violation : summary.violations) {
    ADD_FAILURE() << violation.oracle << ": " << violation.message << "\n" << violation.reproduce;
  }
  EXPECT_EQ(summary.frames.leaked, 0u);
  EXPECT_GT(summary.transactions, 0u);
}

// Each oracle has checked something; that of memory IO, if there was any.
inline void ExpectAllChecked(const Summary& summary) {
  EXPECT_EQ(summary.oracles.size(), 6u);
  for (const OracleResult& oracle : summary.oracles) {
    if (oracle.expected == Expected::kNothing) {
      EXPECT_EQ(oracle.name, kMemoryOracle);
      EXPECT_EQ(oracle.checks, 0u);
    } else {
      EXPECT_GT(oracle.checks, 0u) << oracle.name;
    }
  }
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_STRESS_HARNESS_CAMPAIGN_RUNNER_H_

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/progress.h"

#include "gtest/gtest.h"

namespace paddock::bench {
namespace {

TEST(Progress, SaysHowMuchIsDoneAndHowLongTheRestTakes) {
  EXPECT_EQ(ProgressText(0, 10, 0, "open"), "0%: open");
  EXPECT_EQ(ProgressText(2, 10, 30'000'000'000, "open"), "20%, 2:00 left: open");
  EXPECT_EQ(ProgressText(9, 10, 45'000'000'000, "open"), "90%, 0:05 left: open");
}

}  // namespace
}  // namespace paddock::bench

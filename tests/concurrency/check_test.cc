// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/check.h"

#include <string>

#include "gtest/gtest.h"

namespace paddock {
namespace {

TEST(Check, PassesWithoutEvaluatingTheMessage) {
  int evaluated = 0;
  const auto message = [&] {
    ++evaluated;
    return std::string("unused");
  };
  PADDOCK_CHECK(evaluated == 0, message());
  EXPECT_EQ(evaluated, 0);
}

TEST(CheckDeathTest, NamesPlaceConditionAndMessage) {
  const int pages = 3;
  EXPECT_DEATH(PADDOCK_CHECK(pages == 4, std::string("four pages are ") + "needed"),
               "check_test.cc:[0-9]+: check failed: pages == 4: four pages are needed");
}

TEST(CheckDeathTest, DebugCheckIsActiveExactlyInDebugAndCheckedBuilds) {
  bool evaluated = false;
  const auto fails = [&] {
    evaluated = true;
    return false;
  };
#if !defined(NDEBUG) || defined(PADDOCK_CHECKED)
  EXPECT_DEATH(PADDOCK_DCHECK(fails(), "debug only"), "debug only");
#else
  PADDOCK_DCHECK(fails(), "debug only");
  EXPECT_FALSE(evaluated);
#endif
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/books.h"

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

using testing::HasSubstr;

TEST(Books, BalancedBooksPassAndCountTheirChecks) {
  ViolationSink sink("rerun");
  const OracleResult result =
      CheckBooks({.lock_words_looked_at = 10, .balances = {{"opened = closed", 5, 5}}}, sink);
  EXPECT_TRUE(result.Passed());
  EXPECT_EQ(result.checks, 12u);
}

TEST(Books, ALeakListsTheFramesThatAreLeft) {
  ViolationSink sink("rerun");
  BooksSnapshot books{.frames_expected = 1, .frames_used = 13};
  for (uint64_t i = 0; i < 12; ++i) books.in_use.push_back({i << 12, "page-table node", 1, 0});
  EXPECT_FALSE(CheckBooks(books, sink).Passed());
  EXPECT_EQ(LeakedFrames(books), 12u);
  const std::string message = sink.violations()[0].message;
  EXPECT_THAT(message, HasSubstr("13 frames are in use, expected 1"));
  EXPECT_THAT(message, HasSubstr("frame 0x7000, page-table node, 1 references"));
  EXPECT_THAT(message, HasSubstr("and 4 more"));
}

TEST(Books, FewerFramesThanExpectedAreWrongToo) {
  ViolationSink sink("rerun");
  EXPECT_FALSE(CheckBooks({.frames_expected = 2, .frames_used = 1}, sink).Passed());
  EXPECT_EQ(LeakedFrames({.frames_expected = 2, .frames_used = 1}), 0u);
}

TEST(Books, AClaimThatIsLeftIsNamed) {
  ViolationSink sink("rerun");
  CheckBooks({.lock_words_looked_at = 1, .locked = {{0x3000, "node", 1, 0xff00}}}, sink);
  EXPECT_THAT(sink.violations()[0].message, HasSubstr("claims 0xff00"));
}

TEST(Books, AWrongBalanceShowsBothSides) {
  ViolationSink sink("rerun");
  CheckBooks({.balances = {{"retired = reclaimed", 7, 6}}}, sink);
  EXPECT_EQ(sink.violations()[0].message, "retired = reclaimed: expected 7, counted 6");
}

TEST(ViolationSink, KeepsTheFirstAndCountsAllFromAnyThread) {
  ViolationSink sink("./paddock stress --seed=9", /*keep=*/10);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) sink.Report(kTlbOracle, "message");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sink.count(), 400u);
  EXPECT_EQ(sink.count(kTlbOracle), 400u);
  EXPECT_EQ(sink.count(kBooksOracle), 0u);
  EXPECT_EQ(sink.violations().size(), 10u);
  EXPECT_EQ(sink.violations()[0].reproduce, "./paddock stress --seed=9");
  EXPECT_TRUE(sink.full());
}

TEST(OracleResult, AnOracleThatCheckedNothingHasFailedUnlessNothingWasExpected) {
  EXPECT_FALSE((OracleResult{.name = "tlb"}).Passed());
  EXPECT_TRUE((OracleResult{.name = "tlb", .expected = Expected::kNothing}).Passed());
  EXPECT_FALSE((OracleResult{.name = "tlb", .checks = 5, .violations = 1}).Passed());
}

}  // namespace
}  // namespace paddock

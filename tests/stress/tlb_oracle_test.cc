// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/tlb_oracle.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/stress/oracle/frame_history.h"

namespace paddock {
namespace {

using testing::HasSubstr;

TEST(TlbOracle, AnAccessWithTheGenerationOfItsFillIsGood) {
  ViolationSink sink("rerun");
  FrameHistory history(1, 16);
  TlbOracle oracle(1, sink, history);
  EXPECT_TRUE(
      oracle.CheckAccess(0, {.frame = 0x5000, .generation_at_fill = 4, .generation_now = 4}));
  EXPECT_EQ(sink.count(), 0u);
  EXPECT_EQ(oracle.result().checks, 1u);
}

TEST(TlbOracle, AnAccessToARecycledFrameShowsTheHistoryOfTheFrame) {
  ViolationSink sink("rerun");
  FrameHistory history(2, 16);
  history.Record(0, {.ns = 10, .frame = 0x5000, .va = 0x7000, .generation = 3, .space = 2});
  history.Record(0, {.ns = 30, .frame = 0x5000, .va = 0x9000, .generation = 5, .space = 3});
  history.Record(
      1,
      {.ns = 20, .frame = 0x4000, .va = 0x8000, .pages = 2, .generation = 4, .space = 2, .cpu = 1});
  history.Record(1, {.ns = 25, .frame = 0x6000});
  TlbOracle oracle(2, sink, history);
  EXPECT_FALSE(oracle.CheckAccess(1, {.ns = 40,
                                      .frame = 0x5008,
                                      .va = 0x7008,
                                      .generation_at_fill = 4,
                                      .generation_now = 5,
                                      .space = 2,
                                      .cpu = 1}));
  ASSERT_EQ(sink.count(kTlbOracle), 1u);
  const std::string message = sink.violations()[0].message;
  EXPECT_THAT(message, HasSubstr("cpu 1 reached 0x7008 of space 2 through a stale entry at 40 ns"));
  EXPECT_THAT(message, HasSubstr("generation 4 when the entry was filled and has 5 now"));
  EXPECT_THAT(message,
              HasSubstr("  10 ns cpu 0: generation 3, 1 pages mapped at 0x7000 of space 2\n"
                        "  20 ns cpu 1: generation 4, 2 pages mapped at 0x8000 of space 2\n"
                        "  30 ns cpu 0: generation 5, 1 pages mapped at 0x9000 of space 3"));
  EXPECT_FALSE(oracle.result().Passed());
}

TEST(FrameHistory, RemembersTheLastMappingsOnly) {
  FrameHistory history(1, 4);
  for (uint64_t i = 0; i < 10; ++i) history.Record(0, {.ns = i, .frame = 0x1000});
  const std::vector<FrameMapping> mappings = history.Of(0x1fff);
  ASSERT_EQ(mappings.size(), 4u);
  EXPECT_EQ(mappings.front().ns, 6u);
  EXPECT_EQ(mappings.back().ns, 9u);
  EXPECT_THAT(history.Describe(0x1000, 2), HasSubstr("(2 earlier mappings)"));
  EXPECT_THAT(history.Describe(0x2000), HasSubstr("no mapping of this frame is remembered"));
}

TEST(FrameHistory, AReaderNeverSeesAMappingMixedFromTwo) {
  FrameHistory history(1, 4);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint32_t i = 0; !stop.load(); ++i) {
      history.Record(0, {.ns = i, .frame = 0x1000, .va = i, .generation = i, .space = i, .cpu = 3});
    }
  });
  uint64_t seen = 0;
  while (seen < 2000) {
    for (const FrameMapping& mapping : history.Of(0x1000)) {
      ++seen;
      ASSERT_EQ(mapping.va, mapping.ns);
      ASSERT_EQ(mapping.generation, static_cast<uint32_t>(mapping.ns));
      ASSERT_EQ(mapping.space, static_cast<uint32_t>(mapping.ns));
    }
  }
  stop.store(true);
  writer.join();
}

}  // namespace
}  // namespace paddock

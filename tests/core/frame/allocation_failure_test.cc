// SPDX-License-Identifier: Apache-2.0
//
// What happens when there is no memory, and the allocator that says so on command.

#include "paddock/tests/support/failing_allocator.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/core/frame/frame_world.h"

namespace paddock {
namespace {

class AllocationFailureTest : public ::testing::Test {
 protected:
  AllocationFailureTest()
      : world_({.frames = {.wrap_allocator = FailingAllocator::Wrap(&failing_)}}) {}

  bool Allocates() { return world_.frames().Allocate(Untyped{}, Zeroing::kLeave).ok(); }

  FailingAllocator* failing_ = nullptr;
  FrameWorld world_;
};

TEST_F(AllocationFailureTest, EveryWayToAllocateReportsIt) {
  failing_->FailFrom(1);
  FrameTable& frames = world_.frames();
  const auto expect_exhausted = [](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  };
  expect_exhausted(frames.Allocate(Untyped{}, Zeroing::kZero).status());
  expect_exhausted(frames.AllocateUnique(Untyped{}, Zeroing::kZero).status());
  expect_exhausted(frames.AllocateSegment(3, 1, Untyped{}, Zeroing::kZero).status());
  expect_exhausted(frames.AllocateRaw(MetaVtableOf<Untyped>(), Zeroing::kZero).status());
  EXPECT_EQ(frames.FromUnused(PhysAddr(0), Untyped{}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(failing_->failures(), 5u);
  EXPECT_EQ(frames.used_pages(), 0u);
  failing_->Heal();
  EXPECT_TRUE(Allocates());
}

TEST_F(AllocationFailureTest, TheNthFailsAndOnlyThat) {
  failing_->FailNth(3);
  std::vector<bool> results;
  results.reserve(5);
  for (int i = 0; i < 5; ++i) results.push_back(Allocates());
  EXPECT_EQ(results, (std::vector<bool>{true, true, false, true, true}));
  EXPECT_EQ(failing_->attempts(), 5u);
}

TEST_F(AllocationFailureTest, RandomFailuresDependOnTheSeedAlone) {
  const auto pattern = [](uint64_t seed) {
    FailingAllocator* failing = nullptr;
    FrameWorld world({.frames = {.wrap_allocator = FailingAllocator::Wrap(&failing)}});
    failing->FailRandomly(seed, 300);
    std::vector<bool> results;
    results.reserve(1000);
    for (int i = 0; i < 1000; ++i) {
      results.push_back(world.frames().Allocate(Untyped{}, Zeroing::kLeave).ok());
    }
    return results;
  };
  const std::vector<bool> first = pattern(1);
  EXPECT_EQ(first, pattern(1));
  EXPECT_NE(first, pattern(2));
  const auto failed = std::count(first.begin(), first.end(), false);
  EXPECT_GT(failed, 200);
  EXPECT_LT(failed, 400);
}

}  // namespace
}  // namespace paddock

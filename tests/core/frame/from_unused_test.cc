// SPDX-License-Identifier: Apache-2.0

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/tests/core/frame/frame_world.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;

TEST(FromUnusedTest, TakesTheChosenFrame) {
  FrameWorld world({.pages = 1024, .base = PhysAddr(0x4000)});
  const PhysAddr chosen(0x4000 + 777 * kPageSize);
  {
    auto frame = world.frames().FromUnused(chosen, Untyped{});
    ASSERT_TRUE(frame.ok()) << frame.status();
    EXPECT_EQ(frame->start(), chosen);
    EXPECT_EQ(frame->reference_count(), 1u);
    EXPECT_EQ(world.frames().used_pages(), 1u);
  }
  EXPECT_EQ(world.frames().used_pages(), 0u);
}

TEST(FromUnusedTest, EveryFrameCanBeChosenAndAllMergeAgain) {
  FrameWorld world({.pages = 256, .cpus = 1});
  {
    std::vector<UFrame> held;
    for (uint64_t i = 0; i < 256; ++i) {
      const PhysAddr chosen((i * 97) % 256 * kPageSize);
      auto frame = world.frames().FromUnused(chosen, Untyped{});
      ASSERT_TRUE(frame.ok()) << frame.status();
      held.push_back(*std::move(frame));
    }
  }
  EXPECT_TRUE(world.frames().AllocateSegment(256, 256, Untyped{}, Zeroing::kLeave).ok());
}

TEST(FromUnusedTest, AFrameInUseIsRefused) {
  FrameWorld world;
  UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  auto unique = *world.frames().AllocateUnique(Untyped{}, Zeroing::kLeave);
  for (const PhysAddr address : {frame.start(), unique.start()}) {
    const absl::Status status = world.frames().FromUnused(address, Untyped{}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr("in use"));
  }
  EXPECT_EQ(frame.reference_count(), 1u);
}

TEST(FromUnusedTest, BadAddressesAreRefusedWithTheValue) {
  FrameWorld world({.pages = 16, .base = PhysAddr(0x10000)});
  const absl::Status unaligned = world.frames().FromUnused(PhysAddr(0x10010), Untyped{}).status();
  EXPECT_EQ(unaligned.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(unaligned.message(), HasSubstr("0x10010"));
  for (const uint64_t address : {0x0ul, 0xf000ul, 0x20000ul, ~0xffful}) {
    const absl::Status outside = world.frames().FromUnused(PhysAddr(address), Untyped{}).status();
    EXPECT_EQ(outside.code(), absl::StatusCode::kOutOfRange);
    EXPECT_THAT(outside.message(), HasSubstr("outside"));
  }
}

TEST(FromUnusedTest, AFrameInAMagazineIsUnavailableUntilItIsDrained) {
  FrameWorld world({.pages = 4096});
  PhysAddr address;
  {
    const CpuPin pin = *world.cpus().Pin(CpuId{0});
    UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
    address = frame.start();
  }
  EXPECT_EQ(world.frames().FromUnused(address, Untyped{}).status().code(),
            absl::StatusCode::kUnavailable);
  world.allocator().DrainMagazines();
  EXPECT_TRUE(world.frames().FromUnused(address, Untyped{}).ok());
}

}  // namespace
}  // namespace paddock

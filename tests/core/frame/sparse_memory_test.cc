// SPDX-License-Identifier: Apache-2.0
//
// Physical memory far larger than the host's costs only what is touched.

#include <cstdint>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "paddock/tests/core/frame/frame_world.h"

namespace paddock {
namespace {

uint64_t ResidentBytes() {
  uint64_t total = 0;
  uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * kPageSize;
}

constexpr uint64_t kSparsePages = uint64_t{64} << 30 >> kPageBits;

TEST(SparseMemoryTest, ReservingSixtyFourGibibytesTouchesAlmostNothing) {
  const uint64_t before = ResidentBytes();
  ASSERT_GT(before, 0u);
  FrameWorld world({.pages = kSparsePages});
  EXPECT_EQ(world.frames().total_pages(), kSparsePages);
  EXPECT_LT(ResidentBytes() - before, uint64_t{4} << 20);
}

TEST(SparseMemoryTest, UsingALittleOfItCostsALittle) {
  FrameWorld world({.pages = kSparsePages});
  const uint64_t before = ResidentBytes();
  auto gibibyte =
      world.frames().AllocateSegment(uint64_t{1} << 9, 1 << 18, Untyped{}, Zeroing::kLeave);
  ASSERT_TRUE(gibibyte.ok()) << gibibyte.status();
  UFrame last = *world.frames().FromUnused(PhysAddr((kSparsePages - 1) * kPageSize), Untyped{});
  last.Data()[kPageSize - 1] = std::byte{1};
  EXPECT_EQ(world.frames().used_pages(), 513u);
  EXPECT_LT(ResidentBytes() - before, uint64_t{4} << 20);
}

}  // namespace
}  // namespace paddock

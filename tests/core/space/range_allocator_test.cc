// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/range_allocator.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr uint64_t kBase = 0xffff'fe00'0000'0000;

VirtRange Pages(uint64_t first, uint64_t count) {
  return VirtRange{VirtAddr(kBase + first * kPageSize),
                   VirtAddr(kBase + (first + count) * kPageSize)};
}

TEST(RangeAllocator, HandsOutTheWholeWindowAndNoMore) {
  RangeAllocator addresses(Pages(0, 8));
  EXPECT_EQ(Must(addresses.Allocate(3 * kPageSize)), Pages(0, 3));
  EXPECT_EQ(Must(addresses.Allocate(5 * kPageSize)), Pages(3, 5));
  EXPECT_EQ(addresses.free_bytes(), 0u);
  EXPECT_TRUE(Refused(addresses.Allocate(kPageSize), StatusCode::kResourceExhausted, {"0x1000"}));
  addresses.Free(Pages(2, 2));
  EXPECT_EQ(Must(addresses.Allocate(2 * kPageSize)), Pages(2, 2));
}

TEST(RangeAllocator, AnErrorNamesTheLargestFreeRangeAndChangesNothing) {
  RangeAllocator addresses(Pages(0, 8));
  Must(addresses.Allocate(8 * kPageSize));
  addresses.Free(Pages(1, 2));
  addresses.Free(Pages(5, 1));
  EXPECT_TRUE(Refused(addresses.Allocate(3 * kPageSize), StatusCode::kResourceExhausted,
                      {"no 0x3000 free", "0x3000 in 2 ranges", "largest has 0x2000"}));
  EXPECT_EQ(addresses.free_bytes(), 3 * kPageSize);
  EXPECT_TRUE(IsOk(addresses.CheckInvariants()));
}

TEST(RangeAllocator, RefusesSizesAndAlignmentsThatAreNone) {
  RangeAllocator addresses(Pages(0, 8));
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, kPageSize + 8}) {
    EXPECT_TRUE(Refused(addresses.Allocate(bytes), StatusCode::kInvalidArgument));
  }
  for (const RangeAlignment& alignment :
       {RangeAlignment{.bytes = 0}, RangeAlignment{.bytes = 2048}, RangeAlignment{.bytes = 0x3000},
        RangeAlignment{.at = 8}}) {
    EXPECT_TRUE(Refused(addresses.Allocate(kPageSize, alignment), StatusCode::kInvalidArgument,
                        {"power of two"}));
  }
  for (const uint64_t bytes : {uint64_t{1} << 52, ~uint64_t{0xfff}}) {
    EXPECT_TRUE(Refused(addresses.Allocate(bytes, {.bytes = uint64_t{1} << 63}),
                        StatusCode::kResourceExhausted));
  }
  EXPECT_EQ(addresses.free_bytes(), 8 * kPageSize);
}

TEST(RangeAllocator, TakesTheSmallestRangeThatHoldsTheRequest) {
  RangeAllocator addresses(Pages(0, 32));
  Must(addresses.Allocate(32 * kPageSize));
  addresses.Free(Pages(1, 8));
  addresses.Free(Pages(12, 3));
  addresses.Free(Pages(20, 4));
  EXPECT_EQ(Must(addresses.Allocate(3 * kPageSize)), Pages(12, 3));
  EXPECT_EQ(Must(addresses.Allocate(3 * kPageSize)), Pages(20, 3));
  EXPECT_EQ(Must(addresses.Allocate(3 * kPageSize)), Pages(1, 3));
}

TEST(RangeAllocator, FreeNeighboursGrowTogetherFromEitherSide) {
  for (const auto& order : {std::vector<uint64_t>{0, 1, 2}, std::vector<uint64_t>{2, 1, 0},
                            std::vector<uint64_t>{0, 2, 1}, std::vector<uint64_t>{1, 0, 2}}) {
    RangeAllocator addresses(Pages(0, 9));
    Must(addresses.Allocate(9 * kPageSize));
    for (const uint64_t part : order) {
      addresses.Free(Pages(part * 3, 3));
      EXPECT_TRUE(IsOk(addresses.CheckInvariants()));
    }
    EXPECT_EQ(addresses.free_ranges(), 1u);
    EXPECT_EQ(Must(addresses.Allocate(9 * kPageSize)), Pages(0, 9));
  }
}

TEST(RangeAllocator, AlignsAPlaceInsideTheRange) {
  RangeAllocator addresses(Pages(3, 100));
  EXPECT_EQ(Must(addresses.Allocate(kPageSize, {.bytes = 16 * kPageSize})), Pages(16, 1));
  // One guard page, then what is aligned.
  EXPECT_EQ(Must(addresses.Allocate(5 * kPageSize, {.bytes = 16 * kPageSize, .at = kPageSize})),
            Pages(31, 5));
  // The same place, said differently.
  EXPECT_EQ(
      Must(addresses.Allocate(5 * kPageSize, {.bytes = 16 * kPageSize, .at = 33 * kPageSize})),
      Pages(47, 5));
  EXPECT_TRUE(IsOk(addresses.CheckInvariants()));
}

TEST(RangeAllocator, FindsTheOneAlignedPlaceAmongMany) {
  RangeAllocator addresses(Pages(0, 64));
  Must(addresses.Allocate(64 * kPageSize));
  for (uint64_t first = 1; first < 64; first += 8) addresses.Free(Pages(first, 5));
  EXPECT_TRUE(Refused(addresses.Allocate(4 * kPageSize, {.bytes = 8 * kPageSize}),
                      StatusCode::kResourceExhausted));
  addresses.Free(Pages(24, 1));
  EXPECT_EQ(Must(addresses.Allocate(4 * kPageSize, {.bytes = 8 * kPageSize})), Pages(24, 4));
}

TEST(RangeAllocator, AWindowMayReachTheTopOfAllAddresses) {
  const VirtRange window{VirtAddr(0 - 4 * kPageSize), VirtAddr(0)};
  RangeAllocator addresses(window);
  EXPECT_EQ(Must(addresses.Allocate(4 * kPageSize)), window);
  addresses.Free({window.start.Plus(2 * kPageSize), VirtAddr(0)});
  EXPECT_TRUE(IsOk(addresses.CheckInvariants()));
  EXPECT_EQ(Must(addresses.Allocate(2 * kPageSize)).end, VirtAddr(0));
  addresses.Free(window);
  EXPECT_EQ(addresses.free_bytes(), 4 * kPageSize);
}

TEST(RangeAllocatorDeathTest, FreeingWhatIsFreeStopsTheProcess) {
  RangeAllocator addresses(Pages(0, 8));
  Must(addresses.Allocate(4 * kPageSize));
  EXPECT_DEATH(addresses.Free(Pages(4, 1)), "freed that are free");
  EXPECT_DEATH(addresses.Free(Pages(3, 2)), "freed that are free");
  EXPECT_DEATH(addresses.Free(Pages(8, 1)), "not of this window");
}

// Against a bitmap of the window: what is handed out was free, is aligned, and is refused only if
// there is no place.
TEST(RangeAllocator, AgreesWithABitmap) {
  constexpr uint64_t kPages = 200;
  std::mt19937_64 random(TestSeed());
  RangeAllocator addresses(Pages(0, kPages));
  std::vector<bool> used(kPages);
  std::vector<VirtRange> held;
  const auto number = [](VirtAddr va) { return (va.value() - kBase) / kPageSize; };
  const auto is_free = [&](uint64_t first, uint64_t count) {
    return first + count <= kPages &&
           std::none_of(used.begin() + first, used.begin() + first + count,
                        [](bool u) { return u; });
  };
  int refused = 0;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 2 == 0 || held.empty()) {
      const uint64_t count = 1 + random() % 12;
      const uint64_t align = uint64_t{1} << (random() % 5);
      const uint64_t at = random() % (2 * align);
      const auto range =
          addresses.Allocate(count * kPageSize, {.bytes = align * kPageSize, .at = at * kPageSize});
      const auto has_place = [&](uint64_t first) {
        return (first + at) % align == 0 && is_free(first, count);
      };
      if (!range.ok()) {
        ++refused;
        for (uint64_t first = 0; first < kPages; ++first) ASSERT_FALSE(has_place(first)) << first;
        continue;
      }
      ASSERT_EQ(range->size(), count * kPageSize);
      ASSERT_TRUE(has_place(number(range->start)));
      std::fill_n(used.begin() + number(range->start), count, true);
      held.push_back(*range);
    } else {
      std::swap(held[random() % held.size()], held.back());
      const VirtRange range = held.back();
      held.pop_back();
      // Sometimes in two pieces.
      const uint64_t pages = range.size() / kPageSize;
      const VirtAddr middle = range.start.Plus(random() % pages * kPageSize);
      if (middle != range.start) addresses.Free({range.start, middle});
      addresses.Free({middle, range.end});
      std::fill_n(used.begin() + number(range.start), pages, false);
    }
    ASSERT_TRUE(IsOk(addresses.CheckInvariants()));
    const auto in_use = static_cast<uint64_t>(std::count(used.begin(), used.end(), true));
    ASSERT_EQ(addresses.free_bytes(), (kPages - in_use) * kPageSize);
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/arch/address.h"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <vector>

#include "gtest/gtest.h"

namespace paddock {
namespace {

constexpr uint64_t kTop = ~uint64_t{0};

TEST(StrongAddress, DoesNotConvertBetweenKindsOrFromNumbers) {
  static_assert(!std::convertible_to<uint64_t, VirtAddr>);
  static_assert(!std::convertible_to<VirtAddr, PhysAddr>);
  static_assert(!std::constructible_from<VirtAddr, PhysAddr>);
  EXPECT_EQ(VirtAddr(), VirtAddr(0));
  EXPECT_LT(VirtAddr(1), VirtAddr(2));
}

TEST(StrongAddress, AlignsDownAndTellsThePage) {
  EXPECT_EQ(VirtAddr(0x1fff).AlignDown(kPageSize), VirtAddr(0x1000));
  EXPECT_EQ(VirtAddr(kTop).AlignDown(uint64_t{1} << 63), VirtAddr(uint64_t{1} << 63));
  EXPECT_TRUE(VirtAddr(0x2000).IsAligned(kPageSize));
  EXPECT_FALSE(VirtAddr(0x2001).IsAligned(kPageSize));
  EXPECT_EQ(PhysAddr(0x5fff).PageNumber(), 5u);
}

TEST(StrongAddress, CheckedAlignUpStopsAtTheTop) {
  EXPECT_EQ(VirtAddr(0).CheckedAlignUp(kPageSize), VirtAddr(0));
  EXPECT_EQ(VirtAddr(1).CheckedAlignUp(kPageSize), VirtAddr(0x1000));
  EXPECT_EQ(VirtAddr(0x1000).CheckedAlignUp(kPageSize), VirtAddr(0x1000));
  EXPECT_EQ(VirtAddr(kTop - 0xfff).CheckedAlignUp(kPageSize), VirtAddr(kTop - 0xfff));
  EXPECT_EQ(VirtAddr(kTop - 0xffe).CheckedAlignUp(kPageSize), std::nullopt);
  EXPECT_EQ(VirtAddr(kTop).CheckedAlignUp(1), VirtAddr(kTop));
}

TEST(StrongAddress, CheckedAddStopsAtTheTop) {
  EXPECT_EQ(VirtAddr(kTop - 1).CheckedAdd(1), VirtAddr(kTop));
  EXPECT_EQ(VirtAddr(kTop).CheckedAdd(0), VirtAddr(kTop));
  EXPECT_EQ(VirtAddr(kTop).CheckedAdd(1), std::nullopt);
  EXPECT_EQ(VirtAddr(1).CheckedAdd(kTop), std::nullopt);
}

TEST(StrongAddress, PlusReachesTheEndOfTheLastRange) {
  EXPECT_EQ(VirtAddr(0x1000).Plus(0x234), VirtAddr(0x1234));
  EXPECT_EQ(VirtAddr(kTop - 0xfff).Plus(kPageSize), VirtAddr(0));
}

TEST(AddressRange, KnowsEmptyAndReversed) {
  EXPECT_TRUE((VirtRange{VirtAddr(0), VirtAddr(0)}).IsEmpty());
  EXPECT_FALSE((VirtRange{VirtAddr(0), VirtAddr(0)}).IsReversed());
  EXPECT_TRUE((VirtRange{VirtAddr(7), VirtAddr(7)}).IsEmpty());
  EXPECT_TRUE((VirtRange{VirtAddr(0x2000), VirtAddr(0x1000)}).IsReversed());
  EXPECT_FALSE((VirtRange{VirtAddr(0x1000), VirtAddr(0x2000)}).IsReversed());
}

TEST(AddressRange, EndZeroMeansTheVeryTop) {
  const VirtRange range{VirtAddr(kTop - 0xfff), VirtAddr(0)};
  EXPECT_FALSE(range.IsEmpty());
  EXPECT_FALSE(range.IsReversed());
  EXPECT_EQ(range.size(), kPageSize);
  EXPECT_EQ(range.last(), VirtAddr(kTop));
  EXPECT_TRUE(range.Contains(VirtAddr(kTop)));
  EXPECT_FALSE(range.Contains(VirtAddr(0)));
  EXPECT_FALSE(range.Contains(VirtRange{VirtAddr(0), VirtAddr(0)}));
  EXPECT_TRUE(range.IsAligned(kPageSize));
}

TEST(AddressRange, IsAlignedLooksAtBothEnds) {
  EXPECT_FALSE((VirtRange{VirtAddr(0x1000), VirtAddr(0x2fff)}).IsAligned(kPageSize));
  EXPECT_FALSE((VirtRange{VirtAddr(0x1001), VirtAddr(0x3000)}).IsAligned(kPageSize));
  EXPECT_TRUE((VirtRange{VirtAddr(0x1000), VirtAddr(0x3000)}).IsAligned(kPageSize));
}

TEST(AddressRange, FromStartSizeRefusesToPassTheTop) {
  EXPECT_EQ(VirtRange::FromStartSize(VirtAddr(0), 0), (VirtRange{VirtAddr(0), VirtAddr(0)}));
  EXPECT_EQ(VirtRange::FromStartSize(VirtAddr(8), 0), (VirtRange{VirtAddr(8), VirtAddr(8)}));
  EXPECT_EQ(VirtRange::FromStartSize(VirtAddr(0), kTop), (VirtRange{VirtAddr(0), VirtAddr(kTop)}));
  EXPECT_EQ(VirtRange::FromStartSize(VirtAddr(kTop), 1), (VirtRange{VirtAddr(kTop), VirtAddr(0)}));
  EXPECT_EQ(VirtRange::FromStartSize(VirtAddr(1), kTop), (VirtRange{VirtAddr(1), VirtAddr(0)}));
  EXPECT_EQ(VirtRange::FromStartSize(VirtAddr(kTop), 2), std::nullopt);
  EXPECT_EQ(VirtRange::FromStartSize(VirtAddr(2), kTop), std::nullopt);
}

// Every range over these corners, against arithmetic that is wide enough not to wrap.
class AllCornerRanges : public testing::Test {
 protected:
  using Wide = unsigned __int128;

  struct Interval {  // [from, to), never wrapping; from >= to holds nothing
    Wide from;
    Wide to;
  };

  AllCornerRanges() {
    for (const uint64_t start : kCorners) {
      for (const uint64_t end : kCorners) {
        ranges_.push_back(VirtRange{VirtAddr(start), VirtAddr(end)});
      }
    }
  }

  static Interval Widen(const VirtRange& range) {
    const bool to_top = range.end.value() == 0 && range.start.value() != 0;
    return {range.start.value(), to_top ? Wide{1} << 64 : range.end.value()};
  }

  const std::vector<uint64_t> kCorners = {
      0,        1,   2, 0xfff, 0x1000, (uint64_t{1} << 63) - 1, uint64_t{1} << 63, kTop - 0xfff,
      kTop - 1, kTop};
  std::vector<VirtRange> ranges_;
};

TEST_F(AllCornerRanges, ContainExactlyTheirAddresses) {
  for (const VirtRange& range : ranges_) {
    const Interval wide = Widen(range);
    EXPECT_EQ(range.IsEmpty(), wide.from == wide.to);
    EXPECT_EQ(range.IsReversed(), wide.from > wide.to);
    for (const uint64_t addr : kCorners) {
      EXPECT_EQ(range.Contains(VirtAddr(addr)), wide.from <= addr && addr < wide.to);
    }
  }
}

TEST_F(AllCornerRanges, ContainIntersectAndCutLikeIntervals) {
  for (const VirtRange& a : ranges_) {
    for (const VirtRange& b : ranges_) {
      const Interval x = Widen(a);
      const Interval y = Widen(b);
      EXPECT_EQ(a.Contains(b), y.from <= y.to && x.from <= y.from && y.to <= x.to)
          << a.start.value() << ".." << a.end.value() << " / " << b.start.value() << ".."
          << b.end.value();
      const Interval cut{std::max(x.from, y.from), std::min(x.to, y.to)};
      EXPECT_EQ(a.Intersects(b), cut.from < cut.to);
      const VirtRange both = a.Intersection(b);
      EXPECT_EQ(both.IsEmpty(), cut.from >= cut.to);
      if (cut.from < cut.to) {
        EXPECT_TRUE(Widen(both).from == cut.from && Widen(both).to == cut.to);
        EXPECT_TRUE(both.size() == static_cast<uint64_t>(cut.to - cut.from));
      }
    }
  }
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Kernel areas and the sizes of their pages: the largest that fit, and what a split does to them.

#include <cstdint>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/core/space/kvirt_area.h"
#include "paddock/tests/support/kernel_fixture.h"

namespace paddock {
namespace {

constexpr uint64_t kHuge = 512 * kPageSize;
constexpr PhysAddr kDevice{uint64_t{1} << 40};

class KVirtAreaPages : public KernelAreaTest {
 protected:
  KVirtAreaPages() : KernelAreaTest(SmallWindow(uint64_t{4} << 18)) {}  // 4 GiB
  int LevelAt(VirtAddr va) {
    const std::optional<Translation> found = Walk(va);
    return found ? found->item.level : 0;
  }
};

TEST_F(KVirtAreaPages, UntrackedMemoryIsMappedWithTheLargestPagesThatFit) {
  // 2 MiB and a page before a GiB, the GiB, and a page behind.
  const PhysAddr gib(uint64_t{3} << 40);
  const PhysRange memory{PhysAddr(gib.value() - kHuge - kPageSize),
                         gib.Plus((uint64_t{1} << 30) + kPageSize)};
  const KVirtArea area = Must(KVirtArea::MapUntracked(
      machine(), pin(), memory.size() + 2 * kPageSize, kPageSize, memory, kReadKernel));
  const auto at = [&](PhysAddr address) {
    return area.range().start.Plus(kPageSize + address.value() - memory.start.value());
  };
  EXPECT_EQ(LevelAt(at(memory.start)), 1);
  EXPECT_EQ(LevelAt(at(memory.start.Plus(kPageSize))), 2);
  EXPECT_EQ(LevelAt(at(gib)), 3);
  EXPECT_EQ(LevelAt(at(gib.Plus(uint64_t{1} << 30))), 1);
  for (const PhysAddr address : {memory.start, gib, memory.last().AlignDown(kPageSize)}) {
    EXPECT_EQ(FrameAt(at(address)), address);
  }
}

TEST_F(KVirtAreaPages, TrackedSegmentsAreMappedWithTheLargestPagesThatFit) {
  USegment frames = NewFrames(512 + 2, 512);
  const PhysAddr first = frames.start();
  const KVirtArea area = Must(KVirtArea::MapFrames(machine(), pin(), kHuge + 4 * kPageSize,
                                                   kPageSize, std::move(frames), kReadKernel));
  EXPECT_EQ(LevelAt(area.range().start.Plus(kPageSize)), 2);
  EXPECT_EQ(LevelAt(area.range().start.Plus(kPageSize + kHuge)), 1);
  EXPECT_EQ(References(first), 1u);
  EXPECT_EQ(References(first.Plus(513 * kPageSize)), 1u);
}

TEST_F(KVirtAreaPages, SmallPagesDoWhereNoAddressesFitTheLargeOnes) {
  // Leaves three MiB, of which the last two are aligned to a huge page.
  const uint64_t rest = 3 * kHuge / 2;
  const KVirtArea most =
      Must(KVirtArea::MapFrames(machine(), pin(), kernel().layout().dynamic_window.size() - rest, 0,
                                USegment(), kReadKernel));
  const PhysRange memory{kDevice, kDevice.Plus(rest - 16 * kPageSize)};
  const KVirtArea area =
      Must(KVirtArea::MapUntracked(machine(), pin(), memory.size(), 0, memory, kReadKernel));
  EXPECT_EQ(LevelAt(area.range().start), 1);
  EXPECT_EQ(FrameAt(area.range().start.Plus(kHuge)), kDevice.Plus(kHuge));
}

TEST_F(KVirtAreaPages, AHugePageTakesThePlaceOfATableThatSmallPagesLeft) {
  KVirtArea small = NewArea(pin(), 1);
  const VirtAddr start = small.range().start;
  EXPECT_TRUE(IsOk(small.Destroy(pin())));
  kernel().FlushDestroyedAreas(pin());
  const KVirtArea huge = Must(KVirtArea::MapUntracked(machine(), pin(), kHuge, 0,
                                                      {kDevice, kDevice.Plus(kHuge)}, kReadKernel));
  EXPECT_EQ(huge.range().start, start);
  EXPECT_EQ(LevelAt(start), 2);
}

TEST_F(KVirtAreaPages, SplitBreaksAHugePageAtTheBorderOnlyAndDestructionCannotFailAfterwards) {
  for (const uint64_t border : {uint64_t{1}, uint64_t{511}, uint64_t{512}, uint64_t{513}}) {
    KVirtArea low =
        Must(KVirtArea::MapUntracked(machine(), pin(), uint64_t{1} << 30, 0,
                                     {kDevice, kDevice.Plus(uint64_t{1} << 30)}, kReadWriteKernel));
    ASSERT_EQ(LevelAt(low.range().start), 3);
    const VirtAddr start = low.range().start;
    const VirtAddr middle = start.Plus(border * kPageSize);
    KVirtArea high = Must(low.Split(pin(), border * kPageSize));
    for (const VirtAddr va : {start, middle, VirtAddr(high.range().end.value() - kPageSize)}) {
      EXPECT_EQ(FrameAt(va), kDevice.Plus(va.value() - start.value()));
    }
    EXPECT_EQ(LevelAt(middle), border == 512 ? 2 : 1);
    EXPECT_EQ(LevelAt(start.Plus(2 * kHuge)), 2) << "split no further than needed";
    EXPECT_TRUE(IsOk(low.Destroy(pin())));
    EXPECT_FALSE(Walk(VirtAddr(middle.value() - kPageSize)));
    EXPECT_EQ(FrameAt(middle), kDevice.Plus(border * kPageSize));
  }
}

}  // namespace
}  // namespace paddock

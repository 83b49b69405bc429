// SPDX-License-Identifier: Apache-2.0
//
// Kernel areas, one call at a time: what is mapped where, what is refused, who owns the frames.

#include "paddock/core/space/kvirt_area.h"

#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/kernel_fixture.h"
#include "paddock/tests/support/parallel.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr PhysAddr kDevice{uint64_t{1} << 40};

class KVirtAreaTest : public KernelAreaTest {
 protected:
  KernelSpaceStats Flushed() {
    kernel().FlushDestroyedAreas(pin());
    return kernel().stats();
  }
};

TEST_F(KVirtAreaTest, MapsFramesFromTheOffsetOnAndLeavesGuards) {
  USegment frames = NewFrames(3);
  const PhysAddr first = frames.start();
  const KVirtArea area = Must(KVirtArea::MapFrames(machine(), pin(), 5 * kPageSize, kPageSize,
                                                   std::move(frames), kReadWriteKernel));
  EXPECT_TRUE(frames.empty());  // NOLINT(bugprone-use-after-move): consumed
  EXPECT_EQ(area.range().size(), 5 * kPageSize);
  EXPECT_FALSE(Walk(area.range().start));
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(FrameAt(area.range().start.Plus((i + 1) * kPageSize)), first.Plus(i * kPageSize));
  }
  EXPECT_FALSE(Walk(area.range().start.Plus(4 * kPageSize)));
  EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
}

TEST_F(KVirtAreaTest, MapsSingleFramesInTheirOrder) {
  std::vector<UFrame> list;
  for (int i = 0; i < 4; ++i) list.push_back(NewFrame());
  std::swap(list[0], list[3]);
  std::vector<PhysAddr> addresses;
  for (const UFrame& frame : list) addresses.push_back(frame.start());
  const KVirtArea area = Must(
      KVirtArea::MapFrames(machine(), pin(), 4 * kPageSize, 0, absl::MakeSpan(list), kReadKernel));
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(list[i].empty());
    EXPECT_EQ(FrameAt(area.range().start.Plus(i * kPageSize)), addresses[i]);
  }
}

TEST_F(KVirtAreaTest, AnAreaWithoutFramesIsAReservation) {
  KVirtArea area =
      Must(KVirtArea::MapFrames(machine(), pin(), 4 * kPageSize, 0, USegment(), kReadWriteKernel));
  EXPECT_FALSE(Walk(area.range().start));
  {
    // Its owner maps there with a cursor.
    auto cursor = Must(kernel().table().OpenCursorMut(pin(), area.range()));
    Must(cursor.Map(KernelItem(NewFrame(), kReadWriteKernel)));
  }
  EXPECT_TRUE(IsOk(machine().KernelStore(pin(), area.range().start, 1)));
  EXPECT_TRUE(IsOk(area.Destroy(pin())));
  EXPECT_FALSE(Walk(kWindowStart));
}

TEST_F(KVirtAreaTest, FramesAreOwnedUntilTheFlushAndTheGracePeriod) {
  UFrame frame = NewFrame();
  const PhysAddr address = frame.start();
  const UFrame mine = Must(frame.Clone());
  KVirtArea area = Must(KVirtArea::MapFrames(machine(), pin(), kPageSize, 0,
                                             absl::MakeSpan(&frame, 1), kReadWriteKernel));
  EXPECT_EQ(References(address), 2u);
  EXPECT_TRUE(IsOk(area.Destroy(pin())));
  EXPECT_TRUE(area.empty());
  EXPECT_FALSE(Walk(kWindowStart)) << "unmapped at once";
  for (int i = 0; i < 100; ++i) machine().Poll(pin());
  EXPECT_EQ(References(address), 2u) << "released before any flush";
  EXPECT_EQ(kernel().stats().quarantined_pages, 1u);
  kernel().FlushDestroyedAreas(pin());
  machine().rcu().Drain(pin());
  EXPECT_EQ(References(address), 1u);
  EXPECT_EQ(kernel().stats().quarantined_pages, 0u);
}

TEST_F(KVirtAreaTest, UntrackedMemoryIsMappedWhereverItIs) {
  PageProperty uncached = kReadWriteKernel;
  uncached.cache = CachePolicy::kUncacheable;
  const UFrame frame = NewFrame();
  for (const PhysAddr at : {kDevice, frame.start()}) {
    const KVirtArea area = Must(KVirtArea::MapUntracked(machine(), pin(), 2 * kPageSize, kPageSize,
                                                        {at, at.Plus(kPageSize)}, uncached));
    const auto found = Must(area.Query(pin(), area.range().start.Plus(kPageSize + 8)));
    ASSERT_TRUE(found.item);
    EXPECT_EQ(found.item->untracked, (PhysRange{at, at.Plus(kPageSize)}));
    EXPECT_EQ(found.item->property, uncached);
    EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
  }
  EXPECT_EQ(References(frame.start()), 1u);
}

TEST_F(KVirtAreaTest, QueryFindsWhatIsMappedThereAndCountsIt) {
  USegment frames = NewFrames(1);
  const PhysAddr address = frames.start();
  const KVirtArea area = Must(KVirtArea::MapFrames(machine(), pin(), 2 * kPageSize, kPageSize,
                                                   std::move(frames), kReadKernel));
  {
    const auto found = Must(area.Query(pin(), area.range().start.Plus(kPageSize + 17)));
    EXPECT_EQ(found.item->frames.start(), address);
    EXPECT_EQ(found.item->property, kReadKernel);
    EXPECT_EQ(References(address), 2u);
  }
  EXPECT_EQ(References(address), 1u);
  EXPECT_FALSE(Must(area.Query(pin(), area.range().start)).item) << "a guard";
  for (const VirtAddr outside : {VirtAddr(area.range().start.value() - 1), area.range().end}) {
    EXPECT_TRUE(Refused(area.Query(pin(), outside), StatusCode::kOutOfRange, {"outside"}));
  }
}

TEST_F(KVirtAreaTest, SplitMakesTwoAreasOfOne) {
  KVirtArea low = NewArea(pin(), 4);
  const VirtRange whole = low.range();
  const PhysAddr third = FrameAt(whole.start.Plus(2 * kPageSize));
  KVirtArea high = Must(low.Split(pin(), 2 * kPageSize));
  EXPECT_EQ(low.range(), (VirtRange{whole.start, whole.start.Plus(2 * kPageSize)}));
  EXPECT_EQ(high.range(), (VirtRange{whole.start.Plus(2 * kPageSize), whole.end}));
  EXPECT_EQ(kernel().stats().areas, 2u);
  EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
  EXPECT_TRUE(IsOk(low.Destroy(pin())));
  EXPECT_EQ(FrameAt(high.range().start), third) << "the other half stays";
  EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
  EXPECT_TRUE(Refused(low.Query(pin(), whole.start), StatusCode::kOutOfRange));
}

TEST_F(KVirtAreaTest, SplitRefusesWhatLeavesASideEmpty) {
  KVirtArea area = NewArea(pin(), 4);
  EXPECT_TRUE(Refused(area.Split(pin(), 0), StatusCode::kOutOfRange, {"0"}));
  EXPECT_TRUE(Refused(area.Split(pin(), 4 * kPageSize), StatusCode::kOutOfRange, {"0x4000"}));
  EXPECT_TRUE(Refused(area.Split(pin(), 8), StatusCode::kInvalidArgument, {"0x8"}));
  EXPECT_EQ(area.range().size(), 4 * kPageSize);
  EXPECT_EQ(kernel().stats().areas, 1u);
}

TEST_F(KVirtAreaTest, WrongSizesAreRefusedAndChangeNothing) {
  const struct {
    uint64_t area_size;
    uint64_t map_offset;
  } cases[] = {{0, 0},
               {kPageSize + 1, 0},
               {3 * kPageSize, 8},
               {2 * kPageSize, kPageSize},
               {2 * kPageSize, 3 * kPageSize},
               {kPageSize, ~uint64_t{0xfff}}};
  USegment frames = NewFrames(2);
  const PhysRange device{kDevice, kDevice.Plus(2 * kPageSize)};
  for (const auto& c : cases) {
    EXPECT_TRUE(Refused(KVirtArea::MapFrames(machine(), pin(), c.area_size, c.map_offset,
                                             std::move(frames), kReadKernel),
                        StatusCode::kInvalidArgument));
    EXPECT_TRUE(Refused(
        KVirtArea::MapUntracked(machine(), pin(), c.area_size, c.map_offset, device, kReadKernel),
        StatusCode::kInvalidArgument));
  }
  EXPECT_EQ(frames.pages(), 2u);  // NOLINT(bugprone-use-after-move): untouched
  EXPECT_EQ(kernel().stats().free_pages, kWindowPages);
  EXPECT_EQ(kernel().stats().destroyed, 0u);
}

TEST_F(KVirtAreaTest, WrongItemsAreRefusedAndChangeNothing) {
  const auto untracked = [&](uint64_t start, uint64_t end, PageProperty property) {
    return KVirtArea::MapUntracked(machine(), pin(), 4 * kPageSize, 0,
                                   {PhysAddr(start), PhysAddr(end)}, property);
  };
  EXPECT_TRUE(Refused(untracked(0x1000, 0x1000, kReadKernel), StatusCode::kInvalidArgument));
  EXPECT_TRUE(Refused(untracked(0x2000, 0x1000, kReadKernel), StatusCode::kInvalidArgument));
  EXPECT_TRUE(Refused(untracked(0x1008, 0x2000, kReadKernel), StatusCode::kInvalidArgument));
  const uint64_t too_wide = uint64_t{1} << 52;
  EXPECT_TRUE(Refused(untracked(too_wide - kPageSize, too_wide + kPageSize, kReadKernel),
                      StatusCode::kInvalidArgument, {"more bits"}));
  EXPECT_TRUE(Refused(untracked(0 - 2 * kPageSize, 0, kReadKernel), StatusCode::kInvalidArgument));
  EXPECT_TRUE(Refused(untracked(0x1000, 0x2000, PageProperty{PageFlags::kWrite}),
                      StatusCode::kInvalidArgument, {"flags"}));
  PageProperty reserved = kReadKernel;
  reserved.software = kUntrackedSoftwareBit;
  EXPECT_TRUE(Refused(untracked(0x1000, 0x2000, reserved), StatusCode::kInvalidArgument,
                      {"software bits 0x1"}));
  USegment frames = NewFrames(1);
  EXPECT_TRUE(
      Refused(KVirtArea::MapFrames(machine(), pin(), kPageSize, 0, std::move(frames), reserved),
              StatusCode::kInvalidArgument));
  EXPECT_EQ(frames.pages(), 1u);  // NOLINT(bugprone-use-after-move): untouched

  auto other = Must(Machine::Create({}));
  USegment foreign = Must(other->frames().AllocateSegment(1, 1, Untyped{}, Zeroing::kLeave));
  EXPECT_TRUE(
      Refused(KVirtArea::MapFrames(machine(), pin(), kPageSize, 0, std::move(foreign), kReadKernel),
              StatusCode::kInvalidArgument, {"another machine"}));
  UFrame none;
  EXPECT_TRUE(Refused(
      KVirtArea::MapFrames(machine(), pin(), kPageSize, 0, absl::MakeSpan(&none, 1), kReadKernel),
      StatusCode::kInvalidArgument, {"empty"}));
  EXPECT_EQ(Flushed().free_pages, kWindowPages);
  EXPECT_EQ(kernel().stats().areas, 0u);
}

TEST_F(KVirtAreaTest, AMovedAreaIsOneArea) {
  KVirtArea first = NewArea(pin(), 2);
  const VirtRange range = first.range();
  KVirtArea second(std::move(first));
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): it says so
  EXPECT_EQ(second.range(), range);
  EXPECT_TRUE(IsOk(first.Destroy(pin()))) << "nothing to destroy";
  second = NewArea(pin(), 3);
  EXPECT_EQ(kernel().stats().areas, 1u);
  EXPECT_FALSE(Walk(range.start)) << "what was assigned over is destroyed";
}

TEST_F(KVirtAreaTest, ADestructorUnmapsOnTheCpuOfItsThread) {
  {
    const KVirtArea area = NewArea(pin(), 2);
  }
  EXPECT_FALSE(Walk(kWindowStart));
  EXPECT_EQ(kernel().stats().areas, 0u);
  EXPECT_EQ(kernel().stats().destroyed, 1u);
}

TEST_F(KVirtAreaTest, ADestructorWithoutACpuLeavesTheAreaToTheNextWhoHasOne) {
  KVirtArea area = NewArea(pin(), 2);
  const VirtRange range = area.range();
  std::thread([&] { const KVirtArea gone = std::move(area); }).join();
  EXPECT_TRUE(Walk(range.start));
  EXPECT_EQ(kernel().stats().areas, 0u) << "nobody owns it";
  EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
  const KVirtArea next = NewArea(pin(), kWindowPages);
  EXPECT_EQ(next.range().start, kWindowStart) << "its addresses are part of the window";
}

TEST_F(KVirtAreaTest, WhoHoldsACursorElsewhereCannotCreateOrDestroyAndLosesNothing) {
  const auto space = NewSpace();
  KVirtArea area = NewArea(pin(), 2);
  std::optional<KVirtArea> dropped = NewArea(pin(), 2);
  const VirtRange dropped_range = dropped->range();
  USegment frames = NewFrames(1);
  {
    auto cursor = Must(space->OpenCursorMut(pin(), Page(1)));
    dropped.reset();
    EXPECT_TRUE(Walk(dropped_range.start)) << "left to whoever can";
    EXPECT_TRUE(Refused(area.Destroy(pin()), StatusCode::kFailedPrecondition, {"holds a cursor"}));
    EXPECT_TRUE(Refused(
        KVirtArea::MapFrames(machine(), pin(), kPageSize, 0, std::move(frames), kReadKernel),
        StatusCode::kFailedPrecondition));
    EXPECT_TRUE(Refused(area.Query(pin(), area.range().start), StatusCode::kFailedPrecondition));
    kernel().FlushDestroyedAreas(pin());
    EXPECT_FALSE(Walk(dropped_range.start)) << "who does not wait may";
  }
  EXPECT_EQ(frames.pages(), 1u);  // NOLINT(bugprone-use-after-move): untouched
  EXPECT_TRUE(Walk(area.range().start));
  EXPECT_TRUE(IsOk(area.Destroy(pin())));
}

TEST_F(KVirtAreaTest, ACursorInADroppedAreaHoldsUpNobodyElse) {
  // A granule of its own, so that its neighbours need none of what the cursor holds.
  std::optional<KVirtArea> dropped = NewArea(pin(), 8);
  const VirtRange range = dropped->range();
  ASSERT_TRUE(range.start.IsAligned(8 * kPageSize));
  {
    const auto cursor = Must(kernel().table().OpenCursorMut(pin(), range));
    dropped.reset();
    CpuThreads threads(machine().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      KVirtArea other = NewArea(cpu, 2);
      EXPECT_TRUE(IsOk(other.Destroy(cpu)));
    });
    threads.Join();
    EXPECT_TRUE(Walk(range.start));
  }
  kernel().FlushDestroyedAreas(pin());
  EXPECT_FALSE(Walk(range.start));
}

TEST_F(KVirtAreaTest, TheMachineTakesUpWhatWasLeftToIt) {
  auto other = Must(Machine::Create({}));
  {
    std::optional<CpuPin> cpu = Must(other->Pin(CpuId{0}));
    UFrame frame = Must(other->frames().Allocate(Untyped{}, Zeroing::kLeave));
    const KVirtArea area = Must(
        KVirtArea::MapFrames(*other, *cpu, kPageSize, 0, absl::MakeSpan(&frame, 1), kReadKernel));
    cpu.reset();
  }
  other.reset();
}

TEST_F(KVirtAreaTest, AnAreaThatOutlivesItsMachineStopsTheProcess) {
  EXPECT_DEATH(
      {
        auto other = Must(Machine::Create({}));
        KVirtArea area = [&] {
          const CpuPin cpu = Must(other->Pin(CpuId{0}));
          return Must(KVirtArea::MapFrames(*other, cpu, kPageSize, 0, USegment(), kReadKernel));
        }();
        other.reset();
      },
      "outlives its machine");
}

}  // namespace
}  // namespace paddock

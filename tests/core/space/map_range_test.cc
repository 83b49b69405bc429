// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/map_range.h"

#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/machine_fixture.h"

namespace paddock {
namespace {

constexpr uint64_t kHuge = 512 * kPageSize;
constexpr VirtAddr kAt(uint64_t{1} << 30);

VirtRange Pages(uint64_t first, uint64_t count) {
  return VirtRange{kAt.Plus(first * kPageSize), kAt.Plus((first + count) * kPageSize)};
}

class MapRangeTest : public MachineTest {
 protected:
  USegment Frames(uint64_t pages) {
    return Must(frames().AllocateSegment(pages, 512, Untyped{}, Zeroing::kLeave));
  }
  int LevelAt(VmSpace& space, VirtAddr va) {
    RcuReadGuard section(machine().rcu(), pin());
    const std::optional<Translation> found = space.Walk(section, va);
    return found ? found->item.level : 0;
  }
};

TEST_F(MapRangeTest, UsesTheLargestPagesThatFit) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  USegment frames = Frames(512 + 3);
  {
    auto cursor = Must(space->OpenCursorMut(pin(), Pages(0, 515)));
    const MapRangeResult done =
        MapRange(cursor, frames, kReadWriteUser, PageSizes::kLargestThatFit);
    EXPECT_TRUE(done.status.ok()) << done.status;
    EXPECT_EQ(done.pages, 515u);
    EXPECT_EQ(cursor.remaining(), 0u);
  }
  EXPECT_TRUE(frames.empty());
  EXPECT_EQ(LevelAt(*space, kAt), 2);
  EXPECT_EQ(LevelAt(*space, kAt.Plus(kHuge)), 1);
}

TEST_F(MapRangeTest, UsesBasePagesIfAsked) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  USegment frames = Frames(512);
  auto cursor = Must(space->OpenCursorMut(pin(), Pages(0, 512)));
  EXPECT_EQ(MapRange(cursor, frames, kReadUser, PageSizes::kBaseOnly).pages, 512u);
  EXPECT_EQ(LevelAt(*space, kAt), 1);
}

TEST_F(MapRangeTest, StopsAtTheEndOfTheRangeAndKeepsTheRest) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  USegment frames = Frames(5);
  const PhysAddr start = frames.start();
  auto cursor = Must(space->OpenCursorMut(pin(), Pages(0, 3)));
  const MapRangeResult done = MapRange(cursor, frames, kReadUser, PageSizes::kBaseOnly);
  EXPECT_EQ(done.status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(done.pages, 3u);
  EXPECT_EQ(frames.pages(), 2u);
  EXPECT_EQ(frames.start(), start.Plus(3 * kPageSize));
}

TEST_F(MapRangeTest, PagesOverTwoTablesAreMappedInTwoRows) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  USegment frames = Frames(6);
  const PhysAddr start = frames.start();
  auto cursor = Must(space->OpenCursorMut(pin(), Pages(509, 6)));
  ASSERT_TRUE(IsOk(MapRange(cursor, frames, kReadUser, PageSizes::kBaseOnly).status));
  EXPECT_EQ(cursor.remaining(), 0u);
  ASSERT_TRUE(cursor.Jump(Pages(509, 6).start).ok());
  for (uint64_t page = 0; page < 6; ++page) {
    const QueryResult found = Must(cursor.Query());
    EXPECT_EQ(found.range, Pages(509 + page, 1));
    ASSERT_TRUE(found.item);
    EXPECT_EQ(found.item->frame, start.Plus(page * kPageSize));
    ASSERT_TRUE(cursor.Jump(found.range.end).ok());
  }
}

TEST_F(MapRangeTest, PagesReplaceWhatWasMapped) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  auto cursor = Must(space->OpenCursorMut(pin(), Pages(0, 512)));
  ASSERT_TRUE(IsOk(cursor.Map(MappedFrames(Frames(512), kReadUser))));
  ASSERT_TRUE(cursor.Jump(kAt.Plus(kPageSize)).ok());
  MappedFrames item(Frames(2), kReadWriteUser);
  const PhysAddr start = item.frames.start();
  ASSERT_TRUE(IsOk(cursor.MapPages(std::move(item))));
  ASSERT_TRUE(cursor.Jump(kAt.Plus(2 * kPageSize)).ok());
  EXPECT_EQ(Must(cursor.Query()).item->frame, start.Plus(kPageSize));
  ASSERT_TRUE(cursor.Jump(kAt.Plus(3 * kPageSize)).ok());
  EXPECT_EQ(Must(cursor.Query()).range, Pages(3, 1));
}

TEST_F(MapRangeTest, PagesThatDoNotFitAreAllKept) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  auto cursor = Must(space->OpenCursorMut(pin(), Pages(510, 4)));
  MappedFrames item(Frames(5), kReadUser);
  EXPECT_TRUE(Refused(cursor.MapPages(std::move(item)), absl::StatusCode::kOutOfRange));
  EXPECT_EQ(item.frames.pages(), 5u);
  EXPECT_EQ(cursor.virt_addr(), Pages(510, 1).start);
  EXPECT_FALSE(Must(cursor.FindNext(4 * kPageSize)));
  ASSERT_TRUE(cursor.Jump(Pages(510, 1).start).ok());
  MappedFrames wide(Frames(3), kReadUser);
  EXPECT_TRUE(Refused(cursor.MapPages(std::move(wide)), absl::StatusCode::kInvalidArgument,
                      {"3 pages", "one table"}));
  MappedFrames none(USegment(), kReadUser);
  EXPECT_TRUE(Refused(cursor.MapPages(std::move(none)), absl::StatusCode::kInvalidArgument));
}

TEST_F(MapRangeTest, MapsSingleFramesAndLeavesTheUnmappedOnes) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  std::vector<UFrame> list;
  list.reserve(3);
  for (int i = 0; i < 3; ++i) {
    list.push_back(Must(frames().Allocate(Untyped{}, Zeroing::kLeave)));
  }
  const PhysAddr last = list[2].start();
  auto cursor = Must(space->OpenCursorMut(pin(), Pages(0, 2)));
  const MapRangeResult done = MapRange(cursor, absl::MakeSpan(list), kReadUser);
  EXPECT_EQ(done.status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(done.pages, 2u);
  EXPECT_EQ(list[2].start(), last);
}

TEST_F(MapRangeTest, EmptyHandlesAndFramesOfAnotherMachineAreRefused) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  auto cursor = Must(space->OpenCursorMut(pin(), Pages(0, 1)));
  UFrame none;
  EXPECT_EQ(MapRange(cursor, absl::MakeSpan(&none, 1), kReadUser).status.code(),
            absl::StatusCode::kInvalidArgument);
  auto other = Must(Machine::Create({.cpus = 1, .memory_bytes = uint64_t{16} << 20}));
  UFrame foreign = Must(other->frames().Allocate(Untyped{}, Zeroing::kLeave));
  EXPECT_EQ(MapRange(cursor, absl::MakeSpan(&foreign, 1), kReadUser).status.code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(foreign.empty());
}

TEST_F(MapRangeTest, GlobalPagesAreRefusedInASpace) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  PageProperty global = kReadUser;
  global.flags = global.flags | PageFlags::kGlobal;
  USegment frames = Frames(1);
  auto cursor = Must(space->OpenCursorMut(pin(), Pages(0, 1)));
  EXPECT_EQ(MapRange(cursor, frames, global, PageSizes::kBaseOnly).status.code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(MapRange(cursor, frames, kReadUser, PageSizes::kBaseOnly).status.ok());
  ASSERT_TRUE(cursor.Jump(kAt).ok());
  EXPECT_EQ(cursor.Protect(kPageSize, [&](PageProperty) { return global; }).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(MapRangeTest, TakenItemsCarryTheBitsThatHardwareSet) {
  auto space = Must(VmSpace::Create(machine(), pin()));
  USegment frames = Frames(1);
  {
    auto cursor = Must(space->OpenCursorMut(pin(), Pages(0, 1)));
    ASSERT_TRUE(MapRange(cursor, frames, kReadWriteUser, PageSizes::kBaseOnly).status.ok());
  }
  space->Activate(pin());
  ASSERT_TRUE(space->Store(pin(), kAt, 1).ok());
  auto cursor = Must(space->OpenCursorMut(pin(), Pages(0, 1), {.intent = Intent::kNoMap}));
  auto taken = Must(cursor.TakeNext(kPageSize));
  ASSERT_TRUE(taken && taken->item);
  EXPECT_TRUE(HasAll(taken->item->property.flags, PageFlags::kAccessed | PageFlags::kDirty));
}

// Acts on frames only, as a transport for guests must, and notes which ones it was told.
class FrameTransport final : public ShootdownTransport {
 public:
  TransportScope scope() const override { return TransportScope::kEveryBatch; }
  void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) override {
    batch.ForEachFrameRun([this](FrameRun run) { told_.push_back(run); });
    targets.ForEach([&](CpuId) { batch.Acknowledge(from); });
  }

  bool WasTold(PhysAddr frame) const {
    for (const FrameRun& run : told_) {
      if (frame >= run.start && frame < run.start.Plus(run.pages * kPageSize)) return true;
    }
    return false;
  }
  void Forget() { told_.clear(); }

 private:
  std::vector<FrameRun> told_;
};

TEST(FrameTransportTest, IsToldTheDataFramesOfCutTablesAndOfProtectedPages) {
  FrameTransport transport;
  auto machine = Must(
      Machine::Create({.cpus = 1, .memory_bytes = uint64_t{16} << 20, .transport = &transport}));
  const CpuPin pin = Must(machine->Pin(CpuId{0}));
  auto space = Must(VmSpace::Create(*machine, pin));
  USegment frames = Must(machine->frames().AllocateSegment(4, 1, Untyped{}, Zeroing::kLeave));
  const PhysAddr first = frames.start();
  {
    auto cursor = Must(space->OpenCursorMut(pin, Pages(0, 512)));
    ASSERT_TRUE(MapRange(cursor, frames, kReadWriteUser, PageSizes::kBaseOnly).status.ok());
  }
  {
    auto cursor = Must(space->OpenCursorMut(pin, Pages(1, 3)));
    EXPECT_EQ(Must(cursor.Protect(3 * kPageSize, [](PageProperty) { return kReadUser; })), 3u);
  }
  for (uint64_t i = 1; i < 4; ++i) EXPECT_TRUE(transport.WasTold(first.Plus(i * kPageSize))) << i;
  EXPECT_FALSE(transport.WasTold(first));
  transport.Forget();
  {
    auto cursor = Must(space->OpenCursorMut(pin, Pages(0, 512)));
    EXPECT_EQ(Must(cursor.Unmap(kHuge)).pages, 4u);
  }
  for (uint64_t i = 0; i < 4; ++i) EXPECT_TRUE(transport.WasTold(first.Plus(i * kPageSize))) << i;
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/vm_space.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/tests/support/failing_allocator.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/parallel.h"

namespace paddock {
namespace {

using absl::StatusCode;

class VmSpaceTest : public MachineTest {};

TEST_F(VmSpaceTest, AStoreIsLoadedBackAndStandsInTheFrame) {
  const auto space = NewSpace();
  const PhysAddr frame = MapNew(*space, Page(1));
  space->Activate(pin());
  EXPECT_TRUE(IsOk(space->Store(pin(), VirtAddr(0x1008), 0x1234)));
  const AccessResult loaded = Must(space->Load(pin(), VirtAddr(0x1008)));
  EXPECT_EQ(loaded.value, 0x1234u);
  EXPECT_EQ(loaded.frame, frame);
  EXPECT_EQ(loaded.generation_at_fill, loaded.generation_now);
  EXPECT_EQ(reinterpret_cast<uint64_t*>(frames().Data(frame))[1], 0x1234u);
}

TEST_F(VmSpaceTest, AccessesSetAccessedAndDirty) {
  const auto space = NewSpace();
  MapNew(*space, Page(1));
  space->Activate(pin());
  const auto flags = [&] {
    RcuReadGuard guard(machine().rcu(), pin());
    return space->Walk(guard, VirtAddr(0x1000))->item.property.flags;
  };
  EXPECT_EQ(flags(), kReadWriteUser.flags);
  EXPECT_TRUE(IsOk(space->Load(pin(), VirtAddr(0x1000))));
  EXPECT_EQ(flags(), kReadWriteUser.flags | PageFlags::kAccessed);
  // The TLB holds a clean entry: the first store walks again.
  EXPECT_TRUE(IsOk(space->Store(pin(), VirtAddr(0x1000), 1)));
  EXPECT_EQ(flags(), kReadWriteUser.flags | PageFlags::kAccessed | PageFlags::kDirty);
}

TEST_F(VmSpaceTest, AChangeThatIsRefusedForOnePageChangesNone) {
  const auto space = NewSpace();
  MapNew(*space, Page(1));
  MapNew(*space, Page(2), kReadUser);
  VmSpace::CursorMut cursor =
      Must(space->OpenCursorMut(pin(), {VirtAddr(0x1000), VirtAddr(0x3000)}));
  const auto change = [](PageProperty property) {
    const bool writable = HasAny(property.flags, PageFlags::kWrite);
    property.flags = writable ? kReadUser.flags : property.flags | PageFlags::kGlobal;
    return property;
  };
  EXPECT_TRUE(Refused(cursor.Protect(2 * kPageSize, change), StatusCode::kInvalidArgument));
  EXPECT_EQ(cursor.virt_addr(), VirtAddr(0x1000));
  EXPECT_EQ(Must(cursor.Query()).item->property.flags, kReadWriteUser.flags);
}

TEST_F(VmSpaceTest, AnAccessIsRefusedWithTheReason) {
  const auto space = NewSpace();
  MapNew(*space, Page(1), kReadUser);
  MapNew(*space, Page(2), kReadWriteKernel);
  EXPECT_TRUE(Refused(space->Load(pin(), VirtAddr(0x1000)), StatusCode::kPermissionDenied,
                      {"not active on CPU 0"}));
  space->Activate(pin());
  EXPECT_TRUE(IsOk(space->Load(pin(), VirtAddr(0x1000))));
  EXPECT_TRUE(
      Refused(space->Store(pin(), VirtAddr(0x1000), 1), StatusCode::kPermissionDenied, {"0x1000"}));
  EXPECT_TRUE(
      Refused(space->Load(pin(), VirtAddr(0x2000)), StatusCode::kPermissionDenied, {"0x2000"}));
  EXPECT_TRUE(Refused(space->Load(pin(), VirtAddr(0x3000)), StatusCode::kNotFound, {"0x3000"}));
  EXPECT_TRUE(Refused(space->Load(pin(), VirtAddr(0x1004)), StatusCode::kInvalidArgument,
                      {"0x1004", "multiple of 8"}));
  for (const uint64_t va : {uint64_t{0x8000'0000'0000}, uint64_t{0xffff'ffff'ffff'fff8}}) {
    EXPECT_TRUE(
        Refused(space->Load(pin(), VirtAddr(va)), StatusCode::kOutOfRange, {"user address"}));
  }
  machine().DeactivateSpace(pin());
  EXPECT_TRUE(
      Refused(space->Load(pin(), VirtAddr(0x1000)), StatusCode::kPermissionDenied, {"not active"}));
}

TEST_F(VmSpaceTest, AnotherSpaceTakesTheCpuOver) {
  const auto first = NewSpace();
  const auto second = NewSpace();
  const PhysAddr in_first = MapNew(*first, Page(1));
  const PhysAddr in_second = MapNew(*second, Page(1));
  for (int i = 0; i < 3; ++i) {
    first->Activate(pin());
    EXPECT_TRUE(first->IsActiveOn(pin()));
    EXPECT_EQ(Must(first->Load(pin(), VirtAddr(0x1000))).frame, in_first);
    second->Activate(pin());
    EXPECT_FALSE(first->IsActiveOn(pin()));
    EXPECT_EQ(Must(second->Load(pin(), VirtAddr(0x1000))).frame, in_second);
    EXPECT_TRUE(Refused(first->Load(pin(), VirtAddr(0x1000)), StatusCode::kPermissionDenied));
  }
}

TEST_F(VmSpaceTest, AFaultHandlerMapsAndTheAccessGoesOn) {
  const auto space = NewSpace();
  int faults = 0;
  space->SetFaultHandler([&](VmSpace& faulting, const CpuPin& cpu, VirtAddr va, Access access) {
    ++faults;
    EXPECT_EQ(access, Access::kWrite);
    const VirtAddr page = va.AlignDown(kPageSize);
    auto cursor = Must(faulting.OpenCursorMut(cpu, {page, page.Plus(kPageSize)}));
    return cursor.Map(MappedFrames(NewFrame(), kReadWriteUser));
  });
  space->Activate(pin());
  EXPECT_TRUE(IsOk(space->Store(pin(), VirtAddr(0x5010), 7)));
  EXPECT_EQ(Must(space->Load(pin(), VirtAddr(0x5010))).value, 7u);
  EXPECT_EQ(faults, 1);
}

TEST_F(VmSpaceTest, AFaultHandlerThatRefusesDecidesTheError) {
  const auto space = NewSpace();
  space->SetFaultHandler([](VmSpace&, const CpuPin&, VirtAddr, Access) {
    return absl::DataLossError("the page is lost");
  });
  space->Activate(pin());
  EXPECT_TRUE(Refused(space->Load(pin(), VirtAddr(0x5000)), StatusCode::kDataLoss, {"lost"}));
}

TEST_F(VmSpaceTest, AFaultHandlerThatOnlyClaimsToMapDoesNotLoopForEver) {
  const auto space = NewSpace();
  int faults = 0;
  space->SetFaultHandler([&](VmSpace&, const CpuPin&, VirtAddr, Access) {
    ++faults;
    return absl::OkStatus();
  });
  space->Activate(pin());
  EXPECT_TRUE(Refused(space->Load(pin(), VirtAddr(0x5000)), StatusCode::kAborted, {"0x5000"}));
  EXPECT_EQ(faults, 64);
}

TEST_F(VmSpaceTest, TheLastCallOfAFaultHandlerCountsToo) {
  const auto space = NewSpace();
  int faults = 0;
  space->SetFaultHandler([&](VmSpace& faulting, const CpuPin&, VirtAddr, Access) {
    if (++faults == 64) MapNew(faulting, Page(5));
    return absl::OkStatus();
  });
  space->Activate(pin());
  EXPECT_TRUE(IsOk(space->Load(pin(), VirtAddr(0x5000))));
  EXPECT_EQ(faults, 64);
}

TEST_F(VmSpaceTest, AnActiveSpaceKeepsItselfAlive) {
  std::weak_ptr<VmSpace> watch;
  {
    const auto space = NewSpace();
    watch = space;
    MapNew(*space, Page(1));
    space->Activate(pin());
  }
  ASSERT_FALSE(watch.expired());
  EXPECT_TRUE(IsOk(watch.lock()->Load(pin(), VirtAddr(0x1000))));
  const auto next = NewSpace();
  next->Activate(pin());
  EXPECT_TRUE(watch.expired());
}

TEST_F(VmSpaceTest, DestroyingSpacesFreesEverything) {
  for (int round = 0; round < 20; ++round) {
    const auto space = NewSpace();
    for (const uint64_t page : {1ul, 600ul, 300'000ul, 0x7'ffff'fffful}) MapNew(*space, Page(page));
    space->Activate(pin());
    EXPECT_TRUE(IsOk(space->Store(pin(), VirtAddr(0x1000), 1)));
    machine().DeactivateSpace(pin());
  }
  Settle();
  EXPECT_EQ(frames().used_pages(), frames_at_start());
}

TEST_F(VmSpaceTest, DestroyingASpaceWaitsForNoGracePeriod) {
  Event inside, leave;
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    RcuReadGuard guard(machine().rcu(), cpu);
    inside.Set();
    EXPECT_TRUE(leave.Await()) << "destroying a space waited for this section";
  });
  ASSERT_TRUE(inside.Await());
  for (int round = 0; round < 10; ++round) MapNew(*NewSpace(), Page(1));
  leave.Set();
}

TEST_F(VmSpaceTest, NoFrameForTheRootIsAnErrorAndLeaksNothing) {
  HasFailingAllocator memory;
  const auto other = Must(Machine::Create(memory.Failing(SmallMachine())));
  const CpuPin cpu = Must(other->Pin(CpuId{0}));
  const uint64_t before = other->frames().used_pages();
  memory.failing->FailFrom(1);
  EXPECT_TRUE(Refused(VmSpace::Create(*other, cpu), StatusCode::kResourceExhausted));
  EXPECT_EQ(other->frames().used_pages(), before);
}

TEST_F(VmSpaceTest, NoFrameForATableLeavesTheItemWithItsOwner) {
  HasFailingAllocator memory;
  const auto other = Must(Machine::Create(memory.Failing(SmallMachine())));
  const CpuPin cpu = Must(other->Pin(CpuId{0}));
  const auto space = Must(VmSpace::Create(*other, cpu));
  UFrame frame = Must(other->frames().Allocate(Untyped{}, Zeroing::kZero));
  const UFrame second = Must(frame.Clone());
  MappedFrames item(std::move(frame), kReadWriteUser);
  VmSpace::CursorMut cursor =
      Must(space->OpenCursorMut(cpu, {VirtAddr(0), VirtAddr(uint64_t{1} << 40)}));
  memory.failing->FailFrom(1);
  EXPECT_TRUE(Refused(cursor.Map(std::move(item)), StatusCode::kResourceExhausted));
  memory.failing->Heal();
  EXPECT_TRUE(IsOk(cursor.Map(std::move(item))));
  EXPECT_EQ(second.reference_count(), 2u);
}

TEST_F(VmSpaceTest, AMachineThatEndsWithASpaceActiveLetsGoOfIt) {
  std::weak_ptr<VmSpace> watch;
  {
    auto other = Must(Machine::Create(SmallMachine()));
    {
      const CpuPin cpu = Must(other->Pin(CpuId{1}));
      const auto space = Must(VmSpace::Create(*other, cpu));
      space->Activate(cpu);
      watch = space;
    }
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST_F(VmSpaceTest, TwoMachinesShareNothing) {
  auto other = Must(Machine::Create(SmallMachine()));
  const CpuPin there = Must(other->Pin(CpuId{0}));
  const auto foreign = Must(VmSpace::Create(*other, there));
  const auto own = NewSpace();
  MapNew(*own, Page(1));
  own->Activate(pin());
  foreign->Activate(there);
  EXPECT_TRUE(IsOk(own->Load(pin(), VirtAddr(0x1000))));
  EXPECT_TRUE(Refused(foreign->Load(there, VirtAddr(0x1000)), StatusCode::kNotFound));
  other->DeactivateSpace(there);
}

}  // namespace
}  // namespace paddock

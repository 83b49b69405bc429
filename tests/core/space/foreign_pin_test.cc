// SPDX-License-Identifier: Apache-2.0
//
// A pin of another machine proves nothing here: its number is another CPU, or none.

#include <cstdint>
#include <memory>

#include "gtest/gtest.h"
#include "paddock/core/page_table/hardware_walk.h"
#include "paddock/core/space/kvirt_area.h"
#include "paddock/tests/support/machine_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

class ForeignPin : public MachineTest {
 protected:
  static Machine::Options Large() {
    Machine::Options options = SmallMachine();
    options.cpus = kMaxCpus;
    options.tlb.tlb_sets = 1;
    return options;
  }

  const std::unique_ptr<Machine> other_ = Must(Machine::Create(Large()));
  // Not a CPU of the machine under test.
  const CpuPin foreign_ = Must(other_->Pin(CpuId{kMaxCpus - 1}));
};

template <typename Result>
testing::AssertionResult RefusesThePin(const Result& result) {
  return Refused(result, StatusCode::kInvalidArgument, {"CPU 1023", "another machine"});
}

TEST_F(ForeignPin, MakesNoSpace) {
  EXPECT_TRUE(RefusesThePin(VmSpace::Create(machine(), foreign_)));
}

TEST_F(ForeignPin, OpensNoCursor) {
  const auto space = NewSpace();
  const uint64_t opened = machine().page_tables().lock_stats().acquired;
  EXPECT_TRUE(RefusesThePin(space->OpenCursor(foreign_, Page(1))));
  EXPECT_TRUE(RefusesThePin(space->OpenCursorMut(foreign_, Page(1))));
  EXPECT_TRUE(RefusesThePin(space->TryOpenCursorMut(foreign_, Page(1))));
  const VirtRange kernel_page{VirtAddr(0xffff'fc00'0000'0000), VirtAddr(0xffff'fc00'0000'1000)};
  EXPECT_TRUE(RefusesThePin(machine().kernel_table().OpenCursorMut(foreign_, kernel_page)));
  EXPECT_EQ(machine().page_tables().lock_stats().acquired, opened);
}

TEST_F(ForeignPin, AccessesNothing) {
  const auto space = NewSpace();
  MapNew(*space, Page(1));
  space->Activate(pin());
  EXPECT_TRUE(RefusesThePin(space->Load(foreign_, VirtAddr(0x1000))));
  EXPECT_TRUE(RefusesThePin(space->Store(foreign_, VirtAddr(0x1000), 1)));
  EXPECT_EQ(Must(space->Load(pin(), VirtAddr(0x1000))).value, 0u);
}

TEST_F(ForeignPin, WaitsForNoGracePeriod) {
  EXPECT_TRUE(RefusesThePin(machine().Synchronize(foreign_)));
}

TEST_F(ForeignPin, MakesAndSplitsNoKernelArea) {
  KernelSpace& kernel = machine().kernel();
  const auto make = [&](const CpuPin& pin) {
    return KVirtArea::MapFrames(machine(), pin, 2 * kPageSize, 0, USegment(), kReadWriteKernel);
  };
  EXPECT_TRUE(RefusesThePin(make(foreign_)));
  KVirtArea area = Must(make(pin()));
  EXPECT_TRUE(RefusesThePin(area.Split(foreign_, kPageSize)));
  EXPECT_TRUE(RefusesThePin(area.Query(foreign_, area.range().start)));
  EXPECT_TRUE(RefusesThePin(area.Destroy(foreign_)));
  EXPECT_TRUE(RefusesThePin(kernel.CheckInvariants(foreign_)));
  EXPECT_EQ(area.range().size(), 2 * kPageSize);
}

TEST_F(ForeignPin, OfACpuThatExistsHereIsRefusedToo) {
  const auto third = Must(Machine::Create(SmallMachine()));
  const CpuPin same_number = Must(third->Pin(CpuId{0}));
  EXPECT_TRUE(Refused(NewSpace()->OpenCursorMut(same_number, Page(1)), StatusCode::kInvalidArgument,
                      {"CPU 0", "another machine"}));
}

using ForeignPinDeathTest = ForeignPin;

TEST_F(ForeignPinDeathTest, StopsWhatReturnsNoStatus) {
  const auto space = NewSpace();
  EXPECT_DEATH(machine().Poll(foreign_), "another machine");
  EXPECT_DEATH(machine().DeactivateSpace(foreign_), "another machine");
  EXPECT_DEATH(space->Activate(foreign_), "another machine");
  EXPECT_DEATH((void)space->IsActiveOn(foreign_), "another machine");
  EXPECT_DEATH(machine().kernel().FlushDestroyedAreas(foreign_), "another machine");
  EXPECT_DEATH({ RcuReadGuard section(machine().rcu(), foreign_); }, "another machine");
}

TEST_F(ForeignPinDeathTest, AWalkInAnotherMachinesSectionStops) {
  const auto space = NewSpace();
  RcuReadGuard elsewhere(other_->rcu(), foreign_);
  EXPECT_DEATH((void)space->Walk(elsewhere, VirtAddr(0)), "another machine's section");
  EXPECT_DEATH(HardwareWalk(space->table(), elsewhere, VirtAddr(0), Access::kRead),
               "another machine's section");
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Machines come and go: any number at once on one thread, and what must be gone before one goes.

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/space/kvirt_area.h"
#include "paddock/tests/support/machine_fixture.h"

namespace paddock {
namespace {

Machine::Options Tiny() {
  Machine::Options options;
  options.cpus = 2;
  options.memory_bytes = uint64_t{1} << 20;
  options.tlb.tlb_sets = 1;
  return options;
}

TEST(MachineLife, AThreadIsOnCpusOfManyMachinesAndMakesAndEndsMore) {
  constexpr size_t kMachines = 30;
  std::vector<std::unique_ptr<Machine>> machines;
  std::vector<CpuPin> pins;
  machines.reserve(kMachines);
  pins.reserve(kMachines);
  for (size_t i = 0; i < kMachines; ++i) {
    machines.push_back(Must(Machine::Create(Tiny())));
    pins.push_back(Must(machines.back()->Pin(CpuId{i % 2 == 0 ? 0u : 1u})));
  }
  for (size_t i = 0; i < kMachines; ++i) {
    const auto space = Must(VmSpace::Create(*machines[i], pins[i]));
    space->Activate(pins[i]);
    machines[i]->DeactivateSpace(pins[i]);
  }
  // One that ends, with a space active on a CPU, while this thread is on all the others.
  auto last = Must(Machine::Create(Tiny()));
  {
    const CpuPin pin = Must(last->Pin(CpuId{1}));
    Must(VmSpace::Create(*last, pin))->Activate(pin);
  }
  last.reset();
}

TEST(MachineLife, TheFaultHandlerOfAnActiveSpaceMayOwnAKernelArea) {
  for (const uint32_t cpu : {0u, 1u}) {
    auto machine = Must(Machine::Create(Tiny()));
    {
      const CpuPin pin = Must(machine->Pin(CpuId{cpu}));
      const auto area = std::make_shared<KVirtArea>(
          Must(KVirtArea::MapFrames(*machine, pin, kPageSize, 0, USegment(), kReadWriteKernel)));
      const auto space = Must(VmSpace::Create(*machine, pin));
      space->SetFaultHandler(
          [area](VmSpace&, const CpuPin&, VirtAddr, Access) { return absl::OkStatus(); });
      space->Activate(pin);
    }
    machine.reset();
  }
}

TEST(MachineLife, TooLittleMemoryForTheKernelIsAnErrorOnAThreadWithManyPins) {
  std::vector<std::unique_ptr<Machine>> machines;
  std::vector<CpuPin> pins;
  machines.reserve(9);
  pins.reserve(9);
  for (size_t i = 0; i < 9; ++i) {
    machines.push_back(Must(Machine::Create(Tiny())));
    pins.push_back(Must(machines.back()->Pin(CpuId{0})));
  }
  Machine::Options options = Tiny();
  options.memory_bytes = 2 * kPageSize;
  EXPECT_TRUE(Refused(Machine::Create(std::move(options)), absl::StatusCode::kResourceExhausted));
}

TEST(MachineLifeDeathTest, EndingWhileAThreadIsOnACpuStops) {
  EXPECT_DEATH(
      {
        auto machine = Must(Machine::Create(Tiny()));
        const CpuPin pin = Must(machine->Pin(CpuId{1}));
        machine.reset();
      },
      "on one of its CPUs");
}

#if !defined(NDEBUG) || defined(PADDOCK_CHECKED)
TEST(MachineLifeDeathTest, HandlesThatOutliveTheirMachineStopIt) {
  EXPECT_DEATH(
      {
        auto machine = Must(Machine::Create(Tiny()));
        const UFrame frame = Must(machine->frames().Allocate(Untyped{}, Zeroing::kLeave));
        machine.reset();
      },
      "1 frames are in use when their machine ends: 0x[0-9a-f]+ as untyped");
  EXPECT_DEATH(
      {
        auto machine = Must(Machine::Create(Tiny()));
        std::shared_ptr<VmSpace> space;
        {
          const CpuPin pin = Must(machine->Pin(CpuId{0}));
          space = Must(VmSpace::Create(*machine, pin));
        }
        machine.reset();
      },
      "as page-table node");
}
#endif

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// A machine whose window of kernel addresses is small, so that addresses are soon used again.
//
//   class MyTest : public KernelAreaTest {};
//   KVirtArea area = NewArea(pin(), /*pages=*/3);
//   EXPECT_EQ(Must(machine().KernelLoad(pin(), area.range().start)).frame, ...);

#ifndef PADDOCK_TESTS_SUPPORT_KERNEL_FIXTURE_H_
#define PADDOCK_TESTS_SUPPORT_KERNEL_FIXTURE_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "paddock/core/space/kvirt_area.h"
#include "paddock/tests/support/machine_fixture.h"

namespace paddock {

class KernelAreaTest : public MachineTest {
 public:
  static constexpr uint64_t kWindowPages = 16;
  static constexpr VirtAddr kWindowStart{0xffff'fe00'0000'0000};

  KernelAreaTest() : KernelAreaTest(SmallWindow(kWindowPages)) {}
  explicit KernelAreaTest(Machine::Options options) : MachineTest(std::move(options)) {}

 protected:
  // Nothing is flushed before the window is exhausted.
  static Machine::Options SmallWindow(uint64_t pages = kWindowPages) {
    Machine::Options options = SmallMachine();
    options.kernel.dynamic_window = {kWindowStart, kWindowStart.Plus(pages * kPageSize)};
    options.kernel.quarantine_areas = 1u << 20;
    return options;
  }

  KernelSpace& kernel() { return machine().kernel(); }
  USegment NewFrames(uint64_t pages, uint64_t align_pages = 1) {
    return Must(frames().AllocateSegment(pages, align_pages, Untyped{}, Zeroing::kZero));
  }
  uint32_t References(PhysAddr frame) { return frames().slot(frame).ref_count.load(sync::seq_cst); }

  // An area of `pages` pages, all mapped to new frames.
  absl::StatusOr<KVirtArea> TryNewArea(const CpuPin& cpu, uint64_t pages,
                                       PageProperty property = kReadWriteKernel) {
    return KVirtArea::MapFrames(machine(), cpu, pages * kPageSize, 0, NewFrames(pages), property);
  }
  KVirtArea NewArea(const CpuPin& cpu, uint64_t pages, PageProperty property = kReadWriteKernel) {
    return Must(TryNewArea(cpu, pages, property));
  }
  std::optional<Translation> Walk(const CpuPin& cpu, VirtAddr va) {
    RcuReadGuard section(machine().rcu(), cpu);
    return kernel().table().Walk(section, va);
  }
  std::optional<Translation> Walk(VirtAddr va) { return Walk(pin(), va); }
  // The frame that stands in the table for `va`; 0xfff if there is none.
  PhysAddr FrameAt(const CpuPin& cpu, VirtAddr va) {
    const std::optional<Translation> found = Walk(cpu, va);
    return found ? found->address : PhysAddr(0xfff);
  }
  PhysAddr FrameAt(VirtAddr va) { return FrameAt(pin(), va); }
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_KERNEL_FIXTURE_H_

// SPDX-License-Identifier: Apache-2.0
//
// A fixture with a machine and this thread on CPU 0. When a test ends, everything must have come
// home: frames in use as after creation, no kernel area, no claim in any slot, nobody waiting,
// nothing retired and not reclaimed.

#ifndef PADDOCK_TESTS_SUPPORT_MACHINE_FIXTURE_H_
#define PADDOCK_TESTS_SUPPORT_MACHINE_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/tests/support/status_checks.h"
#include "paddock/tests/support/table_world.h"

namespace paddock {

class MachineTest : public testing::Test {
 public:
  explicit MachineTest(Machine::Options options = SmallMachine())
      : machine_(Must(Machine::Create(std::move(options)))), pin_(Must(machine_->Pin(CpuId{0}))) {
    frames_at_start_ = frames().used_pages();
  }

  void TearDown() override {
    ExpectNoAreas();
    Settle();
    EXPECT_EQ(machine_->rcu().stats().retired, machine_->rcu().stats().reclaimed);
    EXPECT_EQ(frames().used_pages(), frames_at_start_);
    ExpectNoClaims(frames());
    pin_.reset();
    machine_.reset();
  }

 protected:
  static Machine::Options SmallMachine() {
    Machine::Options options;
    options.cpus = 4;
    options.memory_bytes = uint64_t{16} << 20;
    return options;
  }

  Machine& machine() { return *machine_; }
  FrameTable& frames() { return machine_->frames(); }
  const CpuPin& pin() const { return *pin_; }
  uint64_t frames_at_start() const { return frames_at_start_; }

  // No space is active here any more, destroyed areas are flushed, and everything retired is
  // reclaimed. Other CPUs are idle.
  void Settle() {
    machine_->DeactivateSpace(pin());
    machine_->kernel().FlushDestroyedAreas(pin());
    machine_->bus().Poll(pin());
    machine_->rcu().Drain(pin());
  }
  // Every kernel area is gone, its addresses are free and nothing of it is mapped. Takes out the
  // tables that areas left behind, empty.
  void ExpectNoAreas() {
    KernelSpace& kernel = machine_->kernel();
    kernel.FlushDestroyedAreas(pin());
    EXPECT_EQ(kernel.stats().areas, 0u);
    EXPECT_EQ(kernel.stats().free_pages, kernel.layout().dynamic_window.size() / kPageSize);
    auto window = Must(kernel.table().OpenCursorMut(pin(), WholeTables(kernel.layout()),
                                                    {.intent = Intent::kNoMap}));
    EXPECT_EQ(Must(window.Unmap(window.remaining())).pages, 0u);
  }
  // For tests that check the end of the machine: this thread is on no CPU afterwards.
  void Unpin() { pin_.reset(); }

  std::shared_ptr<VmSpace> NewSpace(const VmSpaceOptions& options = {}) {
    return Must(VmSpace::Create(machine(), pin(), options));
  }
  UFrame NewFrame() { return Must(frames().Allocate(Untyped{}, Zeroing::kZero)); }

  static VirtRange Page(uint64_t number) {
    return {VirtAddr(number * kPageSize), VirtAddr((number + 1) * kPageSize)};
  }
  // Maps a new frame; returns its address.
  PhysAddr MapNew(VmSpace& space, VirtRange page, PageProperty property = kReadWriteUser) {
    UFrame frame = NewFrame();
    const PhysAddr address = frame.start();
    VmSpace::CursorMut cursor = Must(space.OpenCursorMut(pin(), page));
    Must(cursor.Map(MappedFrames(std::move(frame), property)));
    return address;
  }
  void UnmapPage(VmSpace& space, const CpuPin& cpu, VirtRange page) {
    VmSpace::CursorMut cursor = Must(space.OpenCursorMut(cpu, page));
    EXPECT_EQ(Must(cursor.Unmap(page.size())).pages, page.size() / kPageSize);
    cursor.flusher().Sync();
  }

 private:
  static VirtRange WholeTables(const KernelLayout& layout) {
    using Geo = Geometry<UserFormat>;
    const uint64_t span = Geo::EntrySpan(Geo::kLevels);
    const VirtRange window = layout.dynamic_window;
    return {window.start.AlignDown(span), *window.end.CheckedAlignUp(span)};
  }

  std::unique_ptr<Machine> machine_;
  std::optional<CpuPin> pin_;
  uint64_t frames_at_start_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_MACHINE_FIXTURE_H_

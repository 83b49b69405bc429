// SPDX-License-Identifier: Apache-2.0
//
// A whole machine for one execution, with a window of kernel addresses so small that addresses are
// used again at once. Each area is one page, whose frame says which area it was mapped for.
//
//   KernelWorld world({.window_pages = 1});
//   KVirtArea area = world.NewArea(setup_pin, /*stamp=*/1);
//   world.Run({[&](const CpuPin& pin) { Must(area.Destroy(pin)); area = world.NewArea(pin, 2); },
//              [&](const CpuPin& pin) { world.Look(pin, at); }});           // 1, 2, or nothing
//   // the destructor checks the books; areas, spaces and pins are gone before
//
// Thread safety: the constructor, Run and the destructor on the scenario's own thread.

#ifndef PADDOCK_STRESS_EXPLORE_KERNEL_WORLD_H_
#define PADDOCK_STRESS_EXPLORE_KERNEL_WORLD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/space/kvirt_area.h"
#include "paddock/core/space/machine.h"
#include "paddock/stress/explore/poisoned_memory.h"

namespace paddock::explore {

class KernelWorld {
 public:
  static constexpr uint32_t kCpus = 3;
  // The CPU of the scenario's own thread while nobody else runs.
  static constexpr uint32_t kSetupCpu = kCpus - 1;
  static constexpr uint64_t kFrames = 64;
  static constexpr VirtAddr kWindowStart{0xffff'fe00'0000'0000};

  struct Options {
    uint64_t window_pages = 1;
    // Destroyed areas that may wait for a flush.
    uint32_t quarantine_areas = 8;
  };

  explicit KernelWorld(const Options& options);
  ~KernelWorld();
  KernelWorld(const KernelWorld&) = delete;
  KernelWorld& operator=(const KernelWorld&) = delete;

  Machine& machine() { return *machine_; }
  KernelSpaceStats stats() const { return machine_->kernel().stats(); }
  CpuPin Pin(uint32_t cpu) { return Must(machine_->Pin(CpuId{cpu})); }
  void Run(const std::vector<std::function<void(const CpuPin&)>>& bodies);

  absl::StatusOr<KVirtArea> TryNewArea(const CpuPin& pin, uint64_t stamp);
  KVirtArea NewArea(const CpuPin& pin, uint64_t stamp) { return Must(TryNewArea(pin, stamp)); }

  // The stamp that this CPU reads at the address; none if nothing is mapped there. Whatever it
  // reads is of a frame that was not given back since the CPU's TLB was filled.
  std::optional<uint64_t> Look(const CpuPin& pin, VirtAddr va);

 private:
  const FrameBytes bytes_;
  std::unique_ptr<Machine> machine_;
};

}  // namespace paddock::explore

#endif  // PADDOCK_STRESS_EXPLORE_KERNEL_WORLD_H_

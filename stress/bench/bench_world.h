// SPDX-License-Identifier: Apache-2.0
//
// The machine and the space that the benchmarks run in, and one thread's place in them.

#ifndef PADDOCK_STRESS_BENCH_BENCH_WORLD_H_
#define PADDOCK_STRESS_BENCH_BENCH_WORLD_H_

#include <cstdint>
#include <memory>

#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/vm_space.h"

namespace paddock::bench {

inline constexpr uint32_t kMaxThreads = 16;
// Pages of one thread's region: one leaf table.
inline constexpr uint64_t kRegionPages = 512;

// Which space a thread works in. Once a CPU has run a space, each flush of it is counted where all
// its dispatchers count: what is measured without that stays in a space that no CPU ever runs.
enum class SpaceKind : uint8_t { kNeverRun, kRun };

// A machine with kMaxThreads CPUs and a space of each kind.
struct BenchWorld {
  std::unique_ptr<Machine> machine;
  std::shared_ptr<VmSpace> never_run;
  std::shared_ptr<VmSpace> run;

  // Created on first use; the process stops if it cannot be.
  static BenchWorld& Get();
};

// A benchmark thread on CPU `index`, with a region that shares no node below the root with
// another's.
class BenchThread {
 public:
  explicit BenchThread(int index, SpaceKind kind = SpaceKind::kNeverRun);
  // Unmaps the region and reclaims.
  ~BenchThread();
  BenchThread(const BenchThread&) = delete;
  BenchThread& operator=(const BenchThread&) = delete;

  const CpuPin& pin() const { return pin_; }
  Machine& machine() { return *world_.machine; }
  VmSpace& space() { return space_; }

  VirtRange region() const { return region_; }
  VirtRange Page(uint64_t index) const {
    const VirtAddr start = region_.start.Plus((index % kRegionPages) * kPageSize);
    return VirtRange{start, start.Plus(kPageSize)};
  }

  // Every page of the region mapped to a frame of its own; none mapped and what was reclaimed.
  void MapAll();
  void UnmapAll();

 private:
  BenchWorld& world_;
  VmSpace& space_;
  CpuPin pin_;
  VirtRange region_;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_BENCH_WORLD_H_

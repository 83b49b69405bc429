// SPDX-License-Identifier: Apache-2.0
//
// A machine whose CPUs each work in a leaf table of their own, or in one together, and what they do
// there.
//
//   ScalingWorld world(3, Spaces::kOneNeverRun);
//   world.ForEachPage(EnsureUnmapped);             // off the record
//   world.Settle();
//   const Figure figure = world.Record(Map, 512);  // 512 pages by each CPU
//   EXPECT_EQ(figure.transfers, 0u) << figure.report;
//
// The leaf tables are neighbours: all nodes above them are shared, and so is the cache line of the
// entries that point to them. In one table together no two CPUs have a page in one granule, and the
// locks have moved (granule_lock.h).

#ifndef PADDOCK_TESTS_SCALING_SCALING_WORLD_H_
#define PADDOCK_TESTS_SCALING_SCALING_WORLD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/tests/scaling/line_recorder.h"
#include "paddock/tests/scaling/lockstep.h"

namespace paddock {

enum class Spaces : uint8_t {
  kOneNeverRun,  // no CPU ever activates the space
  kOneRunByAll,  // active on every CPU: each flush concerns all of them
  kOneForEach,   // each CPU has a space to itself and runs it
};

enum class Tables : uint8_t { kOneForEach, kOneForAll };

class ScalingWorld;

// One operation of the pinned CPU on page `i` of its region, modulo pages().
using PageStep = void (*)(ScalingWorld& world, const CpuPin& pin, uint64_t i);

void LookUp(ScalingWorld& world, const CpuPin& pin, uint64_t i);
void Query(ScalingWorld& world, const CpuPin& pin, uint64_t i);
void Map(ScalingWorld& world, const CpuPin& pin, uint64_t i);
// Toggles whether the page may be written.
void Protect(ScalingWorld& world, const CpuPin& pin, uint64_t i);
void Unmap(ScalingWorld& world, const CpuPin& pin, uint64_t i);
// A load of user code. The space runs on the CPU.
void Load(ScalingWorld& world, const CpuPin& pin, uint64_t i);
// Map what is not mapped, unmap what is.
void EnsureMapped(ScalingWorld& world, const CpuPin& pin, uint64_t i);
void EnsureUnmapped(ScalingWorld& world, const CpuPin& pin, uint64_t i);

struct Figure {
  uint64_t operations = 0;
  uint64_t touches = 0;
  uint64_t transfers = 0;
  std::string report;  // LineRecorder::Describe

  double PerOperation() const {
    return static_cast<double>(transfers) / static_cast<double>(operations);
  }
};

class ScalingWorld {
 public:
  // One leaf table's.
  static constexpr uint64_t kPages = 512;

  ScalingWorld(uint32_t cpus, Spaces spaces, Tables tables = Tables::kOneForEach);
  // Every page is unmapped.
  ~ScalingWorld();
  ScalingWorld(const ScalingWorld&) = delete;
  ScalingWorld& operator=(const ScalingWorld&) = delete;

  Machine& machine() { return *machine_; }
  Lockstep& cpus() { return *cpus_; }
  VmSpace& space(const CpuPin& pin) { return *spaces_[pin.cpu().value % spaces_.size()]; }
  VirtRange Page(const CpuPin& pin, uint64_t i) const;
  // How many there are for each CPU.
  uint64_t pages() const;

  // Off the record, on every CPU.
  void ForEachPage(PageStep step);
  // Nothing is in flight or retired any more.
  void Settle();
  // Each CPU can allocate kPages frames without the allocator that all share.
  void FillMagazines();

  // The CPUs take turns, one operation each, until each has done `count`: the pages 0 to
  // `count` - 1. An interrupt point follows each, on the record as well.
  Figure Record(PageStep step, uint64_t count);

 private:
  // Of what the CPUs use together.
  void MoveLocks();

  const Tables tables_;
  std::unique_ptr<Machine> machine_;
  std::vector<std::shared_ptr<VmSpace>> spaces_;
  std::unique_ptr<Lockstep> cpus_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SCALING_SCALING_WORLD_H_

// SPDX-License-Identifier: Apache-2.0
//
// The machine and the spaces that the benchmarks run in, and one thread's place in them.

#ifndef PADDOCK_STRESS_BENCH_BENCH_WORLD_H_
#define PADDOCK_STRESS_BENCH_BENCH_WORLD_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/vm_space.h"

namespace paddock::bench {

inline constexpr uint32_t kMaxThreads = 16;
// What one leaf table maps.
inline constexpr uint64_t kTablePages = 512;
inline constexpr uint64_t kTableSpan = kTablePages * kPageSize;
// What one entry of the root maps.
inline constexpr uint64_t kRootEntrySpan = uint64_t{1} << 39;

// A step of a benchmark that cannot fail unless the benchmark is wrong: stops the process.
inline void Require(const absl::Status& status) { PADDOCK_CHECK(status.ok(), status.message()); }
template <typename T>
T Must(absl::StatusOr<T> result) {
  Require(result.status());
  return *std::move(result);
}

// A change of properties that takes the right to write away, or gives it back after the next
// Toggle.
class WriteToggle {
 public:
  void Toggle() { write_ = write_ == PageFlags::kNone ? PageFlags::kWrite : PageFlags::kNone; }
  PageProperty operator()(PageProperty property) const {
    property.flags = (property.flags & ~PageFlags::kWrite) | write_;
    return property;
  }

 private:
  PageFlags write_ = PageFlags::kWrite;
};

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

  // Puts the frames of all CPUs' magazines back in order, so that no case gets the neighbours that
  // the one before it left. While no thread uses the machine.
  static void TidyFrames() { Get().machine->frames().allocator().DrainMagazines(); }
};

// Where a thread's pages are.
enum class Place : uint8_t {
  kOwnRootEntry,  // a leaf table of its own: no node below the root is shared
  kSharedTable,   // a half of one leaf table, for two threads: no granule is shared
};

// A benchmark thread on CPU `index`, with its pages.
class BenchThread {
 public:
  explicit BenchThread(int index, Place place = Place::kOwnRootEntry,
                       SpaceKind kind = SpaceKind::kNeverRun);
  // Unmaps the pages and reclaims.
  ~BenchThread();
  BenchThread(const BenchThread&) = delete;
  BenchThread& operator=(const BenchThread&) = delete;

  const CpuPin& pin() const { return pin_; }
  Machine& machine() { return *world_.machine; }
  VmSpace& space() { return space_; }

  VirtRange region() const { return region_; }
  uint64_t pages() const { return region_.size() / kPageSize; }
  VirtRange Page(uint64_t index) const {
    const VirtAddr start = region_.start.Plus((index % pages()) * kPageSize);
    return VirtRange{start, start.Plus(kPageSize)};
  }

  // A frame as its last user left it.
  UFrame NewFrame() { return Must(machine().frames().Allocate(Untyped{}, Zeroing::kLeave)); }
  // A cursor on the `index`-th page, and one on all of them that leaves their table in place.
  VmSpace::CursorMut OpenPage(uint64_t index) {
    return Must(space().OpenCursorMut(pin_, Page(index)));
  }
  VmSpace::CursorMut OpenRegion() {
    return Must(space().OpenCursorMut(pin_, region_, {.anchor = Anchor::kLow}));
  }

  // Every page mapped to a frame of its own; none mapped, the table still there.
  void MapAll();
  void UnmapAll();
  // Lets everything that was retired be used again.
  void Reclaim() { machine().rcu().Drain(pin_); }

 private:
  BenchWorld& world_;
  VmSpace& space_;
  CpuPin pin_;
  VirtRange region_;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_BENCH_WORLD_H_

// SPDX-License-Identifier: Apache-2.0
//
// The smallest machine that page tables can live in, made anew for every execution: three CPUs, 64
// frames that are poisoned when they are given back, retired objects sealed one by one.
//
//   SmallTable<TinyConfig> world;
//   const PhysAddr frame = world.MapNew(pin, Pages(0, 1));
//   world.Run({[&](const CpuPin& pin) { ... }, [&](const CpuPin& pin) { ... }});   // CPUs 0, 1
//   world.ExpectView(...);
//   // the destructor checks the books: every frame free, nothing claimed, nothing retired
//
// Thread safety: Run and the destructor on the scenario's own thread.

#ifndef PADDOCK_STRESS_EXPLORE_SMALL_WORLD_H_
#define PADDOCK_STRESS_EXPLORE_SMALL_WORLD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "paddock/arch/tiny.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/model/scenario.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/physical_memory.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/page_table/page_table_env.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/core/tlb/tlb_system.h"
#include "paddock/stress/explore/poisoned_memory.h"

namespace paddock::explore {

// Runs each body on a thread of its own, pinned to the CPU of its number, and waits for all.
void RunPinned(CpuRegistry& cpus, const std::vector<std::function<void(const CpuPin&)>>& bodies);

class SmallWorld {
 public:
  static constexpr uint32_t kCpus = 3;
  // The CPU of the scenario's own thread while nobody else runs.
  static constexpr uint32_t kSetupCpu = kCpus - 1;
  static constexpr uint64_t kFrames = 64;

  explicit SmallWorld(TagMode tags = TagMode::kTagged);
  ~SmallWorld();
  SmallWorld(const SmallWorld&) = delete;
  SmallWorld& operator=(const SmallWorld&) = delete;

  void Run(const std::vector<std::function<void(const CpuPin&)>>& bodies) {
    RunPinned(cpus_, bodies);
  }

  CpuPin Pin(uint32_t cpu) { return Must(cpus_.Pin(CpuId{cpu})); }
  void Poll(const CpuPin& pin) {
    bus_.Poll(pin);
    rcu_.Poll(pin);
  }

  CpuRegistry& cpus() { return cpus_; }
  RcuDomain& rcu() { return rcu_; }
  IpiBus& bus() { return bus_; }
  FrameTable& frames() { return *frames_; }
  TlbSystem& tlb() { return tlb_; }
  PageTableEnv& env() { return env_; }

  UFrame NewFrame() { return Must(frames_->Allocate(Untyped{}, Zeroing::kLeave)); }

 private:
  CpuRegistry cpus_;
  RcuDomain rcu_;
  IpiBus bus_;
  const FrameBytes bytes_;
  std::unique_ptr<PhysicalMemory> memory_;
  std::unique_ptr<FrameTable> frames_;
  TlbSystem tlb_;
  PageTableEnv env_;
};

// Two levels of two entries: four pages. And three levels: eight pages, and tables below tables.
using TinyConfig = FramesConfig<tiny::Format2x2, 0, 1>;
using DeepConfig = FramesConfig<tiny::Format<3, 1>, 0, 1>;

// `count` pages from page number `first` on.
constexpr VirtRange Pages(uint64_t first, uint64_t count) {
  return {VirtAddr(first * kPageSize), VirtAddr((first + count) * kPageSize)};
}
constexpr VirtAddr Page(uint64_t number) { return VirtAddr(number * kPageSize); }

template <PageTableConfig C>
class SmallTable : public SmallWorld {
 public:
  explicit SmallTable(TagMode tags = TagMode::kTagged) : SmallWorld(tags) {
    const CpuPin pin = Pin(kSetupCpu);
    table_ = Must(PageTable<C>::Create(env(), pin));
  }
  ~SmallTable() {
    const CpuPin pin = Pin(kSetupCpu);
    table_.reset();
  }

  PageTable<C>& table() { return *table_; }

  CursorMut<C> Open(const CpuPin& pin, VirtRange range, const CursorOptions& options = {}) {
    return Must(table_->OpenCursorMut(pin, range, options));
  }
  // Maps new frames over the whole range, page by page; returns the first one's address.
  PhysAddr MapNew(const CpuPin& pin, VirtRange range) {
    CursorMut<C> cursor = Open(pin, range);
    return MapNew(cursor);
  }
  PhysAddr MapNew(CursorMut<C>& cursor) {
    const PhysAddr first = MapPage(cursor);
    while (cursor.remaining() != 0) MapPage(cursor);
    return first;
  }
  // The same, and sees under the same cursor what it mapped, whatever others do.
  void MapAndLook(const CpuPin& pin, VirtRange range) {
    CursorMut<C> cursor = Open(pin, range);
    std::vector<PhysAddr> frames;
    while (cursor.remaining() != 0) frames.push_back(MapPage(cursor));
    Must(cursor.Jump(range.start));
    for (const PhysAddr frame : frames) {
      const QueryResult seen = Must(cursor.Query());
      model::Expect(seen.item.has_value() && seen.item->frame == frame,
                    "a cursor sees what was mapped through it");
      Must(cursor.Jump(seen.range.end));
    }
  }
  Removed UnmapAll(const CpuPin& pin, VirtRange range) {
    CursorMut<C> cursor = Open(pin, range, {.intent = Intent::kNoMap});
    const Removed removed = Must(cursor.Unmap(range.size()));
    cursor.flusher().Sync();
    return removed;
  }

  // What the table maps now; while no other thread runs.
  AbstractTable View() {
    using Geo = Geometry<typename C::Format>;
    const CpuPin pin = Pin(kSetupCpu);
    Cursor<C> cursor = Must(table_->OpenCursor(pin, VirtRange{VirtAddr(0), VirtAddr(Geo::kSpan)}));
    return cursor.View();
  }
  std::optional<PhysAddr> FrameAt(VirtAddr va) {
    const std::optional<MappedRun> run = View().Query(va);
    if (!run) return std::nullopt;
    return run->frame;
  }
  // Tables that exist, the root included; while no other thread runs.
  uint64_t Tables() { return frames().used_pages() - View().mapped_pages(); }

 private:
  PhysAddr MapPage(CursorMut<C>& cursor) {
    UFrame frame = NewFrame();
    const PhysAddr address = frame.start();
    Must(cursor.Map(MappedFrames(std::move(frame), kReadWriteUser)));
    return address;
  }

  std::unique_ptr<PageTable<C>> table_;
};

}  // namespace paddock::explore

#endif  // PADDOCK_STRESS_EXPLORE_SMALL_WORLD_H_

// SPDX-License-Identifier: Apache-2.0
//
// Kernel areas whose addresses and frames are used again: not before every CPU that can hold the
// old translation has flushed it. A CPU that sees the news of the new area, and then still reads
// the old one's frame, has met an address that came back too early; poisoned frames show one that
// was freed too early.

#include <array>
#include <memory>

#include "paddock/concurrency/sync.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/stress/explore/kernel_world.h"
#include "paddock/stress/explore/scenarios.h"

namespace paddock::explore {
namespace {

constexpr uint64_t kOld = 1;
constexpr uint64_t kNew = 2;
constexpr VirtAddr kAddress = KernelWorld::kWindowStart;

// The one page of the window, which is an old area's and then a new one's.
class ReusedPage {
 public:
  explicit ReusedPage(KernelWorld& world) : world_(world) {
    const CpuPin pin = world.Pin(KernelWorld::kSetupCpu);
    area_ = world.NewArea(pin, kOld);
  }
  ~ReusedPage() {
    const CpuPin pin = world_.Pin(KernelWorld::kSetupCpu);
    Must(area_.Destroy(pin));
  }

  // Destroys the old area and makes the new one, which takes a flush.
  void Replace(const CpuPin& pin) {
    Must(area_.Destroy(pin));
    destroyed_.store(1, sync::release);
    area_ = world_.NewArea(pin, kNew);
    model::Expect(area_.range().start == kAddress, "the window has no other address");
    made_.store(1, sync::release);
  }

  // Reads through this CPU's TLB.
  void Look(const CpuPin& pin) {
    const bool destroyed = destroyed_.load(sync::acquire) == 1;
    const bool made = made_.load(sync::acquire) == 1;
    const std::optional<uint64_t> seen = world_.Look(pin, kAddress);
    if (!seen) {
      model::Expect(!made, "an area that was made is mapped");
      return model::Reach("nothing");
    }
    model::Expect(*seen == kNew || !made, "who knows of the new area does not read the old one");
    model::Expect(*seen == kOld || *seen == kNew, "an area reads as itself");
    model::Reach(*seen == kOld ? "old" : "new");
    if (destroyed && *seen == kOld) model::Reach("old, though destroyed");
  }

 private:
  KernelWorld& world_;
  KVirtArea area_;
  sync::Atomic<uint32_t> destroyed_{0};
  sync::Atomic<uint32_t> made_{0};
};

// The window is exhausted: making the new area flushes, and waits for the CPU that reads.
void ReuseOnExhaustion() {
  KernelWorld world({});
  ReusedPage page(world);
  world.Run({[&](const CpuPin& pin) { page.Replace(pin); },
             [&](const CpuPin& pin) {
               page.Look(pin);
               world.machine().Poll(pin);
               page.Look(pin);
             }});
}

// The reader was idle with the translation in its TLB, and wakes while the flush goes on.
void ReuseAgainstWaking() {
  KernelWorld world({});
  ReusedPage page(world);
  {
    const CpuPin pin = world.Pin(1);
    page.Look(pin);
  }
  world.Run(
      {[&](const CpuPin& pin) { page.Replace(pin); }, [&](const CpuPin& pin) { page.Look(pin); }});
}

// The reader holds the translation under the tag of a space that it does not run now.
void ReuseAgainstSwitching() {
  KernelWorld world({});
  ReusedPage page(world);
  std::shared_ptr<VmSpace> space;
  {
    const CpuPin pin = world.Pin(1);
    space = Must(VmSpace::Create(world.machine(), pin));
    space->Activate(pin);
    page.Look(pin);
    world.machine().DeactivateSpace(pin);
  }
  world.Run({[&](const CpuPin& pin) { page.Replace(pin); },
             [&](const CpuPin& pin) {
               space->Activate(pin);
               page.Look(pin);
               world.machine().DeactivateSpace(pin);
             }});
}

// Nothing may collect: destroying sends a flush and waits for nobody. Making the new area finds it
// acknowledged, or flushes everything.
void ReuseAfterAnUnawaitedFlush() {
  KernelWorld world({.quarantine_areas = 0});
  ReusedPage page(world);
  world.Run({[&](const CpuPin& pin) {
               page.Replace(pin);
               model::Reach(world.stats().flushes == 1 ? "acknowledged in time"
                                                       : "flushed everything");
             },
             [&](const CpuPin& pin) {
               page.Look(pin);
               world.machine().Poll(pin);
               page.Look(pin);
             }});
}

// Two CPUs, each with both translations in its TLB, replace an area each: both exhaust the window,
// and each waits for the other to flush.
void TwoReuse() {
  KernelWorld world({.window_pages = 2});
  std::array<KVirtArea, 2> areas;
  for (uint32_t cpu = 0; cpu < 2; ++cpu) areas[cpu] = world.NewArea(world.Pin(cpu), 10 + cpu);
  for (uint32_t cpu = 0; cpu < 2; ++cpu) {
    const CpuPin pin = world.Pin(cpu);
    for (const KVirtArea& area : areas) world.Look(pin, area.range().start);
  }
  const auto replace = [&](uint32_t me) {
    return [&, me](const CpuPin& pin) {
      Must(areas[me].Destroy(pin));
      areas[me] = world.NewArea(pin, 20 + me);
      model::Expect(world.Look(pin, areas[me].range().start) == 20 + me,
                    "a CPU sees its own new area, whatever was there");
    };
  };
  world.Run({replace(0), replace(1)});
  const TlbStats stats = world.machine().tlb().stats();
  if (stats.interrupts >= 2) model::Reach("interrupted each other");
  if (stats.full_flushes != 0) model::Reach("flushed for the other one, too");
  for (uint32_t cpu = 0; cpu < 2; ++cpu) Must(areas[cpu].Destroy(world.Pin(cpu)));
}

// An area is let go by a thread that is on no CPU, while another one wants its addresses: it stays
// mapped until somebody with a pin comes by.
void ReuseOfAnAbandonedArea() {
  KernelWorld world({});
  KVirtArea area;
  {
    const CpuPin pin = world.Pin(1);
    area = world.NewArea(pin, kOld);
    world.Look(pin, kAddress);
  }
  KVirtArea made;
  {
    const sync::Thread owner([&] { area = KVirtArea(); });
    world.Run({[&](const CpuPin& pin) {
      absl::StatusOr<KVirtArea> created = world.TryNewArea(pin, kNew);
      model::Expect(created.ok() || absl::IsResourceExhausted(created.status()),
                    "the addresses are free, or taken");
      model::Reach(created.ok() ? "got its addresses" : "came too early");
      if (created.ok()) made = *std::move(created);
    }});
  }
  const CpuPin pin = world.Pin(1);
  if (!made.empty()) model::Expect(world.Look(pin, kAddress) == kNew, "an idle CPU flushed, too");
  Must(made.Destroy(pin));
}

}  // namespace

std::vector<model::Scenario> KernelScenarios() {
  return {
      {.name = "kernel_reuse",
       .what = "an area's address and frame are used again while another CPU reads",
       .body = &ReuseOnExhaustion,
       .must_reach = {"old", "old, though destroyed", "nothing", "new"},
       .least_executions = 1000,
       .bound = 2},
      {.name = "kernel_reuse_wake",
       .what = "the same with a CPU that was idle and wakes",
       .body = &ReuseAgainstWaking,
       .must_reach = {"old", "nothing", "new"},
       .least_executions = 1000,
       .bound = 3},
      {.name = "kernel_reuse_switch",
       .what = "the same with a CPU that comes back to a space whose tag has the translation",
       .body = &ReuseAgainstSwitching,
       .must_reach = {"old", "nothing", "new"},
       .least_executions = 1000,
       .bound = 3},
      {.name = "kernel_reuse_unawaited",
       .what = "the flush of the old area was sent, and nobody waited for it",
       .body = &ReuseAfterAnUnawaitedFlush,
       .must_reach = {"old, though destroyed", "new", "acknowledged in time", "flushed everything"},
       .least_executions = 1000,
       .bound = 2},
      {.name = "kernel_reuse_mutual",
       .what = "two CPUs replace an area each in a window of two pages",
       .body = &TwoReuse,
       .must_reach = {"interrupted each other", "flushed for the other one, too"},
       .least_executions = 1000,
       .bound = 2},
      {.name = "kernel_reuse_abandoned",
       .what = "an area is let go without a CPU while another thread wants its addresses",
       .body = &ReuseOfAnAbandonedArea,
       .must_reach = {"got its addresses", "came too early"},
       .bound = 2},
  };
}

}  // namespace paddock::explore

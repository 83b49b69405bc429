// SPDX-License-Identifier: Apache-2.0
//
// Flushes between CPUs, and translations that must not outlive them. Poisoned frames show an
// access through a stale translation.

#include <array>

#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/page_table/hardware_walk.h"
#include "paddock/core/tlb/soft_tlb.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

using World = SmallTable<TinyConfig>;

// What user code on this CPU does: through its TLB, on a miss through the tables.
void AccessPage(World& world, const CpuPin& pin, VirtAddr va) {
  SoftTlb& tlb = world.tlb().soft_tlb(pin);
  const uint64_t tag = world.table().tlb_context().tag();
  std::optional<TlbEntry> entry = tlb.Lookup(tag, va);
  model::Reach(entry ? "hit" : "miss");
  if (!entry) {
    const RcuReadGuard section(world.rcu(), pin);
    const HardwareWalkResult walk = HardwareWalk(world.table(), section, va, Access::kRead);
    if (walk.fault != WalkFault::kNone) return model::Reach("fault");
    entry = TlbEntry{.page = va,
                     .bytes = kPageSize,
                     .frame = walk.translation.address,
                     .property = walk.translation.item.property};
    tlb.Insert(tag, *entry);
  }
  auto* const word = reinterpret_cast<uint64_t*>(world.frames().Data(entry->frame));
  sync::AtomicRef<uint64_t>(*word).load(sync::relaxed);
}

// Unmaps the pages, waits until no CPU can use them, and gives a frame to somebody else.
void UnmapAndReuse(World& world, const CpuPin& pin, VirtRange range = Pages(0, 1)) {
  world.UnmapAll(pin, range);
  for (int i = 0; i < 3; ++i) world.Poll(pin);
  const UFrame reused = world.NewFrame();
  auto* const word = reinterpret_cast<uint64_t*>(reused.Data());
  sync::AtomicRef<uint64_t>(*word).store(7, sync::relaxed);
}

// Accessed already: a walk that sets the bit by compare-exchange would see the newest entry.
void MapPage(World& world) {
  const CpuPin pin = world.Pin(World::kSetupCpu);
  CursorMut<TinyConfig> cursor = world.Open(pin, Pages(0, 1));
  PageProperty property = kReadWriteUser;
  property.flags |= PageFlags::kAccessed;
  Must(cursor.Map(MappedFrames(world.NewFrame(), property)));
}

void SyncWithEachOther() {
  SmallWorld world;
  TlbContext context(world.tlb());
  const auto flush = [&](uint64_t page) {
    return [&, page](const CpuPin& pin) {
      world.tlb().Activate(pin, context);
      {
        TlbFlusher flusher(world.tlb(), context, pin);
        flusher.Issue(Pages(page, 1));
        flusher.Sync();
      }
      world.tlb().Deactivate(pin);
    };
  };
  world.Run({flush(0), flush(1)});
  if (world.tlb().stats().interrupts != 0) model::Reach("interrupted");
  if (world.tlb().stats().interrupts == 2) model::Reach("interrupted each other");
}

// `range` is the page, or all that its table maps. Has found that a hardware walk loaded entries
// with acquire; with that mutant the schedule is shootdown_cut:44t2.55r1.
void AccessAgainstUnmap(VirtRange range) {
  World world;
  MapPage(world);
  world.Run({[&](const CpuPin& pin) { UnmapAndReuse(world, pin, range); },
             [&](const CpuPin& pin) {
               world.tlb().Activate(pin, world.table().tlb_context());
               AccessPage(world, pin, Page(0));
               world.Poll(pin);
               AccessPage(world, pin, Page(0));
               world.tlb().Deactivate(pin);
             }});
}

// The CPU has the translation, and comes to an interrupt point once it was sent the request,
// whatever the sender does meanwhile.
void InterruptPointAgainstUnmap() {
  World world;
  MapPage(world);
  {
    const CpuPin pin = world.Pin(1);
    world.tlb().Activate(pin, world.table().tlb_context());
    AccessPage(world, pin, Page(0));
  }
  sync::Atomic<uint32_t> awake(0);
  world.Run({[&](const CpuPin& pin) {
               sync::Spin([&] { return awake.load(sync::acquire) == 1; });
               UnmapAndReuse(world, pin);
             },
             [&](const CpuPin& pin) {
               awake.store(1, sync::release);
               sync::Spin([&] { return world.bus().HasPending(CpuId{1}); });
               world.Poll(pin);
               AccessPage(world, pin, Page(0));
               world.tlb().Deactivate(pin);
             }});
}

// A pager unmaps a page to write it out. Once all have acknowledged the flush, what they wrote
// through the old translation is there, and nothing more comes.
void WritingAgainstPagingOut() {
  World world;
  MapPage(world);
  const uint64_t tag = world.table().tlb_context().tag();
  sync::Plain<int> contents;
  {
    const CpuPin pin = world.Pin(1);
    world.tlb().Activate(pin, world.table().tlb_context());
    AccessPage(world, pin, Page(0));
  }
  const auto write = [&](const CpuPin& pin) {
    const bool mapped = world.tlb().soft_tlb(pin).Lookup(tag, Page(0)).has_value();
    if (mapped) contents.Write(1);
    model::Reach(mapped ? "writes" : "has been told");
  };
  world.Run({[&](const CpuPin& pin) {
               world.UnmapAll(pin, Pages(0, 1));
               contents.Read();
             },
             [&](const CpuPin& pin) {
               write(pin);
               world.Poll(pin);
               write(pin);
               world.tlb().Deactivate(pin);
             }});
}

// The same with a flush that is dispatched by Sync, whose dispatcher acknowledges last if it can.
void WritingAgainstSync() {
  SmallWorld world;
  TlbContext context(world.tlb());
  sync::Plain<int> contents;
  {
    const CpuPin pin = world.Pin(1);
    world.tlb().Activate(pin, context);
  }
  sync::Atomic<uint32_t> awake(0);
  world.Run({[&](const CpuPin& pin) {
               sync::Spin([&] { return awake.load(sync::acquire) == 1; });
               TlbFlusher flusher(world.tlb(), context, pin);
               flusher.Issue(Pages(0, 1));
               flusher.Sync();
               contents.Read();
             },
             [&](const CpuPin& pin) {
               awake.store(1, sync::release);
               if (!world.bus().HasPending(CpuId{1})) contents.Write(1);
               world.Poll(pin);
               world.tlb().Deactivate(pin);
             }});
}

// The CPU goes idle with the translation in its TLB, and wakes while the flush goes on.
void WakingAgainstUnmap() {
  World world;
  MapPage(world);
  {
    const CpuPin pin = world.Pin(1);
    world.tlb().Activate(pin, world.table().tlb_context());
    AccessPage(world, pin, Page(0));
  }
  world.Run({[&](const CpuPin& pin) { UnmapAndReuse(world, pin); },
             [&](const CpuPin& pin) {
               AccessPage(world, pin, Page(0));
               world.tlb().Deactivate(pin);
             }});
}

// The CPU runs another space meanwhile, and keeps the translation under its tag; without tags it
// must have lost it.
void SwitchingAgainstUnmap(TagMode tags) {
  World world(tags);
  MapPage(world);
  TlbContext other(world.tlb());
  {
    const CpuPin pin = world.Pin(1);
    world.tlb().Activate(pin, world.table().tlb_context());
    AccessPage(world, pin, Page(0));
    world.tlb().Activate(pin, other);
  }
  world.Run({[&](const CpuPin& pin) { UnmapAndReuse(world, pin); },
             [&](const CpuPin& pin) {
               world.tlb().Activate(pin, world.table().tlb_context());
               AccessPage(world, pin, Page(0));
               world.tlb().Deactivate(pin);
             }});
}

// The CPU runs the space, leaves it for another one while the flush is on its way to it, and comes
// back.
void LeavingAgainstUnmap() {
  World world;
  MapPage(world);
  TlbContext other(world.tlb());
  {
    const CpuPin pin = world.Pin(1);
    world.tlb().Activate(pin, world.table().tlb_context());
    AccessPage(world, pin, Page(0));
  }
  world.Run({[&](const CpuPin& pin) { UnmapAndReuse(world, pin); },
             [&](const CpuPin& pin) {
               world.tlb().Activate(pin, other);
               world.tlb().Activate(pin, world.table().tlb_context());
               AccessPage(world, pin, Page(0));
               world.tlb().Deactivate(pin);
             }});
  if (world.tlb().stats().interrupts != 0) model::Reach("was told");
  if (world.tlb().stats().lazy_skips != 0) model::Reach("was not told");
}

// One CPU unmaps, one runs the space, one ran it: the first waits for the second and lets the third
// catch up. The order in which they look at each other is left to them.
void RunningAndLazyAgainstUnmap() {
  World world;
  MapPage(world);
  TlbContext other(world.tlb());
  for (const uint32_t cpu : {1u, 2u}) {
    const CpuPin pin = world.Pin(cpu);
    world.tlb().Activate(pin, world.table().tlb_context());
    AccessPage(world, pin, Page(0));
    if (cpu == 2) world.tlb().Activate(pin, other);
  }
  const auto use = [&](const CpuPin& pin) {
    world.tlb().Activate(pin, world.table().tlb_context());
    AccessPage(world, pin, Page(0));
    world.tlb().Deactivate(pin);
  };
  world.Run({[&](const CpuPin& pin) { UnmapAndReuse(world, pin); }, use, use});
  if (world.tlb().stats().lazy_catchups != 0) model::Reach("caught up");
}

}  // namespace

std::vector<model::Scenario> ShootdownScenarios() {
  return {
      {.name = "shootdown_mutual",
       .what = "two CPUs flush the same space and sync with each other",
       .body = &SyncWithEachOther,
       .must_reach = {"interrupted", "interrupted each other"},
       .bound = 2},
      {.name = "shootdown_access",
       .what = "accesses through a TLB while the page is unmapped and its frame reused",
       .body = [] { AccessAgainstUnmap(Pages(0, 1)); },
       .must_reach = {"hit", "miss", "fault"},
       .bound = 2},
      {.name = "shootdown_cut",
       .what = "the same while the whole table goes",
       .body = [] { AccessAgainstUnmap(Pages(0, 2)); },
       .must_reach = {"hit", "miss", "fault"},
       .bound = 2},
      {.name = "shootdown_interrupt",
       .what = "a CPU is told of a flush, and its sender waits for it",
       .body = &InterruptPointAgainstUnmap,
       .must_reach = {"fault"},
       .bound = 2},
      {.name = "shootdown_page_out",
       .what = "a page is read after its flush, while a CPU writes to it",
       .body = &WritingAgainstPagingOut,
       .must_reach = {"writes", "has been told"},
       .bound = 2},
      {.name = "shootdown_sync",
       .what = "the same, of a flush that its dispatcher ends",
       .body = &WritingAgainstSync,
       .bound = 2},
      {.name = "shootdown_wake",
       .what = "an idle CPU wakes with a translation that is being flushed",
       .body = &WakingAgainstUnmap,
       .must_reach = {"hit", "fault"},
       .bound = 2},
      {.name = "shootdown_switch",
       .what = "a CPU comes back to a space whose translation is being flushed",
       .body = [] { SwitchingAgainstUnmap(TagMode::kTagged); },
       .must_reach = {"hit", "fault"},
       .bound = 2},
      {.name = "shootdown_untagged",
       .what = "the same without tags: the switch has flushed it",
       .body = [] { SwitchingAgainstUnmap(TagMode::kUntagged); },
       .must_reach = {"miss", "fault"},
       .bound = 3},
      {.name = "shootdown_leave",
       .what = "a CPU leaves a space while a flush is on its way to it, and comes back",
       .body = &LeavingAgainstUnmap,
       .must_reach = {"hit", "fault", "was told", "was not told"},
       .bound = 3},
      {.name = "shootdown_three",
       .what = "a CPU flushes one that runs the space and one that ran it",
       .body = &RunningAndLazyAgainstUnmap,
       .must_reach = {"hit", "fault", "caught up"},
       .bound = 2},
  };
}

}  // namespace paddock::explore

// SPDX-License-Identifier: Apache-2.0
//
// Granules whose locks move, or have moved, into the entries of a leaf table (granule_lock.h): they
// exclude as before, nobody misses a release, and neither a claim nor a bit that hardware sets gets
// lost in an entry that holds both.

#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/page_table/claim_queue.h"
#include "paddock/core/page_table/granule_lock.h"
#include "paddock/core/page_table/hardware_walk.h"
#include "paddock/core/page_table/node.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

// Two levels of four entries, each a granule.
using Config = FramesConfig<tiny::Format<2, 2>, 0, 3>;

// Pages 0 and 1 are mapped, by a table for pages 0 to 3.
class World : public SmallTable<Config> {
 public:
  World() {
    const CpuPin pin = Pin(kSetupCpu);
    MapNew(pin, Pages(0, 2));
  }
  // The lock of `page` has moved. So every other moves, once its page is claimed alone.
  explicit World(uint64_t page) : World() {
    const CpuPin pin = Pin(kSetupCpu);
    const auto cursor = Open(pin, Pages(page, 1));
    LeafLock().Move(uint64_t{1} << page);
  }

  GranuleLock LeafLock() {
    using N = Node<Config::Format>;
    return N::Child(frames(), table().TopLevelEntry(0), 2).lock(1);
  }
};

void ReachContended(World& world) {
  if (world.env().lock_stats().contended != 0) model::Reach("contended");
}

// Nobody has moved anything; two CPUs come to different pages at the same time.
void FirstMeeting() {
  World world;
  world.Run({[&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 1)); },
             [&](const CpuPin& pin) { world.MapAndLook(pin, Pages(1, 1)); }});
  if (world.LeafLock().Moved() != 0) model::Reach("moved");
  model::Expect(world.View().mapped_pages() == 2, "both pages stay mapped");
}

// Two cursors map `page` or replace what is there, and each sees what it mapped.
void SamePage(uint64_t moved, uint64_t page) {
  World world(moved);
  const auto map = [&](const CpuPin& pin) { world.MapAndLook(pin, Pages(page, 1)); };
  world.Run({map, map});
  model::Expect(world.View().Query(Page(page)).has_value(), "the page is mapped");
  ReachContended(world);
}

// A cursor over `wide`, where some locks have moved, against one over page 0.
void WideAgainstPage(uint64_t moved, VirtRange wide) {
  World world(moved);
  world.Run({[&](const CpuPin& pin) {
               CursorMut<Config> cursor = world.Open(pin, wide);
               const PhysAddr frame = world.MapNew(cursor);
               Must(cursor.Jump(Page(0)));
               model::Expect(Must(cursor.Query()).item->frame == frame,
                             "a cursor sees what was mapped through it");
             },
             [&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 1)); }});
  ReachContended(world);
}

// Two wide claims, and what each may hold while it waits for the other.
void WideAgainstWide(uint64_t moved) {
  World world(moved);
  const auto open = [&](const CpuPin& pin) { const auto cursor = world.Open(pin, Pages(0, 2)); };
  world.Run({open, [&](const CpuPin& pin) {
               world.MapAndLook(pin, Pages(0, 1));
               open(pin);
             }});
  ReachContended(world);
}

// A try gets the page or says that it is taken, and it never is for the other's sake alone.
void Try(uint64_t moved) {
  World world(moved);
  world.Run({[&](const CpuPin& pin) { world.MapAndLook(pin, Pages(1, 1)); },
             [&](const CpuPin& pin) {
               const auto cursor = world.table().TryOpenCursorMut(pin, Pages(0, 1));
               model::Expect(cursor.ok(), "a page that nobody holds is not taken");
             }});
}

// Page 2 is mapped before the cut, and among what it removed, or after it, and there.
void CutAgainstPage(uint64_t moved) {
  World world(moved);
  Removed taken;
  world.Run({[&](const CpuPin& pin) { taken = world.UnmapAll(pin, Pages(0, 4)); },
             [&](const CpuPin& pin) { world.MapNew(pin, Pages(2, 1)); }});
  const bool later = world.View().Query(Page(2)).has_value();
  model::Expect(taken.pages == (later ? 2 : 3), "no mapping is lost, and none comes twice");
  model::Reach(later ? "mapped later" : "unmapped later");
  if (world.env().lock_stats().stray_retries != 0) model::Reach("stray retry");
}

// One holds page 0 until the other has found it taken, and releases it at once or, to hand it over,
// when that one has waited for long.
void Waiting(uint64_t waits_ns) {
  World world(0);
  sync::Atomic<uint32_t> held(0);
  world.Run({[&](const CpuPin& pin) {
               {
                 const CursorMut<Config> cursor = world.Open(pin, Pages(0, 1));
                 held.store(1, sync::release);
                 sync::Spin([&] { return world.env().lock_stats().contended != 0; });
                 model::AdvanceTime(waits_ns);
               }
               world.MapAndLook(pin, Pages(0, 1));
             },
             [&](const CpuPin& pin) {
               sync::Spin([&] { return held.load(sync::acquire) == 1; });
               world.MapAndLook(pin, Pages(0, 1));
             }});
  ReachContended(world);
}

// Hardware sets the dirty bit in an entry that also holds the lock: neither gets lost.
void HardwareWrites() {
  World world(0);
  bool written = false;
  bool reported = false;
  world.Run({[&](const CpuPin& pin) {
               CursorMut<Config> cursor = world.Open(pin, Pages(0, 1));
               const auto changed = Must(cursor.ProtectNext(kPageSize, [](PageProperty property) {
                 property.flags &= ~PageFlags::kWrite;
                 return property;
               }));
               reported = HasAny(changed->before.flags, PageFlags::kDirty);
               model::Expect(world.LeafLock().IsHeld(1), "the cursor holds its granule");
             },
             [&](const CpuPin& pin) {
               const RcuReadGuard guard(world.rcu(), pin);
               written = HardwareWalk(world.table(), guard, Page(0), Access::kWrite).fault ==
                         WalkFault::kNone;
             }});
  const bool kept = HasAny(world.View().Query(Page(0))->property.flags, PageFlags::kDirty);
  model::Expect(!written || reported || kept, "no dirty bit is lost");
  model::Reach(written ? "written" : "refused");
}

}  // namespace

std::vector<model::Scenario> MovedScenarios() {
  return {
      {.name = "moved_meeting",
       .what = "two CPUs meet in one word, and a lock moves",
       .body = &FirstMeeting,
       .must_reach = {"moved"},
       .least_executions = 1000},
      {.name = "moved_page",
       .what = "two cursors replace a page whose lock has moved",
       .body = [] { SamePage(0, 0); },
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "moved_hole",
       .what = "two cursors map a page whose lock has moved",
       .body = [] { SamePage(3, 3); },
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "moved_under_way",
       .what = "a lock moves while another cursor is about to claim it",
       .body = [] { SamePage(3, 0); },
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "moved_wide",
       .what = "a wide cursor claims in both places",
       .body = [] { WideAgainstPage(0, Pages(0, 2)); },
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "moved_wide_under_way",
       .what = "a lock moves while a wide cursor claims",
       .body = [] { WideAgainstPage(3, Pages(0, 2)); },
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "moved_wide_above",
       .what = "the same from the table above",
       .body = [] { WideAgainstPage(3, Pages(0, 4)); },
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "moved_two_wide",
       .what = "two wide cursors while a lock moves",
       .body = [] { WideAgainstWide(3); },
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "moved_try",
       .what = "a cursor that does not wait, beside another",
       .body = [] { Try(3); },
       .least_executions = 100},
      {.name = "moved_cut",
       .what = "a table in which a lock has moved is cut out under a cursor on its way",
       .body = [] { CutAgainstPage(2); },
       .must_reach = {"stray retry", "mapped later", "unmapped later"},
       .least_executions = 1000},
      {.name = "moved_cut_under_way",
       .what = "a table is cut out while a lock moves in it",
       .body = [] { CutAgainstPage(3); },
       .must_reach = {"stray retry", "mapped later", "unmapped later"},
       .least_executions = 1000},
      {.name = "moved_wait",
       .what = "a release wakes who waits for a lock that has moved",
       .body = [] { Waiting(0); },
       .must_reach = {"contended"},
       .bound = 2},
      {.name = "moved_hand_off",
       .what = "a lock that has moved is handed to who has waited long",
       .body = [] { Waiting(2 * kHandOffNs); },
       .must_reach = {"contended"},
       .bound = 2},
      {.name = "moved_dirty",
       .what = "hardware writes through the entry that holds the lock",
       .body = &HardwareWrites,
       .must_reach = {"written", "refused"},
       .bound = 3},
  };
}

}  // namespace paddock::explore

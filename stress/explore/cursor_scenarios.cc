// SPDX-License-Identifier: Apache-2.0
//
// Two cursors in one table: disjoint, overlapping, making the same table, giving up, waiting long.

#include <array>

#include "paddock/concurrency/sync.h"
#include "paddock/core/page_table/claim_queue.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

using World = SmallTable<TinyConfig>;

void ReachLockStates(World& world) {
  const LockStats stats = world.env().lock_stats();
  if (stats.contended != 0) model::Reach("contended");
  if (stats.stray_retries != 0) model::Reach("stray retry");
}

void Disjoint() {
  World world;
  world.Run({[&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 1)); },
             [&](const CpuPin& pin) { world.MapAndLook(pin, Pages(3, 1)); }});
  model::Expect(world.View().mapped_pages() == 2, "both pages are mapped");
  ReachLockStates(world);
}

// Two pages of one table that does not exist yet: one table is made, not two.
void CreateSameTable() {
  World world;
  world.Run({[&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 1)); },
             [&](const CpuPin& pin) { world.MapAndLook(pin, Pages(1, 1)); }});
  model::Expect(world.View().mapped_pages() == 2, "both pages are mapped");
  model::Expect(world.Tables() == 2, "the root and one table");
  ReachLockStates(world);
}

void Overlapping() {
  World world;
  {
    const CpuPin pin = world.Pin(World::kSetupCpu);
    world.MapNew(pin, Pages(0, 4));
  }
  std::array<PhysAddr, 2> first;
  const auto replace = [&](uint32_t me, VirtRange range) {
    return [&, me, range](const CpuPin& pin) {
      CursorMut<TinyConfig> cursor = world.Open(pin, range);
      first[me] = world.MapNew(cursor);
    };
  };
  // They share page 1 and page 2, below different tables.
  world.Run({replace(0, Pages(0, 3)), replace(1, Pages(1, 3))});
  const AbstractTable view = world.View();
  model::Expect(view.mapped_pages() == 4, "all pages stay mapped");
  const bool zero_last = view.Query(Page(1))->frame != first[1];
  const PhysAddr page_one = view.Query(Page(1))->frame;
  model::Expect(zero_last || page_one == first[1], "the shared pages are of one of the two");
  model::Reach(zero_last ? "the first was later" : "the second was later");
  ReachLockStates(world);
}

// The later of two overlapping cursors sees all or nothing of what the earlier one did.
void AllOrNothing() {
  World world;
  world.Run({[&](const CpuPin& pin) {
               CursorMut<TinyConfig> cursor = world.Open(pin, Pages(0, 4));
               world.MapNew(cursor);
             },
             [&](const CpuPin& pin) {
               Cursor<TinyConfig> cursor = Must(world.table().OpenCursor(pin, Pages(0, 4)));
               const uint64_t pages = cursor.View().mapped_pages();
               model::Expect(pages == 0 || pages == 4, "a transaction is seen whole or not at all");
               model::Reach(pages == 0 ? "nothing" : "all");
             }});
  ReachLockStates(world);
}

void TryGivesUp() {
  World world;
  world.Run({[&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 2)); },
             [&](const CpuPin& pin) {
               const auto cursor = world.table().TryOpenCursorMut(pin, Pages(1, 2));
               model::Expect(cursor.ok() || absl::IsUnavailable(cursor.status()),
                             "a try gets the range or says that it is taken");
               model::Reach(cursor.ok() ? "got it" : "gave up");
             }});
}

// One cursor is open on page 0 when the others come for it, and stays open until `waiters` of them
// have found it taken.
class HeldPage {
 public:
  explicit HeldPage(World& world) : world_(world) {
    const CpuPin pin = world.Pin(World::kSetupCpu);
    world.MapNew(pin, Pages(0, 2));
  }

  void HoldUntilContended(const CpuPin& pin, uint64_t waiters, uint64_t then_ns) {
    const CursorMut<TinyConfig> cursor = world_.Open(pin, Pages(0, 1));
    held_.store(1, sync::release);
    sync::Spin([&] { return world_.env().lock_stats().contended >= waiters; });
    model::AdvanceTime(then_ns);
  }
  void AwaitHeld() {
    sync::Spin([&] { return held_.load(sync::acquire) == 1; });
  }

 private:
  World& world_;
  sync::Atomic<uint32_t> held_{0};
};

// A waiter has waited for long when the granule is released, and a newcomer comes at once: the
// release hands the granule to the waiter.
void LongWaitIsHandedTheGranule() {
  World world;
  HeldPage page(world);
  world.Run({[&](const CpuPin& pin) {
               page.HoldUntilContended(pin, 1, 2 * kHandOffNs);
               world.MapAndLook(pin, Pages(0, 1));
             },
             [&](const CpuPin& pin) {
               page.AwaitHeld();
               world.MapAndLook(pin, Pages(0, 1));
             }});
  ReachLockStates(world);
}

// Two wait for one granule, the older one not for ever: a wake-up that it cannot use must reach the
// other one.
void WakeUpIsPassedOn() {
  World world;
  HeldPage page(world);
  world.Run({[&](const CpuPin& pin) { page.HoldUntilContended(pin, 2, 0); },
             [&](const CpuPin& pin) {
               page.AwaitHeld();
               const auto cursor = world.table().OpenCursorMut(
                   pin, Pages(0, 1),
                   {.wait = Wait::kDeadline, .deadline_ns = sync::NowNs() + 1000});
               model::Reach(cursor.ok() ? "in time" : "too late");
             },
             [&](const CpuPin& pin) {
               page.AwaitHeld();
               const auto cursor = world.Open(pin, Pages(0, 1));
             }});
}

void DeadlinePasses() {
  World world;
  world.Run({[&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 2)); },
             [&](const CpuPin& pin) {
               const auto cursor = world.table().OpenCursorMut(
                   pin, Pages(0, 4),
                   {.wait = Wait::kDeadline, .deadline_ns = sync::NowNs() + 1000});
               model::Expect(cursor.ok() || absl::IsDeadlineExceeded(cursor.status()),
                             "a bounded wait gets the range or says that it took too long");
               model::Reach(cursor.ok() ? "in time" : "too late");
             }});
}

}  // namespace

std::vector<model::Scenario> CursorScenarios() {
  return {
      {.name = "cursors_disjoint",
       .what = "two cursors on pages of different tables",
       .body = &Disjoint,
       .least_executions = 100},
      {.name = "cursors_same_table",
       .what = "two cursors make the same missing table",
       .body = &CreateSameTable,
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "cursors_overlap",
       .what = "two cursors replace what is mapped, with two pages in common",
       .body = &Overlapping,
       .must_reach = {"contended", "the first was later", "the second was later"},
       .least_executions = 1000},
      {.name = "cursors_atomic",
       .what = "a reading cursor sees all or nothing of a mapping one",
       .body = &AllOrNothing,
       .must_reach = {"nothing", "all", "contended"},
       .least_executions = 1000},
      {.name = "cursor_try",
       .what = "a cursor that does not wait",
       .body = &TryGivesUp,
       .must_reach = {"got it", "gave up"}},
      {.name = "cursor_deadline",
       .what = "a cursor that waits for a bounded time",
       .body = &DeadlinePasses,
       .must_reach = {"in time", "too late"},
       .bound = 3},
      {.name = "cursor_hand_off",
       .what = "a granule is handed to who has waited long",
       .body = &LongWaitIsHandedTheGranule,
       .must_reach = {"contended"},
       .bound = 2},
      {.name = "cursor_wake_passed_on",
       .what = "a waiter that gives up passes its wake-up on to the next one",
       .body = &WakeUpIsPassedOn,
       .must_reach = {"in time", "too late"},
       .bound = 1},
  };
}

}  // namespace paddock::explore

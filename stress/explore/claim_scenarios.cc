// SPDX-License-Identifier: Apache-2.0
//
// What a cursor claims, and what it lets go of: neither less than its range, nor more.

#include <array>

#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

using World = SmallTable<TinyConfig>;

void MapBefore(World& world, VirtRange range) {
  const CpuPin pin = world.Pin(World::kSetupCpu);
  world.MapNew(pin, range);
}

// A wide cursor against one over its last page, whose granule is empty and in a table that exists.
void LastPageOfAWideOne() {
  World world;
  MapBefore(world, Pages(2, 1));
  world.Run({[&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 4)); },
             [&](const CpuPin& pin) { world.MapAndLook(pin, Pages(3, 1)); }});
  model::Expect(world.View().mapped_pages() == 4, "all pages are mapped");
  if (world.env().lock_stats().contended != 0) model::Reach("contended");
}

// The first cursor closes and opens another one: a granule of the second CPU's that the closing let
// go of would let both in.
void CloseAndOpen() {
  World world;
  MapBefore(world, Pages(0, 2));
  world.Run({[&](const CpuPin& pin) {
               world.MapAndLook(pin, Pages(1, 1));
               world.MapAndLook(pin, Pages(0, 1));
             },
             [&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 1)); }});
  if (world.env().lock_stats().contended != 0) model::Reach("contended");
}

// The same with a wide cursor that found no table, while the second CPU makes one.
void CloseAboveANewTable() {
  World world;
  world.Run({[&](const CpuPin& pin) {
               {
                 const auto wide = Must(world.table().OpenCursor(pin, Pages(0, 4)));
               }
               world.MapAndLook(pin, Pages(0, 1));
             },
             [&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 1)); }});
  model::Expect(world.View().mapped_pages() == 1, "the page is mapped");
  if (world.env().lock_stats().contended != 0) model::Reach("contended");
}

// Two cursors replace one page: each sees what the one before it left, so what they see differs.
void OneAfterTheOther() {
  World world;
  MapBefore(world, Pages(0, 1));
  std::array<PhysAddr, 2> seen;
  const auto replace = [&](uint32_t me) {
    return [&, me](const CpuPin& pin) {
      CursorMut<TinyConfig> cursor = world.Open(pin, Pages(0, 1));
      seen[me] = Must(cursor.Query()).item->frame;
      world.MapNew(cursor);
    };
  };
  world.Run({replace(0), replace(1)});
  model::Expect(seen[0] != seen[1], "a cursor sees all that the one before it did");
  if (world.env().lock_stats().contended != 0) model::Reach("contended");
}

// A try that has most of its range when it meets a taken granule gives back just what it took, and
// may wait for that granule afterwards.
void BackOut() {
  World world;
  MapBefore(world, Pages(0, 4));
  world.Run({[&](const CpuPin& pin) { world.MapAndLook(pin, Pages(3, 1)); },
             [&](const CpuPin& pin) {
               if (world.table().TryOpenCursorMut(pin, Pages(0, 4)).ok()) {
                 return model::Reach("got it");
               }
               model::Reach("gave up");
               world.MapAndLook(pin, Pages(3, 1));
             }});
  model::Expect(world.View().mapped_pages() == 4, "all pages stay mapped");
}

}  // namespace

std::vector<model::Scenario> ClaimScenarios() {
  return {
      {.name = "claims_last_page",
       .what = "a wide cursor against one over its last page",
       .body = &LastPageOfAWideOne,
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "claims_close_open",
       .what = "a cursor is closed beside another one, and opened over it",
       .body = &CloseAndOpen,
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "claims_close_wide",
       .what = "a wide cursor is closed while a table is made below it",
       .body = &CloseAboveANewTable,
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "claims_chain",
       .what = "two cursors replace one page, one after the other",
       .body = &OneAfterTheOther,
       .must_reach = {"contended"},
       .least_executions = 1000},
      {.name = "claims_back_out",
       .what = "a try over a wide range gives up half-way",
       .body = &BackOut,
       .must_reach = {"got it", "gave up"},
       .least_executions = 1000},
  };
}

}  // namespace paddock::explore

// SPDX-License-Identifier: Apache-2.0
//
// Three cursors at once in one table: what two of them cannot show is who waits for a waiter, and
// who is handed what. Bounds are low: three threads have many interleavings.

#include <array>

#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

using World = SmallTable<TinyConfig>;

constexpr uint32_t kCursors = 3;

void ReachContention(World& world) {
  const uint64_t contended = world.env().lock_stats().contended;
  if (contended != 0) model::Reach("contended");
  if (contended >= 2) model::Reach("two found it taken");
}

// Each maps its range with new frames and says what came first in it.
std::array<PhysAddr, kCursors> MapAtOnce(World& world, std::array<VirtRange, kCursors> ranges) {
  std::array<PhysAddr, kCursors> first;
  std::vector<std::function<void(const CpuPin&)>> bodies;
  for (uint32_t cpu = 0; cpu < kCursors; ++cpu) {
    bodies.push_back([&, cpu](const CpuPin& pin) { first[cpu] = world.MapNew(pin, ranges[cpu]); });
  }
  world.Run(bodies);
  ReachContention(world);
  return first;
}

void Disjoint() {
  World world;
  const std::array<PhysAddr, kCursors> first =
      MapAtOnce(world, {Pages(0, 1), Pages(2, 1), Pages(3, 1)});
  model::Expect(world.View().mapped_pages() == kCursors, "all pages are mapped");
  model::Expect(world.FrameAt(Page(0)) == first[0] && world.FrameAt(Page(2)) == first[1] &&
                    world.FrameAt(Page(3)) == first[2],
                "each page is of its own cursor");
  model::Expect(world.Tables() == 3, "the root and two tables");
}

// The second overlaps both others, which do not overlap each other: whatever the order, each page
// is of a cursor that covers it, and what one cursor mapped stands together or was replaced.
void Chained() {
  World world;
  const std::array<PhysAddr, kCursors> first =
      MapAtOnce(world, {Pages(0, 2), Pages(1, 2), Pages(2, 2)});
  model::Expect(world.View().mapped_pages() == 4, "all pages are mapped");
  model::Expect(world.FrameAt(Page(0)) == first[0], "nobody else maps the first page");
  const bool second_after_first = world.FrameAt(Page(1)) == first[1];
  const bool third_after_second = world.FrameAt(Page(2)) == first[2];
  model::Reach(second_after_first ? "the second after the first" : "the first after the second");
  model::Reach(third_after_second ? "the third after the second" : "the second after the third");
}

// All three want the same page of a table that is not there.
void SamePage() {
  World world;
  const std::array<PhysAddr, kCursors> first =
      MapAtOnce(world, {Pages(1, 1), Pages(1, 1), Pages(1, 1)});
  const std::optional<PhysAddr> last = world.FrameAt(Page(1));
  model::Expect(last == first[0] || last == first[1] || last == first[2], "one of them was last");
  model::Expect(world.Tables() == 2, "the root and one table");
  for (uint32_t cpu = 0; cpu < kCursors; ++cpu) {
    if (last == first[cpu]) model::Reach("CPU " + std::to_string(cpu) + " was last");
  }
}

}  // namespace

std::vector<model::Scenario> CrowdScenarios() {
  return {
      {.name = "crowd_disjoint",
       .what = "three cursors on pages of their own, two of them in one missing table",
       .body = &Disjoint,
       .must_reach = {"contended"},
       .least_executions = 1000,
       .bound = 1},
      {.name = "crowd_chained",
       .what = "three cursors, each with a page in common with the next",
       .body = &Chained,
       .must_reach = {"two found it taken", "the second after the first",
                      "the first after the second", "the third after the second",
                      "the second after the third"},
       .least_executions = 1000,
       .bound = 1},
      {.name = "crowd_same_page",
       .what = "three cursors on the same page of a missing table",
       .body = &SamePage,
       .must_reach = {"two found it taken", "CPU 0 was last", "CPU 1 was last", "CPU 2 was last"},
       .least_executions = 1000,
       .bound = 1},
  };
}

}  // namespace paddock::explore

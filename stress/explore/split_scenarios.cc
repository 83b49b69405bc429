// SPDX-License-Identifier: Apache-2.0
//
// Huge pages that are split, because something concerns only a part of them, under those who walk,
// who change another part, and under hardware that sets bits.

#include <array>

#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/segment.h"
#include "paddock/core/page_table/hardware_walk.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

constexpr uint64_t kHugePages = 2;

// One huge page over pages 0 and 1.
class HugeWorld : public SmallTable<TinyConfig> {
 public:
  HugeWorld() {
    const CpuPin pin = Pin(kSetupCpu);
    CursorMut<TinyConfig> cursor = Open(pin, Pages(0, kHugePages), {.anchor = Anchor::kHigh});
    USegment run =
        Must(frames().AllocateSegment(kHugePages, kHugePages, Untyped{}, Zeroing::kLeave));
    frame_ = run.start();
    Must(cursor.Map(MappedFrames(std::move(run), kReadWriteUser)));
  }

  PhysAddr FrameOf(uint64_t page) const { return frame_.Plus(page * kPageSize); }

  void MakeReadOnly(const CpuPin& pin, uint64_t page) {
    CursorMut<TinyConfig> cursor = Open(pin, Pages(page, 1));
    const auto change = [](PageProperty property) {
      property.flags &= ~PageFlags::kWrite;
      return property;
    };
    model::Expect(Must(cursor.Protect(kPageSize, change)) == 1, "the page is mapped");
  }

  // The page as it is now, while no other thread runs; it keeps its frame, whatever was split.
  PageFlags FlagsOf(uint64_t page) {
    const std::optional<MappedRun> run = View().Query(Page(page));
    model::Expect(run && run->frame == FrameOf(page), "the page keeps its frame");
    return run->property.flags;
  }
  void ExpectReadOnly(uint64_t page) {
    model::Expect(!HasAny(FlagsOf(page), PageFlags::kWrite), "the page was made read-only");
  }

 private:
  PhysAddr frame_;
};

// A walk without locks finds every page at its frame at every moment, and only the page that is
// protected changes.
void SplitAgainstWalk() {
  HugeWorld world;
  world.Run({[&](const CpuPin& pin) { world.MakeReadOnly(pin, 0); },
             [&](const CpuPin& pin) {
               const RcuReadGuard guard(world.rcu(), pin);
               for (uint64_t page = 0; page < kHugePages; ++page) {
                 const std::optional<Translation> found = world.table().Walk(guard, Page(page));
                 model::Expect(found && found->address == world.FrameOf(page),
                               "the page is there while it is split");
                 const bool writable = HasAny(found->item.property.flags, PageFlags::kWrite);
                 if (page == 1) model::Expect(writable, "the other page keeps its property");
                 if (page == 0) model::Reach(writable ? "writable" : "read-only");
                 model::Reach(found->item.level == 1 ? "split" : "whole");
               }
             }});
}

// Two cursors want a page each of one huge page: it is split once, and both have what they wanted.
void TwoSplit() {
  HugeWorld world;
  world.Run({[&](const CpuPin& pin) { world.MakeReadOnly(pin, 0); },
             [&](const CpuPin& pin) { world.MakeReadOnly(pin, 1); }});
  for (uint64_t page = 0; page < kHugePages; ++page) world.ExpectReadOnly(page);
  model::Expect(world.Tables() == 2, "the root and one table");
  if (world.env().lock_stats().contended != 0) model::Reach("contended");
}

// One part is unmapped while the other is protected: no frame is lost, none is freed twice.
void SplitToUnmap() {
  HugeWorld world;
  Removed removed;
  world.Run({[&](const CpuPin& pin) { world.MakeReadOnly(pin, 0); },
             [&](const CpuPin& pin) { removed = world.UnmapAll(pin, Pages(1, 1)); }});
  world.ExpectReadOnly(0);
  model::Expect(removed.pages == 1 && world.View().mapped_pages() == 1, "one page is left");
  if (world.env().lock_stats().contended != 0) model::Reach("contended");
}

// The hardware writes to a page while the huge page that it is part of is split.
void SplitAgainstDirtyBit() {
  HugeWorld world;
  bool written = false;
  world.Run({[&](const CpuPin& pin) { world.MakeReadOnly(pin, 0); },
             [&](const CpuPin& pin) {
               const RcuReadGuard guard(world.rcu(), pin);
               const HardwareWalkResult walk =
                   HardwareWalk(world.table(), guard, Page(1), Access::kWrite);
               written = walk.fault == WalkFault::kNone;
               model::Reach(walk.translation.item.level == 1 ? "written when split"
                                                             : "written when whole");
             }});
  model::Expect(written, "the page is writable all the time");
  model::Expect(HasAny(world.FlagsOf(1), PageFlags::kDirty), "its dirty bit is not lost");
}

}  // namespace

std::vector<model::Scenario> SplitScenarios() {
  return {
      {.name = "split_walk",
       .what = "a walk without locks while a huge page is split to protect a part",
       .body = &SplitAgainstWalk,
       .must_reach = {"whole", "split", "writable", "read-only"},
       .least_executions = 1000,
       .bound = 3},
      {.name = "split_protect",
       .what = "two cursors protect a part each of one huge page",
       .body = &TwoSplit,
       .must_reach = {"contended"},
       .least_executions = 1000,
       .bound = 2},
      {.name = "split_unmap",
       .what = "one part of a huge page is protected, the other unmapped",
       .body = &SplitToUnmap,
       .must_reach = {"contended"},
       .least_executions = 1000,
       .bound = 2},
      {.name = "split_dirty",
       .what = "hardware sets the dirty bit while a huge page is split",
       .body = &SplitAgainstDirtyBit,
       .must_reach = {"written when whole", "written when split"},
       .bound = 3},
  };
}

}  // namespace paddock::explore

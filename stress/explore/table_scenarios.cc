// SPDX-License-Identifier: Apache-2.0
//
// Tables that are cut out under those who walk, open cursors below them, or set bits in them.

#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/page_table/hardware_walk.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

template <PageTableConfig C>
void ReachStrayRetry(SmallTable<C>& world) {
  if (world.env().lock_stats().stray_retries != 0) model::Reach("stray retry");
}

template <PageTableConfig C>
void MapAtStart(SmallTable<C>& world, VirtRange range) {
  const CpuPin pin = world.Pin(SmallWorld::kSetupCpu);
  world.MapNew(pin, range);
}

// A table is cut out while another cursor is on its way into it, to map page 0. Either it was
// first, and its page is among those removed, or it was later, and its page is there: what is
// mapped in a table that was cut out would be neither.
template <PageTableConfig C>
void RemovalAgainstCursor(VirtRange mapped, VirtRange removed) {
  SmallTable<C> world;
  MapAtStart(world, mapped);
  Removed taken;
  world.Run({[&](const CpuPin& pin) { taken = world.UnmapAll(pin, removed); },
             [&](const CpuPin& pin) { world.MapNew(pin, Pages(0, 1)); }});
  const uint64_t before = mapped.size() / kPageSize;
  const bool later = world.View().Query(Page(0)).has_value();
  model::Expect(taken.pages == before + (later ? 0 : 1),
                "no mapping is lost, and none comes twice");
  model::Expect(world.View().mapped_pages() == (later ? 1 : 0), "what was unmapped is gone");
  model::Reach(later ? "mapped later" : "unmapped later");
  ReachStrayRetry(world);
}

// A walk without locks against the removal of the table that it walks through. The frames come back
// to the allocator and are used again while the walker is on its way. With another holder, a CPU
// that ran the space before, the flush has to be counted and the frames go with a batch.
enum class Holders : uint8_t { kNone, kAnother };
template <PageTableConfig C>
void RemovalAgainstWalk(VirtRange removed, Holders holders = Holders::kNone) {
  SmallTable<C> world;
  MapAtStart(world, removed);
  if (holders == Holders::kAnother) {
    const CpuPin pin = world.Pin(SmallWorld::kSetupCpu);
    world.tlb().Activate(pin, world.table().tlb_context());
    world.tlb().Deactivate(pin);
  }
  const std::optional<PhysAddr> before = world.FrameAt(Page(0));
  world.Run({[&](const CpuPin& pin) {
               world.UnmapAll(pin, removed);
               for (int i = 0; i < 3; ++i) world.Poll(pin);
               const UFrame reused = world.NewFrame();
               auto* const words = reinterpret_cast<uint64_t*>(reused.Data());
               sync::AtomicRef<uint64_t>(words[0]).store(~uint64_t{0}, sync::relaxed);
             },
             [&](const CpuPin& pin) {
               const RcuReadGuard guard(world.rcu(), pin);
               const std::optional<Translation> found = world.table().Walk(guard, Page(0));
               model::Reach(found ? "finds the mapping" : "finds nothing");
               if (!found) return;
               model::Expect(found->address == *before, "a walk sees the mapping or none");
               auto* const word = reinterpret_cast<uint64_t*>(world.frames().Data(found->address));
               sync::AtomicRef<uint64_t>(*word).load(sync::relaxed);
             }});
}

// The hardware sets the dirty bit in an entry whose property changes: the bit is found afterwards,
// in what the change reports or in the entry.
// `pages` of one table change together, or the next one; the hardware writes to the last.
enum class Change : uint8_t { kAll, kNext };
void DirtyBitAgainstProtect(uint64_t pages, Change which) {
  SmallTable<TinyConfig> world;
  const VirtAddr last = Page(pages - 1);
  MapAtStart(world, Pages(0, pages));
  bool written = false;
  bool reported = false;
  world.Run({[&](const CpuPin& pin) {
               CursorMut<TinyConfig> cursor = world.Open(pin, Pages(0, pages));
               const auto change = [](PageProperty property) {
                 property.flags &= ~PageFlags::kWrite;
                 return property;
               };
               if (which == Change::kAll) {
                 return (void)Must(cursor.Protect(pages * kPageSize, change));
               }
               const auto changed = Must(cursor.ProtectNext(kPageSize, change));
               reported = HasAny(changed->before.flags, PageFlags::kDirty);
             },
             [&](const CpuPin& pin) {
               const RcuReadGuard guard(world.rcu(), pin);
               const HardwareWalkResult walk =
                   HardwareWalk(world.table(), guard, last, Access::kWrite);
               written = walk.fault == WalkFault::kNone;
             }});
  const bool kept = HasAny(world.View().Query(last)->property.flags, PageFlags::kDirty);
  model::Expect(!written || reported || kept, "no dirty bit is lost");
  model::Reach(written ? "written" : "refused");
  if (reported) model::Reach("reported");
}

// The same; the table itself stays.
void DirtyBitAgainstUnmap(uint64_t pages) {
  SmallTable<TinyConfig> world;
  MapAtStart(world, Pages(0, pages));
  bool written = false;
  Removed removed;
  world.Run({[&](const CpuPin& pin) {
               const CursorOptions options{.intent = Intent::kNoMap, .anchor = Anchor::kLow};
               CursorMut<TinyConfig> cursor = world.Open(pin, Pages(0, pages), options);
               removed = Must(cursor.Unmap(pages * kPageSize));
             },
             [&](const CpuPin& pin) {
               const RcuReadGuard guard(world.rcu(), pin);
               written =
                   HardwareWalk(world.table(), guard, Page(pages - 1), Access::kWrite).fault ==
                   WalkFault::kNone;
             }});
  model::Expect(written == (removed.dirty_pages == 1),
                "unmapping reports exactly what was written");
  model::Reach(written ? "written" : "refused");
}

// The same, and the item is handed out.
void DirtyBitAgainstTake() {
  SmallTable<TinyConfig> world;
  MapAtStart(world, Pages(0, 1));
  bool written = false;
  bool reported = false;
  world.Run({[&](const CpuPin& pin) {
               CursorMut<TinyConfig> cursor = world.Open(pin, Pages(0, 1));
               const auto taken = Must(cursor.TakeNext(kPageSize));
               reported = HasAny(taken->item->property.flags, PageFlags::kDirty);
             },
             [&](const CpuPin& pin) {
               const RcuReadGuard guard(world.rcu(), pin);
               written = HardwareWalk(world.table(), guard, Page(0), Access::kWrite).fault ==
                         WalkFault::kNone;
             }});
  model::Expect(written == reported, "an item that is taken says whether it was written");
  model::Reach(written ? "written" : "refused");
}

// A table is cut out, freed, and made anew for other pages, while a cursor is on its way into it.
void ReuseAgainstCursor() {
  SmallTable<TinyConfig> world;
  MapAtStart(world, Pages(0, 1));
  world.Run({[&](const CpuPin& pin) {
               world.UnmapAll(pin, Pages(0, 2));
               for (int i = 0; i < 3; ++i) world.Poll(pin);
               world.MapNew(pin, Pages(2, 1));
             },
             [&](const CpuPin& pin) { world.MapAndLook(pin, Pages(0, 1)); }});
  const AbstractTable view = world.View();
  model::Expect(view.Query(Page(2)).has_value(), "what was mapped last is there");
  model::Expect(view.mapped_pages() == (view.Query(Page(0)) ? 2 : 1), "and nothing else");
  ReachStrayRetry(world);
}

// The half of a huge page goes while the hardware writes to the other half: the write reaches the
// frame that it did before, and its dirty bit is found in the huge entry's piece.
void SplitAgainstWrite() {
  SmallTable<TinyConfig> world;
  PhysAddr frame;
  {
    const CpuPin pin = world.Pin(SmallWorld::kSetupCpu);
    USegment frames = Must(world.frames().AllocateSegment(2, 2, Untyped{}, Zeroing::kLeave));
    frame = frames.start();
    CursorMut<TinyConfig> cursor = world.Open(pin, Pages(0, 2));
    Must(cursor.Map(MappedFrames(std::move(frames), kReadWriteUser)));
  }
  bool written = false;
  world.Run({[&](const CpuPin& pin) { world.UnmapAll(pin, Pages(1, 1)); },
             [&](const CpuPin& pin) {
               const RcuReadGuard guard(world.rcu(), pin);
               const HardwareWalkResult walk =
                   HardwareWalk(world.table(), guard, Page(0), Access::kWrite);
               written = walk.fault == WalkFault::kNone;
               model::Expect(written, "the other half stays mapped at every moment");
               model::Expect(walk.translation.address == frame, "to the same frame");
               model::Reach(walk.translation.item.level == 2 ? "before" : "after");
             }});
  const std::optional<MappedRun> left = world.View().Query(Page(0));
  model::Expect(left && HasAny(left->property.flags, PageFlags::kDirty), "no dirty bit is lost");
}

// Two cursors cut out the same tables, one of them more, while a third maps below both.
void TwoRemovalsAndACursor() {
  SmallTable<DeepConfig> world;
  MapAtStart(world, Pages(2, 2));
  Removed all;
  Removed half;
  world.Run({[&](const CpuPin& pin) { all = world.UnmapAll(pin, Pages(0, 4)); },
             [&](const CpuPin& pin) { half = world.UnmapAll(pin, Pages(0, 2)); },
             [&](const CpuPin& pin) { world.MapNew(pin, Pages(1, 1)); }});
  const uint64_t taken = all.pages + half.pages;
  const bool later = world.View().Query(Page(1)).has_value();
  model::Expect(taken == 2u + (later ? 0 : 1), "no mapping is lost, and none comes twice");
  ReachStrayRetry(world);
}

}  // namespace

std::vector<model::Scenario> TableScenarios() {
  return {
      {.name = "removal_cursor",
       .what = "a table is cut out while a cursor is on its way into it",
       .body = [] { RemovalAgainstCursor<TinyConfig>(Pages(1, 1), Pages(0, 2)); },
       .must_reach = {"stray retry", "mapped later", "unmapped later"},
       .least_executions = 1000},
      {.name = "removal_cursor_deep",
       .what = "the same with tables below the one that is cut out",
       .body = [] { RemovalAgainstCursor<DeepConfig>(Pages(1, 2), Pages(0, 4)); },
       .must_reach = {"stray retry", "mapped later", "unmapped later"},
       .least_executions = 1000},
      {.name = "removal_reuse",
       .what = "a table is cut out and made anew while a cursor is on its way into it",
       .body = &ReuseAgainstCursor,
       .must_reach = {"stray retry"},
       .least_executions = 1000},
      {.name = "removal_walk",
       .what = "a walk without locks through a table that is cut out and reused",
       .body = [] { RemovalAgainstWalk<TinyConfig>(Pages(0, 2)); },
       .must_reach = {"finds the mapping", "finds nothing"},
       .least_executions = 1000,
       .bound = 3},
      {.name = "removal_walk_told",
       .what = "the same when another CPU may hold translations",
       .body = [] { RemovalAgainstWalk<TinyConfig>(Pages(0, 2), Holders::kAnother); },
       .must_reach = {"finds the mapping", "finds nothing"},
       .least_executions = 1000,
       .bound = 3},
      {.name = "removal_walk_deep",
       .what = "the same over three levels",
       .body = [] { RemovalAgainstWalk<DeepConfig>(Pages(0, 4)); },
       .must_reach = {"finds the mapping", "finds nothing"},
       .least_executions = 1000,
       .bound = 3},
      {.name = "dirty_protect",
       .what = "hardware sets the dirty bit while the property changes",
       .body = [] { DirtyBitAgainstProtect(1, Change::kNext); },
       .must_reach = {"written", "refused", "reported"},
       .bound = 3},
      {.name = "dirty_protect_page",
       .what = "the same without a look at the next mapping",
       .body = [] { DirtyBitAgainstProtect(1, Change::kAll); },
       .must_reach = {"written", "refused"},
       .bound = 3},
      {.name = "dirty_protect_row",
       .what = "the same while those of two neighbours change",
       .body = [] { DirtyBitAgainstProtect(2, Change::kAll); },
       .must_reach = {"written", "refused"},
       .bound = 3},
      {.name = "dirty_unmap",
       .what = "hardware sets the dirty bit while the page is unmapped",
       .body = [] { DirtyBitAgainstUnmap(1); },
       .must_reach = {"written", "refused"},
       .bound = 3},
      {.name = "dirty_unmap_row",
       .what = "the same while two neighbours are unmapped",
       .body = [] { DirtyBitAgainstUnmap(2); },
       .must_reach = {"written", "refused"},
       .bound = 3},
      {.name = "dirty_take",
       .what = "hardware sets the dirty bit while the page is taken",
       .body = &DirtyBitAgainstTake,
       .must_reach = {"written", "refused"},
       .bound = 3},
      {.name = "split_write",
       .what = "a huge page is split while hardware writes to it",
       .body = &SplitAgainstWrite,
       .must_reach = {"before", "after"},
       .bound = 3},
      {.name = "removals_cursor",
       .what = "two removals and a cursor between them",
       .body = &TwoRemovalsAndACursor,
       .must_reach = {"stray retry"},
       .bound = 1},
  };
}

}  // namespace paddock::explore

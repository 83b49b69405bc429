// SPDX-License-Identifier: Apache-2.0
//
// "Hardware bits": what a concurrent walker sets is never lost. The hardware strikes at the worst
// moment: between the look at an entry and its replacement.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/arch/x86_64.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/hardware_walk.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/tests/support/entry_hooks.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

constexpr uint64_t kMiB2 = uint64_t{2} << 20;
constexpr PageFlags kAccessedDirty = PageFlags::kAccessed | PageFlags::kDirty;

using Config = FramesConfig<Watched<x86_64::Format4>, 0, 255>;

class HardwareBits : public TableTest<Config> {
 protected:
  // Runs `operation`; the moment before it exchanges `entry`, hardware writes through it.
  template <typename Operation>
  void Strike(Pte* entry, Operation operation) {
    EntryHooks hooks;
    bool struck = false;
    hooks.before_exchange = [&](Pte* exchanged) {
      if (exchanged != entry || struck) return;
      struck = true;
      std::atomic_ref<Pte>(*entry).fetch_or(x86_64::kAccessedBit | x86_64::kDirtyBit);
    };
    ScopedEntryHooks watch(hooks);
    operation();
    EXPECT_TRUE(struck);
  }
  UFrame MapFrame(VirtAddr va) {
    UFrame frame = Must(frames().Allocate(Untyped{}, Zeroing::kLeave));
    UFrame mapped = Must(frame.Clone());
    Must(Open({va, va.Plus(kPageSize)}).Map(MappedFrames(std::move(mapped), kReadWriteUser)));
    return frame;
  }
  USegment MapHuge(VirtAddr va) {
    USegment run = Must(frames().AllocateSegment(512, 512, Untyped{}, Zeroing::kLeave));
    USegment mapped = Must(run.Clone());
    Must(Open({va, va.Plus(kMiB2)}).Map(MappedFrames(std::move(mapped), kReadWriteUser)));
    return run;
  }
  bool IsMarked(PhysAddr frame) {
    const uint8_t flags = frames().slot(frame).flags.load(sync::seq_cst);
    return flags == (kSlotAccessed | kSlotDirty);
  }
};

TEST_F(HardwareBits, SetWhileAPageIsUnmappedTheyAreReportedAndKeptByTheFrame) {
  const UFrame frame = MapFrame(VirtAddr(0));
  CursorMut<Config> cursor = Open(Pages(0, 1));
  Strike(EntryOf(VirtAddr(0), 1), [&] {
    const Removed removed = Must(cursor.Unmap(kPageSize));
    EXPECT_EQ(removed.accessed_pages, 1u);
    EXPECT_EQ(removed.dirty_pages, 1u);
  });
  EXPECT_TRUE(IsMarked(frame.start()));
}

TEST_F(HardwareBits, SetWhileAPageIsReplacedTheyAreKeptByTheFrame) {
  const UFrame frame = MapFrame(VirtAddr(0));
  CursorMut<Config> cursor = Open(Pages(0, 1));
  UFrame next = Must(frames().Allocate(Untyped{}, Zeroing::kLeave));
  Strike(EntryOf(VirtAddr(0), 1),
         [&] { Must(cursor.Map(MappedFrames(std::move(next), kReadUser))); });
  EXPECT_TRUE(IsMarked(frame.start()));
  EXPECT_EQ(Hardware(VirtAddr(0))->property, kReadUser);
}

TEST_F(HardwareBits, SetWhileAPageIsProtectedTheySurviveInTheEntry) {
  const UFrame frame = MapFrame(VirtAddr(0));
  CursorMut<Config> cursor = Open(Pages(0, 1));
  const auto read_only = [](PageProperty property) {
    property.flags &= ~PageFlags::kWrite;
    return property;
  };
  Strike(EntryOf(VirtAddr(0), 1), [&] {
    const auto changed = Must(cursor.ProtectNext(kPageSize, read_only));
    EXPECT_TRUE(HasAll(changed->before.flags, kAccessedDirty));
  });
  EXPECT_EQ(Hardware(VirtAddr(0))->property.flags, kReadUser.flags | kAccessedDirty);
}

TEST_F(HardwareBits, SetWhileTheyAreHarvestedTheyAreInThePropertyBefore) {
  const UFrame frame = MapFrame(VirtAddr(0));
  CursorMut<Config> cursor = Open(Pages(0, 1));
  const auto clean = [](PageProperty property) {
    property.flags &= ~kAccessedDirty;
    return property;
  };
  Strike(EntryOf(VirtAddr(0), 1), [&] {
    EXPECT_TRUE(HasAll(Must(cursor.ProtectNext(kPageSize, clean))->before.flags, kAccessedDirty));
  });
  EXPECT_EQ(Hardware(VirtAddr(0))->property, kReadWriteUser);
}

TEST_F(HardwareBits, SetWhileTheMemoryTypeChangesTheySurvive) {
  const UFrame frame = MapFrame(VirtAddr(0));
  CursorMut<Config> cursor = Open(Pages(0, 1));
  const auto uncached = [](PageProperty property) {
    property.cache = CachePolicy::kUncacheable;
    return property;
  };
  Strike(EntryOf(VirtAddr(0), 1), [&] {
    EXPECT_TRUE(
        HasAll(Must(cursor.ProtectNext(kPageSize, uncached))->before.flags, kAccessedDirty));
  });
  const PageProperty now = Hardware(VirtAddr(0))->property;
  EXPECT_EQ(now.cache, CachePolicy::kUncacheable);
  EXPECT_TRUE(HasAll(now.flags, kAccessedDirty));
}

TEST_F(HardwareBits, SetWhileAHugePageIsSplitEveryPieceHasThem) {
  const USegment run = MapHuge(VirtAddr(0));
  CursorMut<Config> cursor = Open(Pages(0, 512));
  Must(cursor.Jump(VirtAddr(5 * kPageSize)));
  Strike(EntryOf(VirtAddr(0), 2), [&] {
    const Removed removed = Must(cursor.Unmap(kPageSize));
    EXPECT_EQ(removed.dirty_pages, 1u);
  });
  EXPECT_TRUE(IsMarked(run.start().Plus(5 * kPageSize)));
  for (const uint64_t page : {0, 4, 6, 511}) {
    EXPECT_TRUE(HasAll(Hardware(VirtAddr(page * kPageSize))->property.flags, kAccessedDirty));
  }
}

TEST_F(HardwareBits, SetInACutTableBeforeTheFlushTheyAreKeptByTheFrame) {
  const UFrame frame = MapFrame(VirtAddr(0));
  Pte* const entry = EntryOf(VirtAddr(0), 1);
  {
    CursorMut<Config> cursor = Open(Pages(0, 512));
    EXPECT_EQ(Must(cursor.Unmap(kMiB2)).pages, 1u);
    // A CPU that still has the cut table in its walk caches.
    std::atomic_ref<Pte>(*entry).fetch_or(x86_64::kAccessedBit | x86_64::kDirtyBit);
  }
  world().Settle(pin());
  EXPECT_TRUE(IsMarked(frame.start()));
}

// A CPU writes all along: each write that the tables let through ends in a dirty bit that somebody
// sees.
TEST_F(HardwareBits, OfAConcurrentWriterNoneIsLost) {
  constexpr uint64_t kPages = 24;
  const uint64_t seed = TestSeed();
  std::vector<UFrame> pages;
  pages.reserve(kPages);
  for (uint64_t i = 0; i < kPages; ++i) {
    pages.push_back(Must(frames().Allocate(Untyped{}, Zeroing::kLeave)));
  }
  std::atomic<bool> stop{false};
  std::array<std::atomic<uint64_t>, kPages> written{};  // by page
  std::map<uint64_t, uint64_t> page_of;
  for (uint64_t i = 0; i < kPages; ++i) page_of[pages[i].start().value()] = i;
  CpuThreads threads(world().cpus());
  for (const uint32_t cpu_number : {1u, 2u}) {
    threads.Run(cpu_number, [&, cpu_number](const CpuPin& cpu) {
      std::mt19937_64 random(seed + cpu_number);
      while (!stop) {
        {
          RcuReadGuard guard(world().rcu(), cpu);
          const VirtAddr va(random() % kPages * kPageSize);
          const HardwareWalkResult walk = HardwareWalk(table(), guard, va, Access::kWrite);
          if (walk.fault == WalkFault::kNone) {
            ++written[page_of.at(walk.translation.item.frame.value())];
          }
        }
        world().Poll(cpu);
      }
    });
  }
  std::mt19937_64 random(seed);
  uint64_t harvested = 0, removed_dirty = 0;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  // Until the writers have struck often enough for the test to mean something.
  for (int round = 0; round < 3000 || (removed_dirty < 20 || harvested < 20); ++round) {
    if (std::chrono::steady_clock::now() > deadline) break;
    const uint64_t i = random() % kPages;
    CursorMut<Config> cursor = Open(Pages(i, 1));
    switch (random() % 3) {
      case 0:
        Must(cursor.Map(MappedFrames(Must(pages[i].Clone()), kReadWriteUser)));
        break;
      case 1:
        removed_dirty += Must(cursor.Unmap(kPageSize)).dirty_pages;
        break;
      default: {
        const auto flip = [](PageProperty property) {
          property.software ^= 1;
          return property;
        };
        const auto changed = Must(cursor.ProtectNext(kPageSize, flip));
        if (changed && HasAll(changed->before.flags, PageFlags::kDirty)) ++harvested;
      }
    }
  }
  stop = true;
  threads.Join();
  EXPECT_TRUE(IsOk(Open(Pages(0, kPages)).Unmap(kPages * kPageSize)));
  world().Settle(pin());
  uint64_t dirty_frames = 0;
  for (uint64_t i = 0; i < kPages; ++i) {
    const bool marked =
        (frames().slot(pages[i].start()).flags.load(sync::seq_cst) & kSlotDirty) != 0;
    EXPECT_EQ(marked, written[i] != 0) << "page " << i;
    dirty_frames += marked;
  }
  EXPECT_GE(removed_dirty, 20u);
  EXPECT_GE(harvested, 20u);
  EXPECT_GT(dirty_frames, 0u);
}

}  // namespace
}  // namespace paddock

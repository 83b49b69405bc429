// SPDX-License-Identifier: Apache-2.0
//
// "Locks and cursors": walkers and cursors that meet nodes cut out under them, and tables created
// twice. A thread is stopped right after it has read an entry, the tree is changed under it, and it
// goes on.

#include <atomic>
#include <cstdint>
#include <functional>
#include <random>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/core/page_table/node_reserve.h"
#include "paddock/tests/support/entry_hooks.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

template <typename F>
class Stray : public TableTest<BareConfig<Watched<F>>> {
 protected:
  using Config = BareConfig<Watched<F>>;
  using Geo = Geometry<F>;

  // Runs `body` on CPU 1, stopped after its load number `nth` of `entry`; `meanwhile` runs here
  // while it stands.
  void StopAt(Pte* entry, const std::function<void(const CpuPin&)>& body,
              const std::function<void()>& meanwhile, int nth = 1) {
    Event stopped, go_on;
    int loads = 0;
    CpuThreads threads(this->world().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      EntryHooks hooks;
      hooks.after_load = [&](Pte* loaded, Pte) {
        if (loaded != entry || ++loads != nth) return;
        stopped.Set();
        EXPECT_TRUE(go_on.Await()) << "what was to run meanwhile waits for the one that stands";
      };
      ScopedEntryHooks watch(hooks);
      body(cpu);
    });
    EXPECT_TRUE(stopped.Await()) << "the entry was not loaded";
    meanwhile();
    go_on.Set();
  }

  uint64_t StrayRetries() { return this->env().lock_stats().stray_retries; }
};

// Of each format the highest level whose entries are cut by exact spans: nodes of level 1 and 2 are
// cut.
using Formats = testing::Types<tiny::Format<3, 1>, tiny::Format<3, 2, 2>, x86_64::Format4>;
TYPED_TEST_SUITE(Stray, Formats);

// Fails if the stray check after the claim is removed: the page would appear in a dead table.
TYPED_TEST(Stray, ACursorThatMeetsACutNodeEndsInTheLiveTree) {
  using Geo = typename TestFixture::Geo;
  using Config = typename TestFixture::Config;
  for (const int level : {2, 3}) {
    SCOPED_TRACE(level);
    const uint64_t span = Geo::EntrySpan(level);
    this->MapPage(VirtAddr(0), PhysAddr(0x1000));
    const uint64_t retries = this->StrayRetries();
    this->StopAt(
        this->EntryOf(VirtAddr(0), level),
        [&](const CpuPin& cpu) {
          CursorMut<Config> cursor = Must(this->table().OpenCursorMut(cpu, this->Pages(0, 1)));
          EXPECT_FALSE(Must(cursor.Query()).item);
          Must(cursor.Map(RawItem{PhysAddr(0x2000), 1, kReadUser}));
        },
        [&] { EXPECT_EQ(Must(this->Open(this->Bytes(0, span)).Unmap(span)).pages, 1u); });
    EXPECT_EQ(this->Hardware(VirtAddr(0)), (MappedPage{PhysAddr(0x2000), 1, kReadUser}));
    EXPECT_EQ(this->StrayRetries(), retries + 1);
    EXPECT_TRUE(IsOk(this->Open(this->Bytes(0, span)).Unmap(span)));
  }
}

// Fails if the stray check is removed for the creation of tables (only where level-2 nodes are
// cut).
TYPED_TEST(Stray, ACreatorThatMeetsACutNodeCreatesInTheLiveTree) {
  using Geo = typename TestFixture::Geo;
  using Config = typename TestFixture::Config;
  const uint64_t span = Geo::EntrySpan(3);
  const VirtAddr other(Geo::EntrySpan(2));
  // A level-2 node whose second entry is absent.
  this->MapPage(VirtAddr(0), PhysAddr(0x1000));
  const uint64_t retries = this->StrayRetries();
  this->StopAt(
      this->EntryOf(other, 2),
      [&](const CpuPin& cpu) {
        CursorMut<Config> cursor =
            Must(this->table().OpenCursorMut(cpu, {other, other.Plus(kPageSize)}));
        Must(cursor.Map(RawItem{PhysAddr(0x2000), 1, kReadUser}));
      },
      [&] { EXPECT_EQ(Must(this->Open(this->Bytes(0, span)).Unmap(span)).pages, 1u); },
      // The first load finds that there is something to create.
      /*nth=*/2);
  EXPECT_EQ(this->Hardware(other), (MappedPage{PhysAddr(0x2000), 1, kReadUser}));
  EXPECT_FALSE(this->Hardware(VirtAddr(0)));
  EXPECT_EQ(this->StrayRetries(), retries + 1);
}

// A sleeping waiter that were handed the granule would own one of whatever table the frame becomes
// next.
TYPED_TEST(Stray, ACursorThatFindsANodeStrayHandsItsGranuleToNobody) {
  using Geo = typename TestFixture::Geo;
  const uint64_t span = Geo::EntrySpan(2);
  this->MapPage(VirtAddr(0), PhysAddr(0x1000));
  MetaSlot& slot = this->NodeSlot(VirtAddr(0), 1);
  ClaimWaiter sleeper(slot, 1, CpuId{3}, /*since_ns=*/1);
  this->StopAt(
      this->EntryOf(VirtAddr(0), 2),
      [&](const CpuPin& cpu) {
        EXPECT_TRUE(IsOk(this->table().OpenCursor(cpu, this->Pages(0, 1))));
      },
      [&] {
        EXPECT_TRUE(IsOk(this->Open(this->Bytes(0, span)).Unmap(span)));
        this->env().claim_queues().Enqueue(sleeper);
      });
  EXPECT_EQ(sleeper.state(), ClaimWaiter::State::kWoken);
  this->env().claim_queues().Withdraw(sleeper, ClaimQueues::Leaving::kWithoutGranule);
  EXPECT_EQ(slot.lock.load(sync::seq_cst), 0u);
}

TYPED_TEST(Stray, AReadingCursorThatMeetsACutNodeSeesTheLiveTree) {
  using Geo = typename TestFixture::Geo;
  const uint64_t span = Geo::EntrySpan(3);
  this->MapPage(VirtAddr(0), PhysAddr(0x1000));
  this->StopAt(
      this->EntryOf(VirtAddr(0), 3),
      [&](const CpuPin& cpu) {
        auto cursor = Must(this->table().OpenCursor(cpu, this->Pages(0, 1)));
        EXPECT_EQ(Must(cursor.Query()).item->frame, PhysAddr(0x5000));
      },
      [&] {
        EXPECT_TRUE(IsOk(this->Open(this->Bytes(0, span)).Unmap(span)));
        this->MapPage(VirtAddr(0), PhysAddr(0x5000));
      });
}

TYPED_TEST(Stray, ATableReplacedByAHugePageIsSeenAsTheHugePage) {
  using Geo = typename TestFixture::Geo;
  const uint64_t span = Geo::EntrySpan(2);
  this->MapPage(VirtAddr(0), PhysAddr(0x1000));
  this->StopAt(
      this->EntryOf(VirtAddr(0), 2),
      [&](const CpuPin& cpu) {
        auto cursor = Must(this->table().OpenCursorMut(cpu, this->Pages(1, 1)));
        EXPECT_EQ(Must(cursor.Query()).item->level, 2);
        EXPECT_EQ(Must(cursor.Unmap(kPageSize)).pages, 1u);
      },
      [&] { this->MapPage(VirtAddr(0), PhysAddr(64 * span), 2); });
  EXPECT_EQ(this->View().mapped_pages(), span / kPageSize - 1);
}

// R2: what the walk read as "not a table" is only a hint.
TYPED_TEST(Stray, AHoleThatBecameATableIsWalkedInto) {
  const VirtAddr page(0);
  this->MapPage(VirtAddr(Geometry<TypeParam>::EntrySpan(2)), PhysAddr(0x1000));
  for (const Intent intent : {Intent::kMap, Intent::kNoMap}) {
    this->StopAt(
        this->EntryOf(page, 2),
        [&](const CpuPin& cpu) {
          auto cursor =
              Must(this->table().OpenCursorMut(cpu, this->Pages(0, 1), {.intent = intent}));
          EXPECT_EQ(Must(cursor.Query()).item->frame, PhysAddr(0x7000));
        },
        [&] { this->MapPage(page, PhysAddr(0x7000)); });
    const uint64_t span = Geometry<TypeParam>::EntrySpan(2);
    EXPECT_TRUE(IsOk(this->Open(this->Bytes(0, span)).Unmap(span)));
  }
}

TYPED_TEST(Stray, TwoThreadsThatCreateTheSameMissingTableCreateOne) {
  using Config = typename TestFixture::Config;
  using Geo = typename TestFixture::Geo;
  const uint64_t before = this->UsedFrames();
  Pte* const entry = this->EntryOf(VirtAddr(0), Geo::kLevels);
  Rendezvous both(2);
  CpuThreads threads(this->world().cpus());
  const uint64_t pages[] = {0, Geo::EntriesPerGranule(1)};
  for (uint32_t i = 0; i < 2; ++i) {
    threads.Run(i + 1, [&, i](const CpuPin& cpu) {
      EntryHooks hooks;
      bool met = false;
      hooks.after_load = [&](Pte* loaded, Pte value) {
        if (loaded != entry || met) return;
        met = true;
        EXPECT_EQ(value, kAbsentPte);
        EXPECT_TRUE(both.Meet());
      };
      ScopedEntryHooks watch(hooks);
      const VirtRange range = this->Pages(pages[i] % Geo::Entries(1), 1);
      CursorMut<Config> cursor = Must(this->table().OpenCursorMut(cpu, range));
      Must(cursor.Map(RawItem{PhysAddr((i + 1) * kPageSize), 1, kReadUser}));
    });
  }
  threads.Join();
  EXPECT_EQ(this->UsedFrames(), before + Geo::kLevels - 1);
}

// Fails if nodes are freed without a grace period.
TYPED_TEST(Stray, AWalkThatStandsInACutNodeNeverStandsInAFreedOne) {
  using Geo = typename TestFixture::Geo;
  using Config = typename TestFixture::Config;
  for (const int level : {2, 3}) {
    SCOPED_TRACE(level);
    const uint64_t span = Geo::EntrySpan(level);
    this->MapPage(VirtAddr(0), PhysAddr(0x1000));
    std::vector<PhysAddr> nodes;
    for (int below = 1; below < level; ++below) nodes.push_back(*this->NodeOf(VirtAddr(0), below));
    const uint64_t used = this->frames().used_pages();
    this->StopAt(
        this->EntryOf(VirtAddr(0), level),
        [&](const CpuPin& cpu) {
          RcuReadGuard guard(this->env().rcu(), cpu);
          // The walk began before the cut: it may still see the page.
          const auto found = this->table().Walk(guard, VirtAddr(0));
          if (found) {
            EXPECT_EQ(found->address, PhysAddr(0x1000));
          }
        },
        [&] {
          EXPECT_TRUE(IsOk(this->Open(this->Bytes(0, span)).Unmap(span)));
          for (int i = 0; i < 200; ++i) this->world().Poll(this->pin());
          for (const PhysAddr node : nodes) {
            EXPECT_EQ(this->frames().slot(node).kind.load(sync::seq_cst),
                      &MetaVtableOf<NodeMeta<Config>>());
          }
        });
    EXPECT_EQ(this->UsedFrames(), used - (level - 1));
  }
}

// The same at random: every node that a walk reads an entry of is a node of this kind at that
// moment.
TYPED_TEST(Stray, WalksDuringSubtreeRemovalReadLiveNodesOnly) {
  using Geo = typename TestFixture::Geo;
  using Config = typename TestFixture::Config;
  constexpr bool kLarge = Geo::Entries(1) > 64;
  const uint64_t unit = kLarge ? Geo::EntrySpan(2) / 2 : kPageSize;
  const uint64_t units = kLarge ? 8 : Geo::kSpan / kPageSize;
  const uint64_t seed = TestSeed();
  std::atomic<bool> stop{false};
  std::atomic<int> bad{0};
  std::atomic<uint64_t> looked{0};
  std::byte* const memory = this->frames().memory().Data(this->frames().memory().base());
  CpuThreads threads(this->world().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    std::mt19937_64 random(seed);
    EntryHooks hooks;
    hooks.after_load = [&](Pte* entry, Pte) {
      const PhysAddr frame(reinterpret_cast<std::byte*>(entry) - memory);
      const MetaVtable* kind = this->frames().slot(frame).kind.load(sync::seq_cst);
      if (kind != &MetaVtableOf<NodeMeta<Config>>()) ++bad;
      ++looked;
    };
    while (!stop) {
      {
        ScopedEntryHooks watch(hooks);
        RcuReadGuard guard(this->env().rcu(), cpu);
        this->table().Walk(guard, VirtAddr(random() % units * unit));
      }
      this->world().Poll(cpu);
    }
  });
  std::mt19937_64 random(seed + 1);
  for (int round = 0; round < 1500 || looked < 1000; ++round) {
    const uint64_t at = random() % units * unit;
    this->MapPage(VirtAddr(at), PhysAddr(0x1000));
    const uint64_t span = Geo::EntrySpan(random() % 4 == 0 ? 3 : 2);
    const uint64_t start = at / span * span;
    EXPECT_TRUE(IsOk(this->Open(this->Bytes(start, span)).Unmap(span)));
  }
  stop = true;
  threads.Join();
  EXPECT_EQ(bad.load(), 0);
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// What one CPU unmaps no other CPU reaches any more once Sync has returned, and no CPU ever reaches
// a frame that was freed.

#include <atomic>
#include <cstdint>
#include <random>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

using absl::StatusCode;

class Coherence : public MachineTest {};

// How many pages are changed at once: those after the first are flushed together.
class RowCoherence : public Coherence, public testing::WithParamInterface<uint64_t> {
 protected:
  static VirtAddr Nth(uint64_t page) { return VirtAddr((1 + page) * kPageSize); }
  VirtRange Row() const { return VirtRange{Nth(0), Nth(GetParam())}; }
  static PageProperty ReadOnly(PageProperty property) {
    property.flags &= ~PageFlags::kWrite;
    return property;
  }
  // `protect` takes the right to write away from the whole row.
  void ExpectDowngradeSeen(absl::FunctionRef<void(VmSpace::CursorMut&)> protect) {
    const auto space = NewSpace();
    for (uint64_t i = 0; i < GetParam(); ++i) MapNew(*space, Page(1 + i));
    Event stored, protected_now;
    CpuThreads threads(machine().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      space->Activate(cpu);
      for (uint64_t i = 0; i < GetParam(); ++i) EXPECT_TRUE(IsOk(space->Store(cpu, Nth(i), 1)));
      stored.Set();
      EXPECT_TRUE(protected_now.Await([&] { machine().Poll(cpu); }));
      for (uint64_t i = 0; i < GetParam(); ++i) {
        EXPECT_TRUE(Refused(space->Store(cpu, Nth(i), 2), StatusCode::kPermissionDenied)) << i;
        EXPECT_EQ(Must(space->Load(cpu, Nth(i))).value, 1u);
      }
      machine().DeactivateSpace(cpu);
    });
    ASSERT_TRUE(stored.Await());
    {
      VmSpace::CursorMut cursor = Must(space->OpenCursorMut(pin(), Row()));
      protect(cursor);
      cursor.flusher().Sync();
    }
    protected_now.Set();
  }
};
INSTANTIATE_TEST_SUITE_P(Pages, RowCoherence, testing::Values(1, 4));

TEST_P(RowCoherence, AnUnmapIsSeenByAnotherCpuAfterSync) {
  const auto space = NewSpace();
  for (uint64_t i = 0; i < GetParam(); ++i) MapNew(*space, Page(1 + i));
  Event loaded, unmapped;
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    space->Activate(cpu);
    for (uint64_t i = 0; i < GetParam(); ++i) EXPECT_TRUE(IsOk(space->Load(cpu, Nth(i))));
    loaded.Set();
    EXPECT_TRUE(unmapped.Await([&] { machine().Poll(cpu); }));
    for (uint64_t i = 0; i < GetParam(); ++i) {
      EXPECT_TRUE(Refused(space->Load(cpu, Nth(i)), StatusCode::kNotFound)) << i;
    }
    machine().DeactivateSpace(cpu);
  });
  ASSERT_TRUE(loaded.Await());
  UnmapPage(*space, pin(), Row());
  unmapped.Set();
}

TEST_P(RowCoherence, ADowngradeIsSeenByAnotherCpuAfterSync) {
  ExpectDowngradeSeen([this](VmSpace::CursorMut& cursor) {
    EXPECT_EQ(Must(cursor.Protect(Row().size(), &ReadOnly)), GetParam());
  });
}

TEST_P(RowCoherence, ADowngradeOneByOneIsSeenByAnotherCpuAfterSync) {
  ExpectDowngradeSeen([](VmSpace::CursorMut& cursor) {
    while (cursor.remaining() != 0) {
      EXPECT_TRUE(Must(cursor.ProtectNext(cursor.remaining(), &ReadOnly)).has_value());
    }
  });
}

// Which a live entry may not be given: each is broken, flushed and made anew.
TEST_P(RowCoherence, AnotherMemoryTypeReachesEveryPage) {
  const auto space = NewSpace();
  for (uint64_t i = 0; i < GetParam(); ++i) MapNew(*space, Page(1 + i));
  VmSpace::CursorMut cursor = Must(space->OpenCursorMut(pin(), Row()));
  EXPECT_EQ(Must(cursor.Protect(Row().size(),
                                [](PageProperty property) {
                                  property.cache = CachePolicy::kUncacheable;
                                  return property;
                                })),
            GetParam());
  ASSERT_TRUE(IsOk(cursor.Jump(Nth(0))));
  for (uint64_t i = 0; i < GetParam(); ++i) {
    const QueryResult found = Must(cursor.Query());
    ASSERT_TRUE(found.item) << i;
    EXPECT_EQ(found.item->property.cache, CachePolicy::kUncacheable) << i;
    ASSERT_TRUE(IsOk(cursor.Jump(found.range.end)));
  }
}

// Fails if frames are released before the flush is acknowledged.
TEST_F(Coherence, AStaleTlbEntryNeverReachesAFreedFrame) {
  const auto space = NewSpace();
  const PhysAddr frame = MapNew(*space, Page(1));
  Event loaded, closed, checked;
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    space->Activate(cpu);
    EXPECT_TRUE(IsOk(space->Load(cpu, VirtAddr(0x1000))));
    loaded.Set();
    // No interrupt point here: the entry stays, and is stale by right.
    EXPECT_TRUE(closed.Await());
    const AccessResult stale = Must(space->Load(cpu, VirtAddr(0x1000)));
    EXPECT_EQ(stale.frame, frame);
    EXPECT_EQ(stale.generation_now, stale.generation_at_fill) << "a freed frame was reached";
    checked.Set();
    machine().DeactivateSpace(cpu);
  });
  ASSERT_TRUE(loaded.Await());
  {
    EXPECT_TRUE(IsOk(Must(space->OpenCursorMut(pin(), Page(1))).Unmap(kPageSize)));
  }
  for (int i = 0; i < 100; ++i) machine().Poll(pin());
  closed.Set();
  EXPECT_TRUE(checked.Await());
  threads.Join();
  Settle();
  EXPECT_EQ(frames().slot(frame).ref_count.load(sync::seq_cst), kRefUnused);
}

TEST_F(Coherence, AReplacedPageIsReachedNoMore) {
  const auto space = NewSpace();
  const PhysAddr before = MapNew(*space, Page(1));
  space->Activate(pin());
  EXPECT_EQ(Must(space->Load(pin(), VirtAddr(0x1000))).frame, before);
  const PhysAddr after = MapNew(*space, Page(1));
  EXPECT_EQ(Must(space->Load(pin(), VirtAddr(0x1000))).frame, after);
  machine().DeactivateSpace(pin());
}

TEST_F(Coherence, ACpuThatWasElsewhereMeanwhileHoldsNothingStale) {
  const auto space = NewSpace();
  const auto other = NewSpace();
  MapNew(*space, Page(1));
  Event loaded, unmapped;
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    space->Activate(cpu);
    EXPECT_TRUE(IsOk(space->Load(cpu, VirtAddr(0x1000))));
    other->Activate(cpu);
    loaded.Set();
    EXPECT_TRUE(unmapped.Await());  // without an interrupt point
    space->Activate(cpu);
    EXPECT_TRUE(Refused(space->Load(cpu, VirtAddr(0x1000)), StatusCode::kNotFound));
    machine().DeactivateSpace(cpu);
  });
  ASSERT_TRUE(loaded.Await());
  UnmapPage(*space, pin(), Page(1));
  unmapped.Set();
}

TEST_F(Coherence, ACpuThatSleptMeanwhileHoldsNothingStale) {
  const auto space = NewSpace();
  MapNew(*space, Page(1));
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    space->Activate(cpu);
    EXPECT_TRUE(IsOk(space->Load(cpu, VirtAddr(0x1000))));
  });
  threads.Join();
  UnmapPage(*space, pin(), Page(1));  // nobody acknowledges: CPU 1 is idle
  threads.Run(1, [&](const CpuPin& cpu) {
    EXPECT_TRUE(space->IsActiveOn(cpu));
    EXPECT_TRUE(Refused(space->Load(cpu, VirtAddr(0x1000)), StatusCode::kNotFound));
    machine().DeactivateSpace(cpu);
  });
  threads.Join();
}

TEST_F(Coherence, TwoCpusThatSyncWithEachOtherFinish) {
  const auto space = NewSpace();
  std::atomic<int> finished{0};
  CpuThreads threads(machine().cpus());
  for (const uint32_t id : {1u, 2u}) {
    threads.Run(id, [&, id](const CpuPin& cpu) {
      space->Activate(cpu);
      const VirtRange page = Page(id * 100);
      for (int i = 0; i < 300; ++i) {
        {
          auto cursor = Must(space->OpenCursorMut(cpu, page));
          Must(cursor.Map(MappedFrames(NewFrame(), kReadWriteUser)));
        }
        EXPECT_TRUE(IsOk(space->Store(cpu, page.start, i)));
        UnmapPage(*space, cpu, page);
        machine().Poll(cpu);
      }
      ++finished;
      // The other one may still want an acknowledgement.
      EXPECT_TRUE(Eventually([&] { return finished == 2; }, [&] { machine().Poll(cpu); }));
      machine().DeactivateSpace(cpu);
    });
  }
  threads.Join();
  EXPECT_EQ(finished, 2);
}

TEST_F(Coherence, NoAccessOfAnyCpuEverReachesAFreedFrame) {
  constexpr uint64_t kPages = 16;
  const uint64_t seed = TestSeed();
  const auto space = NewSpace();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> accesses{0}, stale{0};
  CpuThreads threads(machine().cpus());
  for (const uint32_t id : {1u, 2u}) {
    threads.Run(id, [&, id](const CpuPin& cpu) {
      std::mt19937_64 random(seed + id);
      while (!stop) {
        space->Activate(cpu);
        for (int i = 0; i < 50; ++i) {
          const VirtAddr va(random() % kPages * kPageSize);
          const auto result = random() % 2 ? space->Load(cpu, va) : space->Store(cpu, va, id);
          if (!result.ok()) continue;
          ++accesses;
          if (result->generation_at_fill != result->generation_now) ++stale;
          if (random() % 4 == 0) machine().Poll(cpu);
        }
        if (random() % 4 == 0) machine().DeactivateSpace(cpu);
        machine().Poll(cpu);
      }
      machine().DeactivateSpace(cpu);
    });
  }
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000 || accesses < 1000; ++round) {
    const uint64_t page = random() % kPages;
    if (random() % 3 != 0) {
      UFrame frame = NewFrame();
      VmSpace::CursorMut cursor = Must(space->OpenCursorMut(pin(), Page(page)));
      Must(cursor.Map(MappedFrames(std::move(frame), kReadWriteUser)));
    } else {
      const uint64_t pages = 1 + random() % (kPages - page);
      VmSpace::CursorMut cursor =
          Must(space->OpenCursorMut(pin(), {Page(page).start, Page(page + pages - 1).end}));
      EXPECT_TRUE(IsOk(cursor.Unmap(pages * kPageSize)));
      if (random() % 8 == 0) cursor.flusher().Sync();
    }
    machine().Poll(pin());
  }
  stop = true;
  threads.Join();
  EXPECT_EQ(stale, 0u);
}

}  // namespace
}  // namespace paddock

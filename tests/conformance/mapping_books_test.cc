// SPDX-License-Identifier: Apache-2.0
//
// "Mapping", on tables that own frames: counts, flushes, and when what was replaced is let go.

#include <cstdint>
#include <optional>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/arch/x86_64.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/tests/support/moved_from.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

using Config = FramesConfig<x86_64::Format4, 0, 255>;

class MappingBooks : public TableTest<Config> {
 protected:
  UFrame NewFrame() { return Must(frames().Allocate(Untyped{}, Zeroing::kLeave)); }
  USegment NewHuge() {
    return Must(frames().AllocateSegment(512, 512, Untyped{}, Zeroing::kLeave));
  }
  uint32_t References(PhysAddr frame) { return frames().slot(frame).ref_count.load(sync::seq_cst); }
  const VirtRange page_ = Bytes(0x1000, kPageSize);
  const VirtRange huge_ = Bytes(uint64_t{4} << 20, uint64_t{2} << 20);
};

TEST_F(MappingBooks, AMappingOwnsItsFrameUntilItIsUnmapped) {
  UFrame frame = NewFrame();
  const PhysAddr address = frame.start();
  UFrame second = Must(frame.Clone());
  ASSERT_TRUE(IsOk(Open(page_).Map(MappedFrames(std::move(frame), kReadWriteUser))));
  EXPECT_EQ(References(address), 2u);
  EXPECT_EQ(Must(Open(page_).Unmap(kPageSize)).pages, 1u);
  world().Settle(pin());
  EXPECT_EQ(References(address), 1u);
}

TEST_F(MappingBooks, AFailedMapLeavesTheItemWithTheCaller) {
  MappedFrames item(NewFrame(), kReadWriteUser);
  CursorMut<Config> cursor = Open(page_);
  ASSERT_TRUE(IsOk(cursor.Jump(page_.end)));
  EXPECT_TRUE(Refused(cursor.Map(Offer(item)), absl::StatusCode::kOutOfRange));
  EXPECT_FALSE(item.frames.empty());
  EXPECT_EQ(References(item.frames.start()), 1u);
}

TEST_F(MappingBooks, ANumberOfPagesThatNoLevelMapsIsRefused) {
  MappedFrames item(Must(frames().AllocateSegment(3, 1, Untyped{}, Zeroing::kLeave)), kReadUser);
  EXPECT_TRUE(Refused(Open(huge_).Map(Offer(item)), absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(item.frames.pages(), 3u);
}

TEST_F(MappingBooks, SplittingAHugePageTouchesNoCount) {
  USegment run = NewHuge();
  const PhysAddr start = run.start();
  ASSERT_TRUE(IsOk(Open(huge_).Map(MappedFrames(std::move(run), kReadWriteUser))));
  {
    CursorMut<Config> cursor = Open(huge_);
    ASSERT_TRUE(IsOk(cursor.Jump(huge_.start.Plus(7 * kPageSize))));
    EXPECT_EQ(Must(cursor.Unmap(kPageSize)).pages, 1u);
  }
  world().Settle(pin());
  for (uint64_t i = 0; i < 512; ++i) {
    ASSERT_EQ(References(start.Plus(i * kPageSize)), i == 7 ? 0u : 1u) << i;
  }
}

TEST_F(MappingBooks, QueryItemCountsAndQueryBorrows) {
  UFrame frame = NewFrame();
  const PhysAddr address = frame.start();
  CursorMut<Config> cursor = Open(page_);
  ASSERT_TRUE(IsOk(cursor.Map(MappedFrames(std::move(frame), kReadWriteUser))));
  ASSERT_TRUE(IsOk(cursor.Jump(page_.start)));
  EXPECT_EQ(Must(cursor.Query()).item->frame, address);
  EXPECT_EQ(References(address), 1u);
  {
    const auto counted = Must(cursor.QueryItem());
    EXPECT_EQ(counted.item->frames.start(), address);
    EXPECT_EQ(References(address), 2u);
  }
  EXPECT_EQ(References(address), 1u);
}

TEST_F(MappingBooks, TakeNextHandsTheItemOver) {
  UFrame frame = NewFrame();
  const PhysAddr address = frame.start();
  ASSERT_TRUE(IsOk(Open(page_).Map(MappedFrames(std::move(frame), kReadWriteUser))));
  std::optional<CursorMut<Config>::Taken> taken = Must(Open(page_).TakeNext(kPageSize));
  ASSERT_TRUE(taken && taken->item);
  world().Settle(pin());
  EXPECT_EQ(References(address), 1u);
  taken.reset();
  EXPECT_EQ(References(address), 0u);
}

TEST_F(MappingBooks, ACutTableReleasesWhatItMapped) {
  const uint64_t before = UsedFrames();
  {
    CursorMut<Config> cursor = Open(Bytes(0, uint64_t{1} << 30));
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(IsOk(cursor.Map(MappedFrames(NewFrame(), kReadWriteUser))));
    }
    ASSERT_TRUE(IsOk(cursor.Jump(huge_.start)));
    ASSERT_TRUE(IsOk(cursor.Map(MappedFrames(NewHuge(), kReadWriteUser))));
    ASSERT_TRUE(IsOk(cursor.Jump(VirtAddr(0))));
    EXPECT_EQ(Must(cursor.Unmap(uint64_t{1} << 30)).pages, 517u);
  }
  EXPECT_EQ(UsedFrames(), before + 1);  // the covering node
}

TEST_F(MappingBooks, DestroyingTheTableReleasesEverything) {
  {
    CursorMut<Config> cursor = Open(Bytes(0, uint64_t{1} << 30));
    ASSERT_TRUE(IsOk(cursor.Map(MappedFrames(NewFrame(), kReadWriteUser))));
    ASSERT_TRUE(IsOk(cursor.Jump(huge_.start)));
    ASSERT_TRUE(IsOk(cursor.Map(MappedFrames(NewHuge(), kReadWriteUser))));
  }
  owned_table().reset();
  EXPECT_EQ(UsedFrames(), 0u);
}

TEST_F(MappingBooks, UnmappingNothingSendsNoFlushAndNoInterrupt) {
  Event active, done;
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& other) {
    world().tlb().Activate(other, table().tlb_context());
    active.Set();
    EXPECT_TRUE(done.Await([&] { world().Poll(other); }));
    world().tlb().Deactivate(other);
  });
  ASSERT_TRUE(active.Await());
  const TlbStats before = world().tlb().stats();
  const IpiStats ipis = world().bus().stats();
  for (const Intent intent : {Intent::kNoMap, Intent::kMap}) {
    CursorMut<Config> cursor = Open(Bytes(0, uint64_t{1} << 30), {.intent = intent});
    EXPECT_EQ(Must(cursor.Unmap(uint64_t{1} << 30)).pages, 0u);
    cursor.flusher().Sync();
  }
  const TlbStats after = world().tlb().stats();
  EXPECT_EQ(after.issued, before.issued);
  EXPECT_EQ(after.batches, before.batches);
  EXPECT_EQ(world().bus().stats().sent, ipis.sent);
  done.Set();
}

// Another CPU runs the space and comes to no interrupt point: it may still reach what was replaced.
TEST_F(MappingBooks, FramesAreKeptUntilTheOtherCpuAcknowledgedTheFlush) {
  enum Operation { kReplace, kUnmap, kTake, kCutTable };
  for (const Operation operation : {kReplace, kUnmap, kTake, kCutTable}) {
    SCOPED_TRACE(operation);
    UFrame frame = NewFrame();
    const PhysAddr address = frame.start();
    const VirtRange in_huge{huge_.start, huge_.start.Plus(kPageSize)};
    ASSERT_TRUE(IsOk(Open(in_huge).Map(MappedFrames(std::move(frame), kReadWriteUser))));
    Event active, may_poll, polled, done;
    CpuThreads threads(world().cpus());
    threads.Run(1, [&](const CpuPin& other) {
      world().tlb().Activate(other, table().tlb_context());
      active.Set();
      EXPECT_TRUE(may_poll.Await());
      world().bus().Poll(other);
      polled.Set();
      EXPECT_TRUE(done.Await([&] { world().Poll(other); }));
      world().tlb().Deactivate(other);
    });
    ASSERT_TRUE(active.Await());
    {
      CursorMut<Config> cursor = Open(operation == kCutTable ? huge_ : in_huge);
      switch (operation) {
        case kReplace:
          ASSERT_TRUE(IsOk(cursor.Map(MappedFrames(NewFrame(), kReadUser))));
          break;
        case kUnmap:
        case kCutTable:
          ASSERT_TRUE(IsOk(cursor.Unmap(cursor.remaining())));
          break;
        case kTake:
          ASSERT_TRUE(IsOk(cursor.TakeNext(kPageSize)));
          break;
      }
    }
    for (int i = 0; i < 200; ++i) world().Poll(pin());
    EXPECT_EQ(References(address), 1u) << "freed before the flush was acknowledged";
    may_poll.Set();
    EXPECT_TRUE(polled.Await());
    done.Set();
    threads.Join();
    world().Settle(pin());
    EXPECT_EQ(References(address), 0u);
    ASSERT_TRUE(IsOk(Open(huge_).Unmap(huge_.size())));
  }
}

// The table is taken out first (IsSafeLiveChange says no), and the huge page is stored only when
// every CPU has flushed: the other one here, when it sees the request.
TEST_F(MappingBooks, AHugePageOverATableWaitsForTheFlushOfTheTable) {
  UFrame frame = NewFrame();
  const PhysAddr address = frame.start();
  const VirtRange in_huge{huge_.start, huge_.start.Plus(kPageSize)};
  ASSERT_TRUE(IsOk(Open(in_huge).Map(MappedFrames(std::move(frame), kReadWriteUser))));
  Event active, mapped;
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& other) {
    world().tlb().Activate(other, table().tlb_context());
    active.Set();
    EXPECT_TRUE(Eventually([&] { return world().bus().HasPending(CpuId{1}); }));
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    EXPECT_FALSE(mapped.IsSet()) << "nobody waited for this CPU";
    EXPECT_EQ(References(address), 1u) << "freed before the flush was acknowledged";
    EXPECT_TRUE(mapped.Await([&] { world().Poll(other); }));
    world().tlb().Deactivate(other);
  });
  ASSERT_TRUE(active.Await());
  {
    CursorMut<Config> cursor = Open(huge_);
    EXPECT_TRUE(IsOk(cursor.Map(MappedFrames(NewHuge(), kReadUser))));
    mapped.Set();
    EXPECT_EQ(Hardware(huge_.start)->level, 2);
  }
  threads.Join();
  world().Settle(pin());
  EXPECT_EQ(References(address), 0u);
  ASSERT_TRUE(IsOk(Open(huge_).Unmap(huge_.size())));
}

TEST_F(MappingBooks, FramesAreKeptUntilTheReadSideSectionCloses) {
  UFrame frame = NewFrame();
  const PhysAddr address = frame.start();
  ASSERT_TRUE(IsOk(Open(page_).Map(MappedFrames(std::move(frame), kReadWriteUser))));
  Event inside, leave;
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& other) {
    RcuReadGuard guard(world().rcu(), other);
    EXPECT_EQ(table().Walk(guard, page_.start)->address, address);
    inside.Set();
    EXPECT_TRUE(leave.Await());
  });
  ASSERT_TRUE(inside.Await());
  ASSERT_TRUE(IsOk(Open(page_).Unmap(kPageSize)));
  for (int i = 0; i < 200; ++i) world().Poll(pin());
  EXPECT_EQ(References(address), 1u);
  leave.Set();
  threads.Join();
  world().Settle(pin());
  EXPECT_EQ(References(address), 0u);
}

TEST_F(MappingBooks, ASaturatedCountIsAnErrorAndChangesNothing) {
  TableWorld::Options options;
  options.frames.max_references = 2;
  TableWorld small(std::move(options));
  std::optional<CpuPin> cpu = small.Pin(0);
  auto other = Must(PageTable<Config>::Create(small.env(), *cpu));
  {
    UFrame frame = Must(small.frames().Allocate(Untyped{}, Zeroing::kLeave));
    UFrame second = Must(frame.Clone());
    CursorMut<Config> cursor = Must(other->OpenCursorMut(*cpu, page_));
    ASSERT_TRUE(IsOk(cursor.Map(MappedFrames(std::move(frame), kReadWriteUser))));
    ASSERT_TRUE(IsOk(cursor.Jump(page_.start)));
    EXPECT_TRUE(Refused(cursor.QueryItem(), absl::StatusCode::kResourceExhausted));
    EXPECT_TRUE(Refused(cursor.TakeNext(kPageSize), absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(cursor.virt_addr(), page_.start);
    EXPECT_TRUE(Must(cursor.Query()).item);
  }
  other.reset();
  small.ExpectNothingLeft(*cpu);
  cpu.reset();
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// "Locks and cursors": waiting, giving up, and what waiting must not hold up.

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr uint64_t kMiB2 = uint64_t{2} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

class Waiting : public TableTest<BareConfig<x86_64::Format4>> {
 protected:
  CursorOptions WithPatience() {
    return {.wait = Wait::kDeadline, .deadline_ns = PatienceDeadlineNs()};
  }
  bool SomebodyWaitsAt(VirtAddr va, int level) {
    return NodeSlot(va, level).waiters.load(sync::seq_cst) != 0;
  }
};

TEST_F(Waiting, TryAndADeadlineGiveUpAndHoldNothing) {
  MapRun(Pages(0, 4), 1);
  MapRun(Pages(512, 4), 1);
  MapRun(Pages(1024, 4), 1);
  std::optional<CursorMut<Config>> holder = Open(Pages(1024, 4));
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    // Both take the first two leaf tables before they meet the holder in the third.
    EXPECT_TRUE(Refused(table().TryOpenCursorMut(cpu, Bytes(0, 3 * kMiB2)),
                        StatusCode::kUnavailable, {"[0, 0x600000)", "locked"}));
    EXPECT_TRUE(IsOk(table().TryOpenCursorMut(cpu, Bytes(0, 2 * kMiB2))));
    const uint64_t deadline = sync::NowNs() + 5'000'000;
    EXPECT_TRUE(Refused(table().OpenCursorMut(cpu, Bytes(0, 3 * kMiB2),
                                              {.wait = Wait::kDeadline, .deadline_ns = deadline}),
                        StatusCode::kDeadlineExceeded, {"[0, 0x600000)"}));
    EXPECT_GE(sync::NowNs(), deadline);
    EXPECT_TRUE(IsOk(table().TryOpenCursorMut(cpu, Bytes(0, 2 * kMiB2))));
    // At the covering node itself.
    EXPECT_TRUE(Refused(
        table().OpenCursorMut(cpu, Pages(1025, 1), {.wait = Wait::kDeadline, .deadline_ns = 1}),
        StatusCode::kDeadlineExceeded));
    EXPECT_TRUE(env().open_cursors(cpu).empty());
  });
  threads.Join();
  holder.reset();
  ExpectNoClaims(frames());
}

TEST_F(Waiting, ADeadlineThatIsFarEnoughSucceeds) {
  std::optional<CursorMut<Config>> holder = Open(Pages(0, 4));
  std::atomic<bool> opened{false};
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    EXPECT_TRUE(IsOk(table().OpenCursorMut(cpu, Pages(2, 4), WithPatience())));
    opened = true;
  });
  EXPECT_TRUE(Eventually([&] { return SomebodyWaitsAt(VirtAddr(0), 1); }));
  EXPECT_FALSE(opened);
  holder.reset();
  threads.Join();
  EXPECT_TRUE(opened);
}

TEST_F(Waiting, AWideCursorIsNotStarvedByAStreamOfNarrowOnes) {
  MapRun(Pages(0, 4), 1);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> narrow{0};
  CpuThreads threads(world().cpus());
  for (const uint32_t cpu_number : {1u, 2u}) {
    threads.Run(cpu_number, [&, cpu_number](const CpuPin& cpu) {
      while (!stop) {
        const CursorMut<Config> cursor = Must(table().OpenCursorMut(cpu, Pages(cpu_number, 1)));
        ++narrow;
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return narrow > 100; }));
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(IsOk(table().OpenCursorMut(pin(), Bytes(0, kGiB), WithPatience())));
    EXPECT_TRUE(IsOk(table().OpenCursorMut(pin(), Pages(0, 512), WithPatience())));
  }
  stop = true;
}

TEST_F(Waiting, AWaitingCursorIsInNoReadSideSection) {
  std::optional<CursorMut<Config>> holder = Open(Pages(0, 4));
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    EXPECT_TRUE(IsOk(table().OpenCursorMut(cpu, Pages(0, 4), WithPatience())));
  });
  EXPECT_TRUE(Eventually([&] { return SomebodyWaitsAt(VirtAddr(0), 1); }));
  // A grace period passes although both cursors are still there.
  Event synchronized;
  threads.Run(2, [&](const CpuPin& cpu) {
    EXPECT_TRUE(IsOk(world().rcu().Synchronize(cpu, [&] { world().bus().Poll(cpu); })));
    synchronized.Set();
  });
  EXPECT_TRUE(synchronized.Await());
  holder.reset();
}

TEST_F(Waiting, AHeldCursorDelaysNoReclamation) {
  MapRun(Pages(512, 4), 1);
  const CursorMut<Config> holder = Open(Pages(0, 4));
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    const uint64_t before = frames().used_pages();
    EXPECT_TRUE(IsOk(Must(table().OpenCursorMut(cpu, Bytes(kMiB2, kMiB2))).Unmap(kMiB2)));
    EXPECT_TRUE(Eventually([&] { return frames().used_pages() == before - 1; },
                           [&] { world().Poll(cpu); }));
  });
}

TEST_F(Waiting, ACursorWaitsForNoGracePeriod) {
  MapRun(Pages(0, 4), 1);
  Event inside, leave;
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    RcuReadGuard guard(world().rcu(), cpu);
    inside.Set();
    EXPECT_TRUE(leave.Await()) << "a cursor waited for this section";
  });
  ASSERT_TRUE(inside.Await());
  MapPage(VirtAddr(0), PhysAddr(kGiB), 2);
  EXPECT_TRUE(IsOk(Open(Bytes(0, kGiB)).Unmap(kGiB)));
  for (int i = 0; i < 500; ++i) {
    MapRun(Pages(0, 1), 1);
    EXPECT_TRUE(IsOk(Open(Bytes(0, kMiB2)).Unmap(kMiB2)));
  }
  leave.Set();
}

// The holder waits for a flush that only the waiter's CPU can acknowledge.
TEST_F(Waiting, AWaitingCpuServesFlushRequests) {
  MapRun(Pages(0, 4), 1);
  Event active;
  CpuThreads threads(world().cpus());
  std::optional<CursorMut<Config>> holder = Open(Pages(0, 4));
  threads.Run(1, [&](const CpuPin& cpu) {
    world().tlb().Activate(cpu, table().tlb_context());
    active.Set();
    EXPECT_TRUE(IsOk(table().OpenCursorMut(cpu, Pages(0, 4), WithPatience())));
    world().tlb().Deactivate(cpu);
  });
  EXPECT_TRUE(active.Await());
  EXPECT_TRUE(Eventually([&] { return SomebodyWaitsAt(VirtAddr(0), 1); }));
  const uint64_t deadline = PatienceDeadlineNs();
  EXPECT_EQ(Must(holder->Unmap(4 * kPageSize)).pages, 4u);
  holder->flusher().Sync();
  EXPECT_LT(sync::NowNs(), deadline) << "the flush was acknowledged only when the waiter gave up";
  holder.reset();
}

TEST_F(Waiting, ASecondCursorOnTheSameCpuIsRefused) {
  std::optional<CursorMut<Config>> cursor = Open(Pages(0, 4));
  for (const VirtRange range : {Pages(0, 4), Bytes(kGiB, kGiB)}) {
    for (const Wait wait : {Wait::kForever, Wait::kTry, Wait::kDeadline}) {
      const CursorOptions options{.wait = wait, .deadline_ns = PatienceDeadlineNs()};
      EXPECT_TRUE(Refused(table().OpenCursorMut(pin(), range, options),
                          StatusCode::kFailedPrecondition, {"already holds a cursor"}));
      EXPECT_TRUE(
          Refused(table().OpenCursor(pin(), range, options), StatusCode::kFailedPrecondition));
    }
  }
  cursor.reset();
  EXPECT_TRUE(IsOk(table().OpenCursor(pin(), Pages(0, 4))));
}

class TwoTables : public Waiting {
 protected:
  std::unique_ptr<Table> NewTable() { return Must(Table::Create(env(), pin())); }
};

TEST_F(TwoTables, ACursorInAnotherTableIsOpenedInAscendingOrderOrWithTry) {
  const std::unique_ptr<Table> second = NewTable();
  ASSERT_GT(second->identity(), table().identity());
  {
    const CursorMut<Config> low = Open(Pages(0, 1));
    EXPECT_TRUE(IsOk(second->OpenCursorMut(pin(), Pages(0, 1))));
  }
  const CursorMut<Config> high = Must(second->OpenCursorMut(pin(), Pages(0, 1)));
  EXPECT_TRUE(Refused(table().OpenCursorMut(pin(), Pages(0, 1)), StatusCode::kFailedPrecondition,
                      {"ascending", "kTry"}));
  EXPECT_TRUE(Refused(table().OpenCursorMut(pin(), Pages(0, 1), WithPatience()),
                      StatusCode::kFailedPrecondition));
  EXPECT_TRUE(IsOk(table().TryOpenCursorMut(pin(), Pages(0, 1))));
}

TEST_F(TwoTables, CursorsCloseInAnyOrderWithAllTheirClaims) {
  const std::unique_ptr<Table> second = NewTable();
  for (const bool first_goes_first : {true, false}) {
    std::optional<CursorMut<Config>> a = Open(Bytes(0, 3 * kMiB2));
    std::optional<CursorMut<Config>> b = Must(second->OpenCursorMut(pin(), Bytes(0, 3 * kMiB2)));
    Must(a->Map(RawItem{PhysAddr(0x1000), 1, kReadUser}));
    Must(b->Map(RawItem{PhysAddr(0x1000), 1, kReadUser}));
    (first_goes_first ? a : b).reset();
    (first_goes_first ? b : a).reset();
    EXPECT_TRUE(env().open_cursors(pin()).empty());
    ExpectNoClaims(frames());
  }
}

TEST_F(TwoTables, TheNumberOfTablesWithCursorsOfOneCpuIsBounded) {
  std::vector<std::unique_ptr<Table>> tables;
  std::vector<CursorMut<Config>> cursors;
  for (uint32_t i = 0; i < OpenCursors::kMax; ++i) {
    tables.push_back(NewTable());
    cursors.push_back(Must(tables.back()->OpenCursorMut(pin(), Pages(0, 1))));
  }
  tables.push_back(NewTable());
  EXPECT_TRUE(Refused(tables.back()->OpenCursorMut(pin(), Pages(0, 1)),
                      StatusCode::kResourceExhausted, {"8"}));
  cursors.pop_back();
  EXPECT_TRUE(IsOk(tables.back()->OpenCursorMut(pin(), Pages(0, 1))));
  cursors.clear();
}

TEST_F(Waiting, AMovedCursorKeepsItsRangeItsPlaceAndWhatItOwes) {
  const auto open_and_map = [&] {
    CursorMut<Config> cursor = Open(Pages(0, 16));
    Must(cursor.Map(RawItem{PhysAddr(0x1000), 1, kReadWriteUser}));
    return cursor;
  };
  std::optional<CursorMut<Config>> first = open_and_map();
  std::optional<CursorMut<Config>> second = std::move(*first);
  first.reset();
  EXPECT_EQ(second->virt_addr(), VirtAddr(kPageSize));
  EXPECT_EQ(second->range(), Pages(0, 16));
  EXPECT_TRUE(Refused(table().OpenCursor(pin(), Pages(0, 1)), StatusCode::kFailedPrecondition));
  Must(second->Jump(VirtAddr(0)));
  const auto read_only = [](PageProperty) { return kReadUser; };
  EXPECT_TRUE(Must(second->ProtectNext(kPageSize, read_only)));
  EXPECT_TRUE(second->flusher().pending());
  CursorMut<Config> third = std::move(*second);
  second.reset();
  EXPECT_TRUE(third.flusher().pending());
  third.flusher().Sync();
  EXPECT_FALSE(third.flusher().pending());
  Must(third.Map(RawItem{PhysAddr(0x2000), 1, kReadUser}));
  EXPECT_EQ(Hardware(VirtAddr(kPageSize))->frame, PhysAddr(0x2000));
  Cursor<Config> reader = [&] {
    {
      CursorMut<Config> closes = std::move(third);
    }
    return Must(table().OpenCursor(pin(), Pages(0, 16)));
  }();
  EXPECT_EQ(Must(reader.Query()).item->property, kReadUser);
}

}  // namespace
}  // namespace paddock

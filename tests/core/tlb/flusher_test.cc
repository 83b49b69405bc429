// SPDX-License-Identifier: Apache-2.0
//
// The flusher on its own CPU: what is issued, retired and dispatched when nobody else has to know.

#include "paddock/core/tlb/tlb_flusher.h"

#include <utility>

#include "gtest/gtest.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace paddock {
namespace {

class FlusherTest : public testing::Test {
 protected:
  TlbMachine m_{2};
  TlbContext context_{m_.tlb()};
  TestCpu cpu_{m_, 0};

  bool Hits(const CpuPin& pin, VirtAddr va) {
    return m_.tlb().soft_tlb(pin).Lookup(context_.tag(), va).has_value();
  }
  void Fill(const CpuPin& pin, VirtAddr page) {
    m_.tlb().soft_tlb(pin).Insert(context_.tag(), m_.Entry(page, PhysAddr(0)));
  }
  // The CPU runs the space and holds its first pages.
  void RunWith(const CpuPin& pin, uint64_t pages) {
    m_.tlb().Activate(pin, context_);
    for (uint64_t page = 0; page < pages; ++page) Fill(pin, Page(page));
  }
};

TEST_F(FlusherTest, DispatchOfNothingDoesNothing) {
  cpu_.Run([&](const CpuPin& pin) {
    m_.tlb().Activate(pin, context_);
    TlbFlusher flusher(m_.tlb(), context_, pin);
    EXPECT_FALSE(flusher.pending());
    flusher.Issue(VirtRange{Page(1), Page(1)});
    flusher.Retire(FrameRun{PhysAddr(0), 0});
    EXPECT_FALSE(flusher.pending());
    flusher.Dispatch();
    flusher.Sync();
  });
  EXPECT_EQ(m_.tlb().stats().batches, 0u);
  EXPECT_EQ(m_.tlb().stats().issued, 0u);
  EXPECT_EQ(m_.bus().stats().sent, 0u);
  EXPECT_EQ(m_.tlb().allocations(), 0u);
}

TEST_F(FlusherTest, FlushesOwnEntriesAtDispatchNotBefore) {
  cpu_.Run([&](const CpuPin& pin) {
    m_.tlb().Activate(pin, context_);
    Fill(pin, Page(1));
    Fill(pin, Page(2));
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    EXPECT_TRUE(flusher.pending());
    EXPECT_TRUE(Hits(pin, Page(1)));
    flusher.Dispatch();
    EXPECT_FALSE(flusher.pending());
    EXPECT_FALSE(Hits(pin, Page(1)));
    EXPECT_TRUE(Hits(pin, Page(2)));
  });
}

TEST_F(FlusherTest, FlushesARangeAndEverything) {
  cpu_.Run([&](const CpuPin& pin) {
    RunWith(pin, 8);
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(2, 3));
    flusher.Dispatch();
    for (uint64_t page = 0; page < 8; ++page) {
      EXPECT_EQ(Hits(pin, Page(page)), page < 2 || page >= 5) << page;
    }
    flusher.IssueAll();
    flusher.Dispatch();
    for (uint64_t page = 0; page < 8; ++page) EXPECT_FALSE(Hits(pin, Page(page))) << page;
  });
  EXPECT_EQ(m_.tlb().stats().full_flushes, 1u);
  EXPECT_EQ(m_.tlb().stats().batches, 2u);
}

TEST_F(FlusherTest, AloneARangeTakesNoBatchAndCounts) {
  cpu_.Run([&](const CpuPin& pin) {
    RunWith(pin, 4);
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Issue(Pages(2, 1));
    EXPECT_FALSE(flusher.DispatchForLater());
    EXPECT_FALSE(flusher.pending());
    for (uint64_t page = 0; page < 4; ++page) EXPECT_EQ(Hits(pin, Page(page)), page % 3 == 0);
  });
  EXPECT_EQ(m_.tlb().stats().issued, 2u);
  EXPECT_EQ(m_.tlb().stats().batches, 1u);
  EXPECT_EQ(m_.tlb().stats().full_flushes, 0u);
  EXPECT_EQ(context_.generation(), 1u);
  EXPECT_EQ(m_.tlb().allocations(), 0u);
}

TEST_F(FlusherTest, ASecondRangeKeepsTheFirst) {
  const FrameRun frames = m_.NewFrames(3);
  cpu_.Run([&](const CpuPin& pin) {
    RunWith(pin, 8);
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Retire(FrameRun{frames.start, 1});
    flusher.Issue(Pages(5, 1));
    flusher.Retire(FrameRun{frames.start.Plus(2 * kPageSize), 1});
    flusher.Dispatch();
    for (uint64_t page = 0; page < 8; ++page) {
      EXPECT_EQ(Hits(pin, Page(page)), page != 1 && page != 5) << page;
    }
    m_.PassGracePeriods(pin);
  });
  EXPECT_EQ(m_.tlb().stats().issued, 2u);
  EXPECT_EQ(m_.tlb().stats().batches, 1u);
  EXPECT_FALSE(m_.InUse(frames.start));
  EXPECT_TRUE(m_.InUse(frames.start.Plus(kPageSize)));
  EXPECT_FALSE(m_.InUse(frames.start.Plus(2 * kPageSize)));
}

TEST_F(FlusherTest, ACpuThatJoinsBeforeTheDispatchIsTold) {
  TestCpu other(m_, 1);
  const PhysAddr frame = m_.NewFrame();
  cpu_.Run([&](const CpuPin& pin) {
    m_.tlb().Activate(pin, context_);
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Retire(FrameRun{frame, 1});
    other.Run([&](const CpuPin& joined) {
      m_.tlb().Activate(joined, context_);
      Fill(joined, Page(1));
    });
    EXPECT_TRUE(flusher.DispatchForLater());
    m_.PassGracePeriods(pin);
    EXPECT_TRUE(m_.InUse(frame));
  });
  other.Poll();
  other.Run([&](const CpuPin& pin) {
    EXPECT_FALSE(Hits(pin, Page(1)));
    m_.PassGracePeriods(pin);
  });
  EXPECT_FALSE(m_.InUse(frame));
  EXPECT_EQ(m_.tlb().stats().issued, 1u);
  EXPECT_EQ(m_.tlb().stats().batches, 1u);
  EXPECT_EQ(context_.generation(), 2u);
}

TEST(FlusherThresholdTest, OfZeroFlushesEverythingAlsoAlone) {
  TlbMachine m(1, {.full_flush_threshold = 0});
  TlbContext context(m.tlb());
  TestCpu cpu(m, 0);
  cpu.Run([&](const CpuPin& pin) {
    m.tlb().Activate(pin, context);
    m.tlb().soft_tlb(pin).Insert(context.tag(), m.Entry(Page(5), PhysAddr(0)));
    TlbFlusher(m.tlb(), context, pin).Issue(Pages(1, 1));
    EXPECT_FALSE(m.tlb().soft_tlb(pin).Lookup(context.tag(), Page(5)));
  });
  EXPECT_EQ(m.tlb().stats().full_flushes, 1u);
}

TEST_F(FlusherTest, DestructorDispatchesWhatIsPending) {
  const PhysAddr frame = m_.NewFrame();
  cpu_.Run([&](const CpuPin& pin) {
    m_.tlb().Activate(pin, context_);
    Fill(pin, Page(1));
    {
      TlbFlusher flusher(m_.tlb(), context_, pin);
      flusher.Issue(Pages(1, 1));
      flusher.Retire(FrameRun{frame, 1});
    }
    EXPECT_FALSE(Hits(pin, Page(1)));
    m_.PassGracePeriods(pin);
    EXPECT_FALSE(m_.InUse(frame));
  });
}

TEST_F(FlusherTest, AMovedFlusherDispatchesOnce) {
  const PhysAddr frame = m_.NewFrame();
  cpu_.Run([&](const CpuPin& pin) {
    m_.tlb().Activate(pin, context_);
    {
      TlbFlusher flusher(m_.tlb(), context_, pin);
      flusher.Issue(Pages(1, 1));
      flusher.Retire(FrameRun{frame, 1});
      TlbFlusher moved(std::move(flusher));
      EXPECT_TRUE(moved.pending());
    }
    m_.PassGracePeriods(pin);
    EXPECT_EQ(m_.Generation(frame), 1u);
  });
  EXPECT_EQ(m_.tlb().stats().batches, 1u);
}

TEST_F(FlusherTest, RetireWithoutIssueWaitsForTheGracePeriodOnly) {
  const PhysAddr frame = m_.NewFrame();
  cpu_.Run([&](const CpuPin& pin) {
    m_.tlb().Activate(pin, context_);
    {
      RcuReadGuard section(m_.rcu(), pin);
      TlbFlusher flusher(m_.tlb(), context_, pin);
      flusher.Retire(FrameRun{frame, 1});
      flusher.Dispatch();
      flusher.Sync();
      m_.rcu().Poll(pin);
      EXPECT_TRUE(m_.InUse(frame));
    }
    m_.PassGracePeriods(pin);
    EXPECT_FALSE(m_.InUse(frame));
  });
  EXPECT_EQ(m_.tlb().stats().batches, 0u);
}

TEST_F(FlusherTest, KeepsEveryFrameHoweverManyThereAre) {
  constexpr uint64_t kFrames = 500;
  const uint64_t used_before = m_.frames().used_pages();
  const FrameRun run = m_.NewFrames(kFrames);
  cpu_.Run([&](const CpuPin& pin) {
    m_.tlb().Activate(pin, context_);
    TlbFlusher flusher(m_.tlb(), context_, pin);
    // Every other frame, then the rest from behind: hardly two of them neighbours in this order.
    for (uint64_t i = 0; i < kFrames; i += 2) {
      flusher.Issue(Pages(i, 1));
      flusher.Retire(FrameRun{run.start.Plus(i * kPageSize), 1});
    }
    for (uint64_t i = kFrames - 1; i < kFrames; i -= 2) {
      flusher.Retire(FrameRun{run.start.Plus(i * kPageSize), 1});
    }
    flusher.Dispatch();
    m_.PassGracePeriods(pin);
  });
  EXPECT_EQ(m_.frames().used_pages(), used_before);
}

TEST_F(FlusherTest, ASpaceThatNeverRanHereCostsNoFlush) {
  cpu_.Run([&](const CpuPin& pin) {
    TlbContext other(m_.tlb());
    m_.tlb().Activate(pin, context_);
    Fill(pin, Page(1));
    TlbFlusher flusher(m_.tlb(), other, pin);
    flusher.IssueAll();
    flusher.Dispatch();
    EXPECT_TRUE(Hits(pin, Page(1)));
    EXPECT_EQ(m_.tlb().soft_tlb(pin).stats().flushed, 0u);
    EXPECT_EQ(other.generation(), 1u);
  });
}

TEST_F(FlusherTest, OptionsAreChecked) {
  EXPECT_TRUE(TlbSystem::CheckOptions({}).ok());
  EXPECT_TRUE(TlbSystem::CheckOptions({.full_flush_threshold = 0}).ok());
  EXPECT_EQ(TlbSystem::CheckOptions({.full_flush_threshold = 65}).message(),
            "full_flush_threshold 65 is above 64");
  EXPECT_EQ(TlbSystem::CheckOptions({.tlb_sets = 3}).message(), "tlb_sets 3 is not a power of two");
  EXPECT_FALSE(TlbSystem::CheckOptions({.tlb_sets = 0}).ok());
  EXPECT_FALSE(TlbSystem::CheckOptions({.tlb_ways = 0}).ok());
  EXPECT_EQ(TlbSystem::CheckOptions({.tlb_sets = 1u << 31, .tlb_ways = 1u << 31}).message(),
            "tlb_sets 2147483648 times tlb_ways 2147483648 is above 16384");
  EXPECT_FALSE(TlbSystem::CheckOptions({.tags_per_cpu = 0}).ok());
  EXPECT_EQ(TlbSystem::CheckOptions({.tags_per_cpu = 4097}).message(),
            "tags_per_cpu 4097 is not in [1, 4096]");
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Which CPUs are told of a flush, by what, and when it counts as done. Steps run one at a time, so
// every outcome is the only one possible.

#include <atomic>
#include <thread>

#include "gtest/gtest.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace paddock {
namespace {

class CoherenceTest : public testing::Test {
 protected:
  TlbMachine m_{3};
  TlbContext context_{m_.tlb()};
  TlbContext other_{m_.tlb()};
  TestCpu cpu0_{m_, 0};
  TestCpu cpu1_{m_, 1};
  TestCpu cpu2_{m_, 2};

  void Activate(TestCpu& cpu, TlbContext& context) {
    cpu.Run([&](const CpuPin& pin) { m_.tlb().Activate(pin, context); });
  }
  void Fill(TestCpu& cpu, TlbContext& context, VirtAddr page) {
    cpu.Run([&](const CpuPin& pin) {
      m_.tlb().soft_tlb(pin).Insert(context.tag(), m_.Entry(page, PhysAddr(0)));
    });
  }
  bool Hits(TestCpu& cpu, TlbContext& context, VirtAddr page) {
    bool hit = false;
    cpu.Run([&](const CpuPin& pin) {
      hit = m_.tlb().soft_tlb(pin).Lookup(context.tag(), page).has_value();
    });
    return hit;
  }
  void Flush(TestCpu& cpu, TlbContext& context, VirtRange range) {
    cpu.Run([&](const CpuPin& pin) { TlbFlusher(m_.tlb(), context, pin).Issue(range); });
  }
};

TEST_F(CoherenceTest, OnlyCpusOfTheSpaceAreInterrupted) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  Activate(cpu2_, other_);
  Fill(cpu1_, context_, Page(1));
  Fill(cpu2_, other_, Page(1));
  Flush(cpu0_, context_, Pages(1, 1));
  EXPECT_TRUE(m_.bus().HasPending(CpuId{1}));
  EXPECT_FALSE(m_.bus().HasPending(CpuId{2}));
  cpu1_.Poll();
  cpu2_.Poll();
  EXPECT_FALSE(Hits(cpu1_, context_, Page(1)));
  EXPECT_TRUE(Hits(cpu2_, other_, Page(1)));
  EXPECT_EQ(m_.tlb().stats().interrupts, 1u);
  EXPECT_EQ(m_.tlb().stats().interrupts_saved, 0u);
}

TEST_F(CoherenceTest, TheCallersOwnEntryIsFlushedLocallyAtOnce) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  Fill(cpu0_, context_, Page(1));
  Flush(cpu0_, context_, Pages(1, 1));
  EXPECT_FALSE(m_.bus().HasPending(CpuId{0}));
  EXPECT_FALSE(Hits(cpu0_, context_, Page(1)));
  cpu1_.Poll();
}

TEST_F(CoherenceTest, ABusyCpuKeepsItsEntryUntilItsInterruptPoint) {
  Activate(cpu1_, context_);
  Fill(cpu1_, context_, Page(1));
  Fill(cpu1_, context_, Page(2));
  Flush(cpu0_, context_, Pages(1, 1));
  EXPECT_TRUE(Hits(cpu1_, context_, Page(1)));
  cpu1_.Poll();
  EXPECT_FALSE(Hits(cpu1_, context_, Page(1)));
  EXPECT_TRUE(Hits(cpu1_, context_, Page(2)));
}

TEST_F(CoherenceTest, RequestsToABusyCpuCoalesceIntoOneInterrupt) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  for (uint64_t page = 0; page < 5; ++page) {
    Fill(cpu1_, context_, Page(page));
    Flush(cpu0_, context_, Pages(page, 1));
  }
  EXPECT_EQ(m_.tlb().stats().interrupts, 1u);
  EXPECT_EQ(m_.tlb().stats().interrupts_saved, 4u);
  cpu1_.Poll();
  for (uint64_t page = 0; page < 5; ++page) EXPECT_FALSE(Hits(cpu1_, context_, Page(page)));
}

TEST_F(CoherenceTest, RequestsOfTwoDispatchersFlushBothWhateverTheirOrder) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  Activate(cpu2_, context_);
  Fill(cpu1_, context_, Page(1));
  Fill(cpu1_, context_, Page(2));
  Fill(cpu2_, context_, Page(1));
  Flush(cpu0_, context_, Pages(1, 1));
  // Its own flush comes before the one that is in its mailbox.
  Flush(cpu2_, context_, Pages(2, 1));
  cpu0_.Poll();
  cpu2_.Poll();
  cpu1_.Poll();
  EXPECT_FALSE(Hits(cpu1_, context_, Page(1)));
  EXPECT_FALSE(Hits(cpu1_, context_, Page(2)));
  EXPECT_FALSE(Hits(cpu2_, context_, Page(1)));
}

TEST_F(CoherenceTest, ACpuThatJoinsLaterIsNotInterrupted) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Dispatch();
  });
  Activate(cpu2_, context_);
  EXPECT_FALSE(m_.bus().HasPending(CpuId{2}));
  Fill(cpu2_, context_, Page(1));
  cpu1_.Poll();
  EXPECT_TRUE(Hits(cpu2_, context_, Page(1)));
}

TEST_F(CoherenceTest, ACpuThatLeftIsNotWaitedFor) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  Activate(cpu1_, other_);
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Sync();  // CPU 1 is busy and serves nothing
  });
  EXPECT_FALSE(m_.bus().HasPending(CpuId{1}));
  EXPECT_EQ(m_.tlb().stats().lazy_skips, 1u);
}

TEST_F(CoherenceTest, ARequestThatMeetsACpuAfterItSwitchedIsAcknowledged) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  Fill(cpu1_, context_, Page(1));
  cpu0_.Run([&](const CpuPin& pin) { TlbFlusher(m_.tlb(), context_, pin).Issue(Pages(1, 1)); });
  Activate(cpu1_, other_);
  cpu1_.Poll();
  Activate(cpu1_, context_);
  EXPECT_FALSE(Hits(cpu1_, context_, Page(1)));
}

TEST_F(CoherenceTest, AnIdleCpuIsSkippedAndCatchesUpWhenItWakes) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  Fill(cpu1_, context_, Page(1));
  cpu1_.GoIdle();
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Sync();  // nobody answers for CPU 1
  });
  EXPECT_EQ(m_.tlb().stats().interrupts, 0u);
  EXPECT_EQ(m_.tlb().stats().interrupts_saved, 1u);
  EXPECT_EQ(m_.tlb().stats().lazy_skips, 1u);
  EXPECT_EQ(m_.tlb().stats().lazy_catchups, 0u);
  EXPECT_FALSE(Hits(cpu1_, context_, Page(1)));
  EXPECT_EQ(m_.tlb().stats().lazy_catchups, 1u);
}

TEST_F(CoherenceTest, ACpuThatWakesWithNothingMissedKeepsItsEntries) {
  Activate(cpu1_, context_);
  Fill(cpu1_, context_, Page(1));
  cpu1_.GoIdle();
  EXPECT_TRUE(Hits(cpu1_, context_, Page(1)));
  EXPECT_EQ(m_.tlb().stats().lazy_catchups, 0u);
}

TEST_F(CoherenceTest, ACpuThatGoesIdleServesItsMailboxFirst) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  const PhysAddr frame = m_.NewFrame();
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Retire(FrameRun{frame, 1});
  });
  EXPECT_TRUE(m_.bus().HasPending(CpuId{1}));
  cpu1_.GoIdle();
  EXPECT_FALSE(m_.bus().HasPending(CpuId{1}));
  cpu0_.Run([&](const CpuPin& pin) {
    m_.PassGracePeriods(pin);  // the batch that the idle CPU retired
    EXPECT_FALSE(m_.InUse(frame));
  });
}

TEST_F(CoherenceTest, TwoCpusThatSyncWithEachOtherFinish) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  std::atomic<int> dispatched = 0;
  std::atomic<int> finished = 0;
  const auto flush_and_sync = [&](const CpuPin& pin) {
    for (int round = 1; round <= 200; ++round) {
      TlbFlusher flusher(m_.tlb(), context_, pin);
      flusher.Issue(Pages(pin.cpu().value, 1));
      flusher.Dispatch();
      // Both have sent, neither has served: each now waits for the other.
      ++dispatched;
      while (dispatched < 2 * round) std::this_thread::yield();
      flusher.Sync();
      ++finished;
      while (finished < 2 * round) m_.bus().Poll(pin);
    }
  };
  cpu0_.Start(flush_and_sync);
  cpu1_.Start(flush_and_sync);
  cpu0_.Finish();
  cpu1_.Finish();
  EXPECT_EQ(m_.bus().stats().handled, 400u);
}

TEST_F(CoherenceTest, SyncReturnsOnlyAfterEveryAcknowledgement) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  Activate(cpu2_, context_);
  Fill(cpu1_, context_, Page(1));
  Fill(cpu2_, context_, Page(1));
  std::atomic<int> polled = 0;
  int polled_at_return = 0;
  cpu0_.Start([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Dispatch();
    flusher.Issue(Pages(7, 1));
    flusher.Sync();
    polled_at_return = polled;
  });
  for (TestCpu* cpu : {&cpu1_, &cpu2_}) {
    // A poll may come before the second dispatch: go on until that has been served.
    for (uint64_t served = 0; served < 2;) {
      cpu->Run([&](const CpuPin& pin) {
        if (!m_.bus().HasPending(pin.cpu())) return;
        const uint64_t before = m_.bus().stats().handled;
        ++polled;
        m_.bus().Poll(pin);
        served += m_.bus().stats().handled - before;
      });
    }
  }
  cpu0_.Finish();
  EXPECT_GE(polled_at_return, 2);
  EXPECT_EQ(m_.bus().stats().handled, 4u);
  EXPECT_FALSE(Hits(cpu1_, context_, Page(1)));
  EXPECT_FALSE(Hits(cpu2_, context_, Page(1)));
}

TEST_F(CoherenceTest, ManyDispatchesOfOneFlusherAreAllWaitedFor) {
  Activate(cpu0_, context_);
  Activate(cpu1_, context_);
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    for (uint64_t page = 0; page < 20; ++page) {
      flusher.Issue(Pages(2 * page, 1));
      flusher.Dispatch();
    }
    EXPECT_EQ(m_.tlb().stats().batches, 20u);
    cpu1_.Start([&](const CpuPin& other) { m_.bus().Poll(other); });
    flusher.Sync();
    cpu1_.Finish();
    EXPECT_EQ(m_.bus().stats().handled, 20u);
  });
}

TEST_F(CoherenceTest, DestroyingAnActiveSpaceStops) {
  EXPECT_DEATH(
      {
        TlbMachine m(1);
        CpuPin pin = m.cpus().Pin(CpuId{0}).value();
        TlbContext context(m.tlb());
        m.tlb().Activate(pin, context);
      },
      "destroyed while it is active");
}

}  // namespace
}  // namespace paddock

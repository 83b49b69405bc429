// SPDX-License-Identifier: Apache-2.0
//
// What one flusher detaches and another, maybe on another CPU, dispatches.

#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace paddock {
namespace {

class PendingFlushTest : public testing::Test {
 protected:
  TlbMachine m_{2};
  TlbContext context_{m_.tlb()};
  TestCpu cpu0_{m_, 0};
  TestCpu cpu1_{m_, 1};

  void SetUp() override {
    for (TestCpu* cpu : {&cpu0_, &cpu1_}) {
      cpu->Run([&](const CpuPin& pin) {
        m_.tlb().Activate(pin, context_);
        for (uint64_t page = 0; page < 8; ++page) {
          m_.tlb().soft_tlb(pin).Insert(context_.tag(), m_.Entry(Page(page), PhysAddr(0)));
        }
      });
    }
  }
  // Of the first eight pages, those that the CPU has in its TLB, as bits.
  uint32_t Held(TestCpu& cpu) {
    uint32_t held = 0;
    cpu.Run([&](const CpuPin& pin) {
      for (uint64_t page = 0; page < 8; ++page) {
        if (m_.tlb().soft_tlb(pin).Lookup(context_.tag(), Page(page))) held |= 1u << page;
      }
    });
    return held;
  }
  PendingFlush Unmap(TestCpu& cpu, VirtRange range, FrameRun frames) {
    PendingFlush pending;
    cpu.Run([&](const CpuPin& pin) {
      TlbFlusher flusher(m_.tlb(), context_, pin);
      flusher.Issue(range);
      flusher.Retire(frames);
      pending = flusher.Detach();
      EXPECT_FALSE(flusher.pending());
    });
    return pending;
  }
};

TEST_F(PendingFlushTest, NothingIsFlushedAndNothingReleasedBeforeItIsDispatched) {
  const PhysAddr frame = m_.NewFrame();
  PendingFlush pending = Unmap(cpu0_, Pages(1, 1), FrameRun{frame, 1});
  EXPECT_FALSE(pending.empty());
  cpu0_.Run([&](const CpuPin& pin) { m_.PassGracePeriods(pin); });
  EXPECT_EQ(Held(cpu0_), 0xffu);
  EXPECT_TRUE(m_.InUse(frame));
  EXPECT_EQ(m_.bus().stats().sent, 0u);

  cpu1_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Attach(std::move(pending));
    EXPECT_TRUE(flusher.pending());
  });
  EXPECT_TRUE(pending.empty());
  EXPECT_EQ(Held(cpu1_), 0xfdu);
  cpu1_.Run([&](const CpuPin& pin) { m_.PassGracePeriods(pin); });
  EXPECT_TRUE(m_.InUse(frame)) << "CPU 0 has not acknowledged";
  cpu0_.Poll();
  EXPECT_EQ(Held(cpu0_), 0xfdu);
  cpu0_.Run([&](const CpuPin& pin) { m_.PassGracePeriods(pin); });
  EXPECT_FALSE(m_.InUse(frame));
}

TEST_F(PendingFlushTest, ManyBecomeOneBatch) {
  const FrameRun frames = m_.NewFrames(4);
  const auto part = [&](uint64_t i) { return FrameRun{frames.start.Plus(i * kPageSize), 1}; };
  PendingFlush first = Unmap(cpu0_, Pages(1, 1), part(0));
  PendingFlush second = Unmap(cpu1_, Pages(3, 2), part(1));
  PendingFlush third = Unmap(cpu0_, Pages(6, 1), part(2));
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(7, 1));
    flusher.Retire(part(3));
    for (PendingFlush* pending : {&first, &second, &third}) flusher.Attach(std::move(*pending));
  });
  EXPECT_EQ(m_.tlb().stats().batches, 1u);
  EXPECT_EQ(m_.tlb().stats().issued, 4u);
  EXPECT_EQ(m_.tlb().stats().full_flushes, 0u);
  cpu1_.Poll();
  for (TestCpu* cpu : {&cpu0_, &cpu1_}) EXPECT_EQ(Held(*cpu), 0b00100101u);
  cpu1_.Run([&](const CpuPin& pin) { m_.PassGracePeriods(pin); });
  for (uint64_t i = 0; i < 4; ++i) EXPECT_FALSE(m_.InUse(part(i).start)) << i;
}

TEST_F(PendingFlushTest, AFullFlushStaysOne) {
  PendingFlush pending;
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.IssueAll();
    pending = flusher.Detach();
  });
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Attach(std::move(pending));
  });
  EXPECT_EQ(Held(cpu0_), 0u);
  EXPECT_EQ(m_.tlb().stats().full_flushes, 1u);
  cpu1_.Poll();
  EXPECT_EQ(Held(cpu1_), 0u);
}

TEST_F(PendingFlushTest, ATicketIsDoneWhenAllHaveAcknowledged) {
  std::optional<ShootdownTicket> ticket;
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    EXPECT_FALSE(flusher.DispatchForLater());
    flusher.Issue(Pages(1, 1));
    ticket = flusher.DispatchForLater();
    flusher.Sync();  // not for this one
  });
  ASSERT_TRUE(ticket);
  EXPECT_FALSE(ticket->IsDone());
  cpu1_.Poll();
  EXPECT_TRUE(ticket->IsDone());
}

TEST_F(PendingFlushTest, NothingPendingDetachesAsNothing) {
  cpu0_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    PendingFlush nothing = flusher.Detach();
    EXPECT_TRUE(nothing.empty());
    flusher.Attach(std::move(nothing));
    EXPECT_FALSE(flusher.pending());
  });
}

}  // namespace
}  // namespace paddock

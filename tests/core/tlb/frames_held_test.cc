// SPDX-License-Identifier: Apache-2.0
//
// A frame is used again only when no TLB and no lock-free walk can reach it: after the last
// acknowledgement and after a grace period, whichever comes last.

#include <optional>
#include <thread>

#include "gtest/gtest.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace paddock {
namespace {

class FramesHeldTest : public testing::Test {
 protected:
  TlbMachine m_{3};
  TlbContext context_{m_.tlb()};
  TestCpu cpu0_{m_, 0};
  TestCpu cpu1_{m_, 1};
  TestCpu cpu2_{m_, 2};
  PhysAddr frame_ = m_.NewFrame();

  void Activate(TestCpu& cpu) {
    cpu.Run([&](const CpuPin& pin) { m_.tlb().Activate(pin, context_); });
  }
  void UnmapOn(TestCpu& cpu) {
    cpu.Run([&](const CpuPin& pin) {
      TlbFlusher flusher(m_.tlb(), context_, pin);
      flusher.Issue(Pages(1, 1));
      flusher.Retire(FrameRun{frame_, 1});
    });
  }
  // Gives RCU every chance on this CPU.
  void PollRcu(TestCpu& cpu) {
    cpu.Run([&](const CpuPin& pin) {
      for (int i = 0; i < 100; ++i) m_.rcu().Poll(pin);
    });
  }
};

TEST_F(FramesHeldTest, UntilTheLastAcknowledgement) {
  Activate(cpu0_);
  Activate(cpu1_);
  Activate(cpu2_);
  UnmapOn(cpu0_);
  for (TestCpu* cpu : {&cpu0_, &cpu1_, &cpu2_}) PollRcu(*cpu);
  EXPECT_TRUE(m_.InUse(frame_));
  cpu1_.Poll();
  for (TestCpu* cpu : {&cpu0_, &cpu1_, &cpu2_}) PollRcu(*cpu);
  EXPECT_TRUE(m_.InUse(frame_));
  EXPECT_EQ(m_.Generation(frame_), 0u);
  cpu2_.Poll();
  EXPECT_TRUE(m_.InUse(frame_));
  PollRcu(cpu2_);
  EXPECT_FALSE(m_.InUse(frame_));
  EXPECT_EQ(m_.Generation(frame_), 1u);
}

TEST_F(FramesHeldTest, UntilTheGracePeriodAfterTheLastAcknowledgement) {
  Activate(cpu0_);
  Activate(cpu1_);
  std::optional<RcuReadGuard> section;
  cpu2_.Run([&](const CpuPin& pin) { section.emplace(m_.rcu(), pin); });
  UnmapOn(cpu0_);
  cpu1_.Poll();
  PollRcu(cpu0_);
  PollRcu(cpu1_);
  EXPECT_TRUE(m_.InUse(frame_));
  cpu2_.Run([&](const CpuPin&) { section.reset(); });
  PollRcu(cpu1_);
  EXPECT_FALSE(m_.InUse(frame_));
}

TEST_F(FramesHeldTest, UntilTheGracePeriodIfNobodyElseHasToFlush) {
  Activate(cpu0_);
  std::optional<RcuReadGuard> section;
  cpu2_.Run([&](const CpuPin& pin) { section.emplace(m_.rcu(), pin); });
  UnmapOn(cpu0_);
  PollRcu(cpu0_);
  EXPECT_TRUE(m_.InUse(frame_));
  cpu2_.Run([&](const CpuPin&) { section.reset(); });
  PollRcu(cpu0_);
  EXPECT_FALSE(m_.InUse(frame_));
}

TEST_F(FramesHeldTest, SyncDoesNotWaitForTheGracePeriod) {
  Activate(cpu0_);
  Activate(cpu1_);
  std::optional<RcuReadGuard> section;
  cpu2_.Run([&](const CpuPin& pin) { section.emplace(m_.rcu(), pin); });
  cpu0_.Start([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), context_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Retire(FrameRun{frame_, 1});
    flusher.Sync();
  });
  while (!m_.bus().HasPending(CpuId{1})) std::this_thread::yield();
  cpu1_.Poll();
  cpu0_.Finish();
  EXPECT_TRUE(m_.InUse(frame_));
  cpu2_.Run([&](const CpuPin&) { section.reset(); });
  // Retired by whichever acknowledged last.
  PollRcu(cpu0_);
  PollRcu(cpu1_);
  EXPECT_FALSE(m_.InUse(frame_));
}

TEST_F(FramesHeldTest, OneReferenceIsReleasedHoweverManyCpusFlush) {
  Activate(cpu0_);
  Activate(cpu1_);
  Activate(cpu2_);
  ASSERT_TRUE(m_.frames().AddReferences(FrameRun{frame_, 1}).ok());
  UnmapOn(cpu0_);
  cpu1_.Poll();
  cpu2_.Poll();
  PollRcu(cpu2_);
  EXPECT_EQ(m_.frames().slot(frame_).ref_count.load(sync::seq_cst), 1u);
  m_.frames().Release(FrameRun{frame_, 1});
  EXPECT_FALSE(m_.InUse(frame_));
}

TEST_F(FramesHeldTest, NothingLeaksWhenTheMachineIsTakenDownWithBatchesInRcu) {
  // Checked by the sanitizers and by the checks in the destructors.
  TlbMachine machine(2);
  {
    TlbContext context(machine.tlb());
    const CpuPin pin = machine.cpus().Pin(CpuId{1}).value();
    for (uint64_t page = 0; page < 100; ++page) {
      TlbFlusher flusher(machine.tlb(), context, pin);
      flusher.Issue(Pages(page, 1));
      flusher.Retire(FrameRun{machine.NewFrame(), 1});
    }
  }
  EXPECT_GT(machine.frames().used_pages(), 0u);
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Transports of a user's own.

#include "paddock/core/tlb/transport.h"

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace paddock {
namespace {

// Like a hypervisor's shadow tables: a cache of frames that only forgets when it is told which
// frames. Nothing is sent to any CPU.
class FrameCacheTransport : public ShootdownTransport {
 public:
  TransportScope scope() const override { return TransportScope::kEveryBatch; }
  void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      batch.ForEachFrameRun([&](FrameRun run) { dropped_.push_back(run); });
      targets_.push_back(targets);
    }
    targets.ForEach([&](CpuId) { batch.Acknowledge(from); });
  }

  std::mutex mutex_;
  std::vector<FrameRun> dropped_;
  std::vector<CpuSet> targets_;
};

// Kicks a thread of each target by other means than the bus: here a list that the test empties.
class KickTransport : public ShootdownTransport {
 public:
  void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin&) override {
    std::lock_guard<std::mutex> lock(mutex_);
    targets.ForEach([&](CpuId cpu) { kicked_.emplace_back(cpu, &batch); });
  }
  ShootdownBatch* TakeFor(CpuId cpu) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = kicked_.begin(); it != kicked_.end(); ++it) {
      if (it->first != cpu) continue;
      ShootdownBatch* batch = it->second;
      kicked_.erase(it);
      return batch;
    }
    return nullptr;
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<CpuId, ShootdownBatch*>> kicked_;
};

TEST(FrameCacheTransportTest, SeesTheRunsOfEveryBatchAlsoOfACpuThatIsAlone) {
  FrameCacheTransport transport;
  TlbMachine m(2, {}, &transport);
  TlbContext context(m.tlb());
  TestCpu cpu0(m, 0);
  const FrameRun run = m.NewFrames(40);
  cpu0.Run([&](const CpuPin& pin) {
    m.tlb().Activate(pin, context);
    m.tlb().soft_tlb(pin).Insert(context.tag(), m.Entry(Page(2), run.start));
    TlbFlusher flusher(m.tlb(), context, pin);
    for (uint64_t i = 0; i < 40; i += 4) {
      flusher.Issue(Pages(2 * i, 1));
      flusher.Retire(FrameRun{run.start.Plus(i * kPageSize), 1});
      flusher.Retire(FrameRun{run.start.Plus((i + 1) * kPageSize), 2});
    }
    flusher.Issue(Pages(2, 1));
    flusher.Sync();
    EXPECT_FALSE(m.tlb().soft_tlb(pin).Lookup(context.tag(), Page(2)).has_value());
  });
  ASSERT_EQ(transport.dropped_.size(), 10u);
  for (uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(transport.dropped_[i], (FrameRun{run.start.Plus(4 * i * kPageSize), 3}));
  }
  ASSERT_EQ(transport.targets_.size(), 1u);
  EXPECT_TRUE(transport.targets_[0].Contains(CpuId{0}));
  EXPECT_EQ(transport.targets_[0].Count(), 1u);
}

TEST(FrameCacheTransportTest, IsAskedWhenNobodyRunsTheSpaceAndNotForNothing) {
  FrameCacheTransport transport;
  TlbMachine m(2, {}, &transport);
  TlbContext context(m.tlb());
  TestCpu cpu0(m, 0);
  const PhysAddr frame = m.NewFrame();
  const PhysAddr unflushed = m.NewFrame();
  cpu0.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m.tlb(), context, pin);
    flusher.Dispatch();
    flusher.Retire(FrameRun{unflushed, 1});
    flusher.Dispatch();
    EXPECT_TRUE(transport.targets_.empty());
    flusher.Issue(Pages(1, 1));
    flusher.Retire(FrameRun{frame, 1});
    flusher.Sync();
    m.PassGracePeriods(pin);
  });
  ASSERT_EQ(transport.targets_.size(), 1u);
  EXPECT_TRUE(transport.targets_[0].Empty());
  EXPECT_EQ(transport.dropped_, std::vector<FrameRun>({FrameRun{frame, 1}}));
  EXPECT_FALSE(m.InUse(frame));
}

TEST(KickTransportTest, TargetsHandleTheBatchOnTheirOwnThreads) {
  KickTransport transport;
  TlbMachine m(3, {}, &transport);
  TlbContext context(m.tlb());
  TestCpu cpu0(m, 0), cpu1(m, 1), cpu2(m, 2);
  const PhysAddr frame = m.NewFrame();
  for (TestCpu* cpu : {&cpu0, &cpu1}) {
    cpu->Run([&](const CpuPin& pin) {
      m.tlb().Activate(pin, context);
      m.tlb().soft_tlb(pin).Insert(context.tag(), m.Entry(Page(1), frame));
    });
  }
  std::atomic<bool> synced = false;
  cpu0.Start([&](const CpuPin& pin) {
    TlbFlusher flusher(m.tlb(), context, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Retire(FrameRun{frame, 1});
    flusher.Sync();
    synced = true;
  });
  ShootdownBatch* batch = nullptr;
  while ((batch = transport.TakeFor(CpuId{1})) == nullptr) std::this_thread::yield();
  EXPECT_EQ(transport.TakeFor(CpuId{0}), nullptr);
  EXPECT_EQ(transport.TakeFor(CpuId{2}), nullptr);
  EXPECT_FALSE(synced);
  EXPECT_EQ(batch->tag(), context.tag());
  cpu1.Run([&](const CpuPin& pin) {
    EXPECT_TRUE(m.tlb().soft_tlb(pin).Lookup(context.tag(), Page(1)).has_value());
    batch->Handle(pin);
    EXPECT_FALSE(m.tlb().soft_tlb(pin).Lookup(context.tag(), Page(1)).has_value());
  });
  cpu0.Finish();
  EXPECT_TRUE(synced);
  // Retired by whichever acknowledged last.
  for (TestCpu* cpu : {&cpu0, &cpu1}) {
    cpu->Run([&](const CpuPin& pin) { m.PassGracePeriods(pin); });
  }
  EXPECT_FALSE(m.InUse(frame));
  EXPECT_EQ(m.bus().stats().sent, 0u);
}

TEST(KickTransportTest, AThirdCpuMayAcknowledgeForATarget) {
  KickTransport transport;
  TlbMachine m(3, {}, &transport);
  TlbContext context(m.tlb());
  TestCpu cpu0(m, 0), cpu1(m, 1), cpu2(m, 2);
  cpu1.Run([&](const CpuPin& pin) { m.tlb().Activate(pin, context); });
  cpu0.Start([&](const CpuPin& pin) {
    TlbFlusher flusher(m.tlb(), context, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Sync();
  });
  ShootdownBatch* batch = nullptr;
  while ((batch = transport.TakeFor(CpuId{1})) == nullptr) std::this_thread::yield();
  cpu2.Run([&](const CpuPin& pin) { batch->Acknowledge(pin); });
  cpu0.Finish();
  EXPECT_EQ(m.tlb().stats().batches, 1u);
}

TEST(TransportDeathTest, OneAcknowledgementTooManyStops) {
  class Twice : public ShootdownTransport {
    TransportScope scope() const override { return TransportScope::kEveryBatch; }
    void Deliver(const CpuSet&, ShootdownBatch& batch, const CpuPin& from) override {
      batch.Acknowledge(from);  // there is no target: this one is the dispatcher's own
    }
  };
  EXPECT_DEATH(
      {
        Twice transport;
        TlbMachine m(1, {}, &transport);
        const CpuPin pin = m.cpus().Pin(CpuId{0}).value();
        TlbContext context(m.tlb());
        TlbFlusher(m.tlb(), context, pin).Issue(Pages(1, 1));
      },
      "acknowledged more often");
}

}  // namespace
}  // namespace paddock

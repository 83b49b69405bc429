// SPDX-License-Identifier: Apache-2.0
//
// CPUs in the first and the last word of the sets of CPUs, and at both sides of a border between
// words, on the largest machine there is.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "gtest/gtest.h"
#include "paddock/concurrency/cpu_set.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace paddock {
namespace {

class ManyCpusTest : public testing::Test {
 protected:
  static constexpr std::array<uint32_t, 4> kCpus = {0, 63, 64, kMaxCpus - 1};

  void SetUp() override {
    for (size_t i = 0; i < kCpus.size(); ++i) cpus_[i] = std::make_unique<TestCpu>(m_, kCpus[i]);
  }
  TestCpu& Cpu(size_t i) { return *cpus_[i]; }
  // The members of kCpus, by index, that have requests to serve; nobody else has.
  void ExpectPending(const CpuSet& expected) {
    for (uint32_t cpu = 0; cpu < kMaxCpus; ++cpu) {
      EXPECT_EQ(m_.bus().HasPending(CpuId{cpu}), expected.Contains(CpuId{cpu})) << "CPU " << cpu;
    }
  }
  // Gives RCU every chance, on every CPU.
  void PollRcu() {
    for (const auto& cpu : cpus_) {
      cpu->Run([&](const CpuPin& pin) {
        for (int i = 0; i < 100; ++i) m_.rcu().Poll(pin);
      });
    }
  }

  TlbMachine m_{kMaxCpus, {.tlb_sets = 1}};
  TlbContext context_{m_.tlb()};
  std::array<std::unique_ptr<TestCpu>, kCpus.size()> cpus_;
};

TEST_F(ManyCpusTest, AShootdownReachesAndAwaitsTheCpusOfTheSpaceAndNoOthers) {
  const PhysAddr frame = m_.NewFrame();
  for (const auto& cpu : cpus_) {
    cpu->Run([&](const CpuPin& pin) {
      m_.tlb().Activate(pin, context_);
      m_.tlb().soft_tlb(pin).Insert(context_.tag(), m_.Entry(Page(1), frame));
    });
  }
  for (const size_t initiator : {size_t{0}, size_t{2}}) {
    SCOPED_TRACE(kCpus[initiator]);
    const PhysAddr unmapped = initiator == 0 ? m_.NewFrame() : frame;
    Cpu(initiator).Run([&](const CpuPin& pin) {
      TlbFlusher flusher(m_.tlb(), context_, pin);
      flusher.Issue(Pages(initiator == 0 ? 2 : 1, 1));
      flusher.Retire(FrameRun{unmapped, 1});
    });
    CpuSet targets;
    for (const uint32_t cpu : kCpus) targets.Add(CpuId{cpu});
    targets.Remove(CpuId{kCpus[initiator]});
    for (size_t i = kCpus.size(); i-- != 0;) {
      ExpectPending(targets);
      if (i == initiator) continue;
      PollRcu();
      EXPECT_TRUE(m_.InUse(unmapped)) << "CPU " << kCpus[i] << " has not acknowledged";
      Cpu(i).Poll();
      targets.Remove(CpuId{kCpus[i]});
    }
    ExpectPending(CpuSet());
    PollRcu();
    EXPECT_FALSE(m_.InUse(unmapped));
  }
  for (const auto& cpu : cpus_) {
    cpu->Run([&](const CpuPin& pin) {
      EXPECT_FALSE(m_.tlb().soft_tlb(pin).Lookup(context_.tag(), Page(1)));
    });
  }
  EXPECT_EQ(m_.tlb().stats().interrupts, 6u);
}

TEST_F(ManyCpusTest, AGracePeriodWaitsForASectionOnAnyOfThem) {
  for (size_t reader = 0; reader < kCpus.size(); ++reader) {
    SCOPED_TRACE(kCpus[reader]);
    const PhysAddr frame = m_.NewFrame();
    std::optional<RcuReadGuard> section;
    Cpu(reader).Run([&](const CpuPin& pin) { section.emplace(m_.rcu(), pin); });
    Cpu((reader + 1) % kCpus.size()).Run([&](const CpuPin& pin) {
      TlbFlusher flusher(m_.tlb(), context_, pin);
      flusher.Issue(Pages(1, 1));
      flusher.Retire(FrameRun{frame, 1});
    });
    PollRcu();
    EXPECT_TRUE(m_.InUse(frame));
    Cpu(reader).Run([&](const CpuPin&) { section.reset(); });
    PollRcu();
    EXPECT_FALSE(m_.InUse(frame));
  }
}

}  // namespace
}  // namespace paddock

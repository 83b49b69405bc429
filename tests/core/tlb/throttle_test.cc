// SPDX-License-Identifier: Apache-2.0
//
// A CPU that changes a space faster than another one acknowledges is held back.

#include <atomic>
#include <cstdint>
#include <thread>

#include "gtest/gtest.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace paddock {
namespace {

class TlbThrottleTest : public testing::Test {
 protected:
  static constexpr uint32_t kLimit = 4;

  void SetUp() override {
    slow_.Run([&](const CpuPin& pin) { m_.tlb().Activate(pin, context_); });
  }
  // Not acknowledged before `slow_` polls.
  void Dispatch(const CpuPin& pin, uint32_t batches) {
    for (uint32_t i = 0; i < batches; ++i) {
      TlbFlusher(m_.tlb(), context_, pin).Issue(Pages(i, 1));
    }
  }

  TlbMachine m_{2, TlbSystem::Options{.in_flight_limit = kLimit}};
  TlbContext context_{m_.tlb()};
  TestCpu fast_{m_, 0};
  TestCpu slow_{m_, 1};
};

TEST_F(TlbThrottleTest, UpToTheLimitNobodyWaits) {
  fast_.Run([&](const CpuPin& pin) {
    Dispatch(pin, kLimit);
    EXPECT_EQ(m_.tlb().in_flight(pin), kLimit);
    m_.tlb().Throttle(pin, sync::kNoDeadline);
    EXPECT_EQ(m_.tlb().in_flight(pin), kLimit);
  });
  slow_.Poll();
  fast_.Run([&](const CpuPin& pin) { EXPECT_EQ(m_.tlb().in_flight(pin), 0u); });
}

TEST_F(TlbThrottleTest, OverTheLimitWaitsForAcknowledgements) {
  fast_.Start([&](const CpuPin& pin) {
    Dispatch(pin, kLimit + 3);
    m_.tlb().Throttle(pin, sync::kNoDeadline);
    EXPECT_LE(m_.tlb().in_flight(pin), kLimit);
  });
  while (m_.tlb().stats().batches < kLimit + 3) std::this_thread::yield();
  slow_.Poll();
  fast_.Finish();
}

TEST_F(TlbThrottleTest, ServesItsOwnMailboxMeanwhile) {
  fast_.Run([&](const CpuPin& pin) { m_.tlb().Activate(pin, context_); });
  // Both are over the limit and wait for each other.
  for (TestCpu* cpu : {&fast_, &slow_}) {
    cpu->Run([&](const CpuPin& pin) { Dispatch(pin, kLimit + 1); });
  }
  std::atomic<int> over{0};
  for (TestCpu* cpu : {&fast_, &slow_}) {
    cpu->Start([&](const CpuPin& pin) {
      m_.tlb().Throttle(pin, sync::kNoDeadline);
      EXPECT_LE(m_.tlb().in_flight(pin), kLimit);
      // The other one may need more of this CPU than this one needed of it.
      for (++over; over < 2; std::this_thread::yield()) m_.bus().Poll(pin);
    });
  }
  fast_.Finish();
  slow_.Finish();
}

TEST_F(TlbThrottleTest, EndsAtItsDeadline) {
  fast_.Run([&](const CpuPin& pin) {
    Dispatch(pin, kLimit + 1);
    const uint64_t deadline = sync::NowNs() + 1'000'000;
    for (const uint64_t until : {uint64_t{0}, deadline}) {
      m_.tlb().Throttle(pin, until);
      EXPECT_GE(sync::NowNs(), until);
      EXPECT_EQ(m_.tlb().in_flight(pin), kLimit + 1);
    }
  });
  slow_.Poll();
}

// Its request is not queued: whoever is idle looks when it wakes.
TEST_F(TlbThrottleTest, AnIdleCpuHoldsNobodyBack) {
  slow_.GoIdle();
  fast_.Run([&](const CpuPin& pin) {
    Dispatch(pin, 10 * kLimit);
    EXPECT_EQ(m_.tlb().in_flight(pin), 0u);
  });
}

}  // namespace
}  // namespace paddock

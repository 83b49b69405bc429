// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/ipi_bus.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/tests/concurrency/pin_or_die.h"
#include "paddock/tests/concurrency/stage.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Request final : public IpiRequest {
 public:
  explicit Request(std::function<void(const CpuPin&)> then = nullptr) : then_(std::move(then)) {}
  void Handle(const CpuPin& pin) override {
    if (then_) then_(pin);
    handled_.fetch_add(1, sync::seq_cst);
  }
  uint32_t handled() const { return handled_.load(sync::seq_cst); }

 private:
  std::function<void(const CpuPin&)> then_;
  sync::Atomic<uint32_t> handled_;
};

// Tells its sender that it is done. The bus outlives the request, which may be gone as soon as
// done() holds.
class WakingRequest final : public IpiRequest {
 public:
  WakingRequest(IpiBus& bus, CpuId sender) : bus_(bus), sender_(sender) {}
  void Handle(const CpuPin&) override {
    IpiBus& bus = bus_;
    const CpuId sender = sender_;
    done_.store(true, sync::seq_cst);
    bus.Wake(sender);
  }
  bool done() const { return done_.load(sync::seq_cst); }

 private:
  IpiBus& bus_;
  const CpuId sender_;
  sync::Atomic<bool> done_;
};

class IpiBusTest : public testing::Test {
 protected:
  CpuRegistry registry_{3};
  IpiBus bus_{registry_};
};
using IpiBusDeathTest = IpiBusTest;

TEST_F(IpiBusTest, RequestsToABusyCpuCoalesceAndKeepTheirOrder) {
  const CpuPin pin = PinOrDie(registry_, 1);
  std::vector<int> order;
  Request first([&](const CpuPin& here) {
    EXPECT_EQ(here.cpu(), CpuId{1});
    order.push_back(1);
  });
  Request second([&](const CpuPin&) { order.push_back(2); });
  sync::Thread([&] {
    EXPECT_EQ(bus_.Send(CpuId{1}, &first), Delivery::kQueued);
    EXPECT_EQ(bus_.Send(CpuId{1}, &second), Delivery::kCoalesced);
    EXPECT_EQ(bus_.Send(CpuId{1}, &first), Delivery::kCoalesced);
  }).Join();
  EXPECT_TRUE(bus_.HasPending(CpuId{1}));
  EXPECT_THAT(order, IsEmpty());
  bus_.Poll(pin);
  EXPECT_THAT(order, ElementsAre(1, 2, 1));
  EXPECT_FALSE(bus_.HasPending(CpuId{1}));
  EXPECT_EQ(bus_.Send(CpuId{1}, &second), Delivery::kQueued)
      << "everything was handled: a new kick";
  bus_.Poll(pin);
  const IpiStats stats = bus_.stats();
  EXPECT_EQ(stats.sent, 4u);
  EXPECT_EQ(stats.kicks, 2u);
  EXPECT_EQ(stats.coalesced, 2u);
  EXPECT_EQ(stats.handled, 4u);
}

TEST_F(IpiBusTest, NothingIsQueuedForAnIdleCpu) {
  Request request;
  EXPECT_EQ(bus_.Send(CpuId{2}, &request), Delivery::kIdle);
  EXPECT_FALSE(bus_.HasPending(CpuId{2}));
  {
    const CpuPin pin = PinOrDie(registry_, 2);
  }
  EXPECT_EQ(request.handled(), 0u);
  EXPECT_EQ(bus_.Send(CpuId{2}, &request), Delivery::kIdle) << "idle again";
  EXPECT_EQ(bus_.stats().idle_skips, 2u);
}

TEST_F(IpiBusTest, GoingIdleHandlesWhatIsPending) {
  Request request;
  {
    const CpuPin pin = PinOrDie(registry_, 0);
    bus_.Send(CpuId{0}, &request);
    EXPECT_EQ(request.handled(), 0u);
  }
  EXPECT_EQ(request.handled(), 1u);
}

TEST_F(IpiBusTest, OneRequestMayBePendingOnManyCpus) {
  Request request;
  Stage stage;
  const auto target = [&](uint32_t cpu) {
    const CpuPin pin = PinOrDie(registry_, cpu);
    stage.Reach(cpu);
    stage.Await(10);
    bus_.Poll(pin);
  };
  sync::Thread one([&] { target(1); });
  stage.Await(1);
  sync::Thread two([&] { target(2); });
  stage.Await(2);
  EXPECT_EQ(bus_.Send(CpuId{1}, &request), Delivery::kQueued);
  EXPECT_EQ(bus_.Send(CpuId{2}, &request), Delivery::kQueued);
  stage.Reach(10);
  one.Join();
  two.Join();
  EXPECT_EQ(request.handled(), 2u);
}

TEST_F(IpiBusTest, RequestsSentByAHandlerRunAfterItNotInsideIt) {
  const CpuPin pin = PinOrDie(registry_, 0);
  uint32_t depth = 0;
  uint32_t deepest = 0;
  uint32_t left = 1000;  // nested calls this deep would be visible on the stack
  std::optional<Request> request;
  request.emplace([&](const CpuPin& here) {
    deepest = std::max(deepest, ++depth);
    if (--left > 0) bus_.Send(CpuId{0}, &*request);
    bus_.Poll(here);
    --depth;
  });
  bus_.Send(CpuId{0}, &*request);
  bus_.Poll(pin);
  EXPECT_EQ(request->handled(), 1000u);
  EXPECT_EQ(deepest, 1u);
}

TEST_F(IpiBusTest, TwoCpusThatWaitForEachOthersRequestsBothFinish) {
  constexpr uint32_t kRounds = 500;
  Stage stage;
  const auto work = [&](uint32_t me, uint32_t other) {
    const CpuPin pin = PinOrDie(registry_, me);
    stage.Reach(me + 1);
    stage.Await(2);
    for (uint32_t round = 0; round < kRounds; ++round) {
      WakingRequest request(bus_, CpuId{me});
      // Idle: the other one has finished all its rounds.
      if (bus_.Send(CpuId{other}, &request) == Delivery::kIdle) break;
      EXPECT_TRUE(bus_.WaitUntil(pin, [&] { return request.done(); }, sync::kNoDeadline));
    }
  };
  sync::Thread first([&] { work(0, 1); });
  stage.Await(1);
  work(1, 0);
}

TEST_F(IpiBusTest, WaitEndsAtItsDeadline) {
  const CpuPin pin = PinOrDie(registry_, 0);
  const uint64_t deadline = sync::NowNs() + 2'000'000;
  EXPECT_FALSE(bus_.WaitUntil(pin, [] { return false; }, deadline));
  EXPECT_GE(sync::NowNs(), deadline);
}

TEST_F(IpiBusTest, WaitEndsAtItsDeadlineAlsoUnderAStreamOfWakes) {
  const CpuPin pin = PinOrDie(registry_, 0);
  sync::Atomic<bool> stop;
  sync::Thread pest([&] {
    while (!stop.load(sync::seq_cst)) bus_.Wake(CpuId{0});
  });
  EXPECT_FALSE(bus_.WaitUntil(pin, [] { return false; }, sync::NowNs() + 2'000'000));
  stop.store(true, sync::seq_cst);
}

TEST_F(IpiBusTest, FulfilledPredicateWinsOverAPassedDeadline) {
  const CpuPin pin = PinOrDie(registry_, 0);
  EXPECT_TRUE(bus_.WaitUntil(pin, [] { return true; }, 0));
}

TEST_F(IpiBusTest, WakeEndsTheSleepOfAWaiter) {
  Stage stage;
  sync::Atomic<bool> go;
  sync::Thread waiter([&] {
    const CpuPin pin = PinOrDie(registry_, 1);
    uint32_t looks = 0;
    EXPECT_TRUE(bus_.WaitUntil(
        pin,
        [&] {
          // Past the spinning, so that the waiter is about to sleep, or does.
          if (++looks == 120) stage.Reach(1);
          return go.load(sync::seq_cst);
        },
        sync::kNoDeadline));
  });
  // Each Wake lets the waiter look again.
  while (!stage.IsReached(1)) {
    bus_.Wake(CpuId{1});
    sync::YieldThread();
  }
  go.store(true, sync::seq_cst);
  bus_.Wake(CpuId{1});
}

TEST_F(IpiBusTest, RequestEndsTheSleepOfAWaiterThatItConcerns) {
  Stage stage;
  sync::Thread waiter([&] {
    const CpuPin pin = PinOrDie(registry_, 1);
    bool fulfilled = false;  // by the request, on this thread: no Wake is needed
    Request request([&](const CpuPin&) { fulfilled = true; });
    uint32_t looks = 0;
    sync::Thread sender([&] {
      stage.Await(1);
      EXPECT_EQ(bus_.Send(CpuId{1}, &request), Delivery::kQueued);
    });
    EXPECT_TRUE(bus_.WaitUntil(
        pin,
        [&] {
          if (++looks == 110) stage.Reach(1);
          return fulfilled;
        },
        sync::kNoDeadline));
  });
}

TEST_F(IpiBusTest, ServesRequestsWhileItWaits) {
  const CpuPin pin = PinOrDie(registry_, 0);
  Request request;
  sync::Thread sender([&] {
    for (int i = 0; i < 100; ++i) {
      const uint32_t before = request.handled();
      bus_.Send(CpuId{0}, &request);
      sync::Spin([&] { return request.handled() > before; });
    }
  });
  EXPECT_TRUE(bus_.WaitUntil(pin, [&] { return request.handled() == 100; }, sync::kNoDeadline));
}

TEST_F(IpiBusDeathTest, WaitInAHandlerIsRefused) {
  EXPECT_DEATH(
      {
        const CpuPin pin = PinOrDie(registry_, 0);
        Request request([&](const CpuPin& here) {
          bus_.WaitUntil(here, [] { return true; }, sync::kNoDeadline);
        });
        bus_.Send(CpuId{0}, &request);
        bus_.Poll(pin);
      },
      "handler waits");
}

// Comes after the bus, as the catching up of lazy CPUs does.
class Watcher final : public CpuObserver {
 public:
  explicit Watcher(const uint64_t& generation) : generation_(generation) {}
  void OnWake(const CpuPin&) override { seen = generation_; }
  void OnIdle(const CpuPin&) override {}
  uint64_t seen = 0;

 private:
  const uint64_t& generation_;
};

// The plain store before Send is ordered before the plain load in OnWake by the mailbox alone.
TEST_F(IpiBusTest, WhatIsWrittenBeforeAnIdleSkipIsSeenOnWaking) {
  constexpr uint64_t kRounds = 300;
  uint64_t generation = 0;
  Watcher watcher(generation);
  registry_.AddObserver(&watcher);
  Request request;
  {
    // relaxed hand-overs: they must not order what the test looks at.
    sync::Atomic<uint64_t> skipped;
    sync::Atomic<uint64_t> woken;
    sync::Thread sleeper([&] {
      for (uint64_t round = 1; round <= kRounds; ++round) {
        sync::Spin([&] { return skipped.load(sync::relaxed) == round; });
        {
          const CpuPin pin = PinOrDie(registry_, 1);
        }
        EXPECT_EQ(watcher.seen, round);
        woken.store(round, sync::release);
      }
    });
    for (uint64_t round = 1; round <= kRounds; ++round) {
      generation = round;
      EXPECT_EQ(bus_.Send(CpuId{1}, &request), Delivery::kIdle);
      skipped.store(round, sync::relaxed);
      sync::Spin([&] { return woken.load(sync::acquire) == round; });
    }
  }
  registry_.RemoveObserver(&watcher);
}

// Every accepted request is handled exactly once, though its target comes and goes.
TEST_F(IpiBusTest, NoRequestIsLostOnTheEdgeOfIdleness) {
  constexpr uint32_t kSends = 5000;
  Request request;
  uint32_t accepted = 0;
  sync::Atomic<bool> stop;
  {
    sync::Thread target([&] {
      while (!stop.load(sync::seq_cst)) {
        const CpuPin pin = PinOrDie(registry_, 0);
        bus_.Poll(pin);
      }
    });
    for (uint32_t i = 0; i < kSends; ++i) {
      if (bus_.Send(CpuId{0}, &request) != Delivery::kIdle) ++accepted;
    }
    stop.store(true, sync::seq_cst);
  }
  EXPECT_EQ(request.handled(), accepted);
  EXPECT_EQ(bus_.stats().handled, accepted);
  EXPECT_EQ(bus_.stats().sent, kSends);
}

}  // namespace
}  // namespace paddock

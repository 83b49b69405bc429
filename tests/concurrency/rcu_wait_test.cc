// SPDX-License-Identifier: Apache-2.0
//
// Waiting: Synchronize, Throttle, and the report of stalled readers.
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/tests/concurrency/pin_or_die.h"
#include "paddock/tests/concurrency/rcu_objects.h"
#include "paddock/tests/concurrency/stage.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMillisecond = 1'000'000;

TEST(Synchronize, ReturnsWhenNobodyReads) {
  CpuRegistry registry(3);
  RcuDomain rcu(registry);
  const CpuPin pin = PinOrDie(registry, 1);
  EXPECT_TRUE(rcu.Synchronize(pin, [] {}).ok());
  EXPECT_EQ(rcu.stats().grace_periods, 1u);
}

TEST(Synchronize, IsRefusedInsideASection) {
  CpuRegistry registry(3);
  RcuDomain rcu(registry);
  const CpuPin pin = PinOrDie(registry, 2);
  RcuReadGuard guard(rcu, pin);
  const absl::Status status = rcu.Synchronize(pin, [] {});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("section of CPU 2"));
}

TEST(Synchronize, WaitsForASectionThatWasOpenAndServesMeanwhile) {
  CpuRegistry registry(2);
  RcuDomain rcu(registry);
  Stage stage;
  bool section_is_over = false;  // ordered by the grace period alone
  sync::Thread reader([&] {
    const CpuPin pin = PinOrDie(registry, 1);
    RcuReadGuard guard(rcu, pin);
    stage.Reach(1);
    stage.Await(2);
    section_is_over = true;
  });
  stage.Await(1);
  const CpuPin pin = PinOrDie(registry, 0);
  uint32_t served = 0;
  ASSERT_TRUE(rcu.Synchronize(pin,
                              [&] {
                                // The reader leaves only after this CPU has served for a while.
                                if (++served == 100) stage.Reach(2);
                              })
                  .ok());
  EXPECT_TRUE(section_is_over);
  EXPECT_GE(served, 100u);
}

TEST(Synchronize, TwoCpusAtOnceDoNotWaitForEachOther) {
  CpuRegistry registry(2);
  RcuDomain rcu(registry);
  const auto work = [&](uint32_t cpu) {
    const CpuPin pin = PinOrDie(registry, cpu);
    for (int i = 0; i < 200; ++i) EXPECT_TRUE(rcu.Synchronize(pin, [] {}).ok());
  };
  const sync::Thread other([&] { work(1); });
  work(0);
}

class Answer final : public IpiRequest {
 public:
  void Handle(const CpuPin&) override { answered_.store(true, sync::seq_cst); }
  bool answered() const { return answered_.load(sync::seq_cst); }

 private:
  sync::Atomic<bool> answered_;
};

// A reader waits, inside its section, for a request that the synchronizing CPU must handle.
TEST(Synchronize, ServedMailboxFreesTheReaderItWaitsFor) {
  CpuRegistry registry(2);
  RcuDomain rcu(registry);
  IpiBus bus(registry);
  Stage stage;
  const CpuPin pin = PinOrDie(registry, 0);
  Answer answer;
  sync::Thread reader([&] {
    const CpuPin here = PinOrDie(registry, 1);
    RcuReadGuard guard(rcu, here);
    EXPECT_EQ(bus.Send(CpuId{0}, &answer), Delivery::kQueued);
    stage.Reach(1);
    sync::Spin([&] { return answer.answered(); });
  });
  stage.Await(1);
  EXPECT_FALSE(answer.answered());
  EXPECT_TRUE(rcu.Synchronize(pin, [&] { bus.Poll(pin); }).ok());
  EXPECT_TRUE(answer.answered());
}

// A thread that sits in a section until it is told to leave, and can be told to enter again.
class StalledReader {
 public:
  StalledReader(CpuRegistry& registry, RcuDomain& rcu, uint32_t cpu)
      : thread_([this, &registry, &rcu, cpu] {
          const CpuPin pin = PinOrDie(registry, cpu);
          for (uint32_t round = 0; round < 2; ++round) {
            stage_.Await(4 * round + 1);
            RcuReadGuard guard(rcu, pin);
            stage_.Reach(4 * round + 2);
            stage_.Await(4 * round + 3);
          }
        }) {}
  void Enter(uint32_t round) {
    stage_.Reach(4 * round + 1);
    stage_.Await(4 * round + 2);
  }
  void Leave(uint32_t round) { stage_.Reach(4 * round + 3); }

 private:
  Stage stage_;
  sync::Thread thread_;
};

TEST(Throttle, KeepsTheBacklogBoundedUnderAFlood) {
  constexpr uint64_t kLimit = 100;
  constexpr int kObjects = 5000;
  CpuRegistry registry(2);
  RcuDomain rcu(registry, {.batch_size = 16, .backlog_limit = kLimit});
  sync::Atomic<bool> stop;
  sync::Thread reader([&] {
    const CpuPin pin = PinOrDie(registry, 1);
    while (!stop.load(sync::seq_cst)) {
      RcuReadGuard guard(rcu, pin);
      sync::CpuRelax();
    }
  });
  std::deque<Retired> objects;
  {
    const CpuPin pin = PinOrDie(registry, 0);
    for (int i = 0; i < kObjects; ++i) {
      rcu.Retire(pin, &objects.emplace_back());
      rcu.Throttle(pin);
    }
    EXPECT_LE(rcu.stats().peak_backlog, 3 * kLimit) << "of two CPUs";
    EXPECT_GE(rcu.stats().reclaimed, kObjects - 2 * kLimit) << "on this CPU, and among the orphans";
    stop.store(true, sync::seq_cst);
    rcu.Drain(pin);
  }
  EXPECT_EQ(rcu.stats().stalls, 0u);
}

// A reader holds back what was retired since it came, not what was due before.
TEST(Throttle, AReaderHoldsBackNothingThatWasDueBefore) {
  CpuRegistry registry(3);
  std::vector<Retired> objects(5);
  RcuDomain rcu(registry, {.batch_size = 1, .backlog_limit = 2});
  StalledReader reader(registry, rcu, 2);
  const CpuPin pin = PinOrDie(registry, 0);
  for (int i = 0; i < 2; ++i) rcu.Retire(pin, &objects[i]);
  reader.Enter(0);
  EXPECT_EQ(objects[0].times(), 0u);
  // Over the limit: handed over, on this CPU and by one that goes idle.
  rcu.Retire(pin, &objects[2]);
  for (int i = 3; i < 5; ++i) {
    sync::Thread([&, i] { rcu.Retire(PinOrDie(registry, 1), &objects[i]); });
  }
  PollOften(rcu, pin);
  EXPECT_EQ(objects[0].times(), 1u);
  EXPECT_EQ(objects[2].times(), 0u);
  reader.Leave(0);
  reader.Enter(1);
  reader.Leave(1);
  rcu.Drain(pin);
}

TEST(Throttle, CountsTheBacklogOfIdleCpusToo) {
  constexpr uint64_t kLimit = 10;
  std::deque<Retired> objects;  // some are left for the domain's destructor
  CpuRegistry registry(1);
  RcuDomain rcu(registry, {.batch_size = 4, .backlog_limit = kLimit});
  for (int i = 0; i < 200; ++i) {
    const CpuPin pin = PinOrDie(registry, 0);
    rcu.Retire(pin, &objects.emplace_back());
    rcu.Throttle(pin);
    EXPECT_LE(rcu.stats().retired - rcu.stats().reclaimed, 2 * kLimit + 2);
  }
}

// What this CPU unlinks, others may retire, and do nothing else: this CPU reclaims it instead.
TEST(Throttle, ReclaimsWhatBusyCpusLetWait) {
  constexpr uint64_t kLimit = 10;
  constexpr uint64_t kBatch = 4;
  std::vector<Retired> objects(10 * kLimit);  // some are left for the domain's destructor
  CpuRegistry registry(3);
  RcuDomain rcu(registry, {.batch_size = kBatch, .backlog_limit = kLimit});
  Stage stage;
  sync::Thread holder([&] {
    const CpuPin pin = PinOrDie(registry, 1);
    for (Retired& object : objects) rcu.Retire(pin, &object);
    stage.Reach(1);
    stage.Await(2);
  });
  stage.Await(1);
  EXPECT_GE(rcu.stats().retired - rcu.stats().reclaimed, 8 * kLimit);
  {
    const CpuPin pin = PinOrDie(registry, 0);
    rcu.Throttle(pin);
    // What the holder still has: its limit, and an open batch.
    EXPECT_LE(rcu.stats().retired - rcu.stats().reclaimed, kLimit + kBatch);
    rcu.Throttle(pin, [] { ADD_FAILURE() << "nothing is left to wait for"; });
  }
  stage.Reach(2);
}

// ... and is held back while it cannot.
TEST(Throttle, CountsWhatBusyCpusLetWait) {
  constexpr uint64_t kForever = 3'600'000 * kMillisecond;
  std::vector<Retired> objects(100);  // some are left for the domain's destructor
  CpuRegistry registry(3);
  RcuDomain rcu(registry, {.batch_size = 4, .backlog_limit = 10, .stall_ns = kForever});
  Stage stage;
  sync::Thread holder([&] {
    const CpuPin pin = PinOrDie(registry, 1);
    {
      RcuReadGuard guard(rcu, pin);
      for (Retired& object : objects) rcu.Retire(pin, &object);
      stage.Reach(1);
      stage.Await(2);
    }
    stage.Await(3);
  });
  stage.Await(1);
  uint32_t served = 0;
  rcu.Throttle(PinOrDie(registry, 0), [&] {
    if (++served == 100) stage.Reach(2);
  });
  EXPECT_GE(served, 100u);
  stage.Reach(2);  // if nothing held this CPU back, the holder must end all the same
  stage.Reach(3);
}

// Heavy objects on CPUs that only retire: none of them keeps more than its limit.
TEST(Throttle, CountsHeavyObjectsOfEveryCpu) {
  constexpr uint64_t kForever = 3'600'000 * kMillisecond;
  constexpr uint64_t kWeight = 1000;
  Retired first, second;  // left for the domain's destructor
  first.weight = second.weight = kWeight;
  CpuRegistry registry(4);
  RcuDomain rcu(registry, {.batch_size = 4, .backlog_limit = 10, .stall_ns = kForever});
  StalledReader reader(registry, rcu, 3);
  reader.Enter(0);
  const CpuPin here = PinOrDie(registry, 0);
  for (Retired* const object : {&first, &second}) {
    Stage stage;
    sync::Thread holder([&] {
      const CpuPin pin = PinOrDie(registry, object == &first ? 1 : 2);
      rcu.Retire(pin, object);
      stage.Reach(1);
      stage.Await(2);
    });
    stage.Await(1);
    uint32_t served = 0;
    rcu.Throttle(here, [&] { ++served; }, sync::NowNs() + kMillisecond);
    EXPECT_GT(served, 0u);
    stage.Reach(2);
  }
  EXPECT_EQ(rcu.stats().peak_backlog, 2 * kWeight);
  reader.Leave(0);
  reader.Enter(1);
  reader.Leave(1);
}

TEST(Throttle, EndsAtItsDeadlineWithoutAReport) {
  constexpr uint64_t kForever = 3'600'000 * kMillisecond;
  std::deque<Retired> objects(4);  // left for the domain's destructor
  CpuRegistry registry(2);
  RcuDomain rcu(registry, {.batch_size = 2, .backlog_limit = 3, .stall_ns = kForever});
  {
    const CpuPin here = PinOrDie(registry, 0);
    Stage stage;
    sync::Thread reader([&] {
      const CpuPin pin = PinOrDie(registry, 1);
      RcuReadGuard guard(rcu, pin);
      stage.Reach(1);
      stage.Await(2);
    });
    stage.Await(1);
    for (Retired& object : objects) rcu.Retire(here, &object);
    const uint64_t deadline = sync::NowNs() + 2 * kMillisecond;
    for (const uint64_t until : {uint64_t{0}, deadline}) {
      rcu.Throttle(here, [] {}, until);
      EXPECT_GE(sync::NowNs(), until);
    }
    stage.Reach(2);
  }
  EXPECT_EQ(rcu.stats().stalls, 0u);
}

TEST(Throttle, ALimitBeyondAllNumbersIsNone) {
  CpuRegistry registry(3);
  RcuDomain rcu(registry, {.batch_size = 1, .backlog_limit = ~uint64_t{0} / 2});
  const CpuPin pin = PinOrDie(registry, 0);
  std::vector<Retired> objects(100);
  for (Retired& object : objects) rcu.Retire(pin, &object);
  rcu.Throttle(pin, [] { ADD_FAILURE() << "nothing to wait for"; });
  rcu.Drain(pin);
}

TEST(Throttle, BelowTheLimitDoesNothing) {
  CpuRegistry registry(1);
  RcuDomain rcu(registry, {.batch_size = 4, .backlog_limit = 8});
  const CpuPin pin = PinOrDie(registry, 0);
  std::vector<Retired> objects(8);
  for (Retired& object : objects) rcu.Retire(pin, &object);
  rcu.Throttle(pin, [] { ADD_FAILURE() << "nothing to wait for"; });
  EXPECT_EQ(rcu.stats().reclaimed, 0u);
  rcu.Drain(pin);
}

TEST(Stall, StalledReaderIsNamedOncePerStall) {
  constexpr uint64_t kPatience = kMillisecond;
  CpuRegistry registry(4);
  std::vector<RcuStall> stalls;
  RcuDomain rcu(registry, {.batch_size = 1,
                           .stall_ns = kPatience,
                           .on_stall = [&](const RcuStall& stall) { stalls.push_back(stall); }});
  StalledReader reader(registry, rcu, 3);
  const CpuPin pin = PinOrDie(registry, 0);
  for (uint32_t round = 0; round < 2; ++round) {
    reader.Enter(round);
    Retired object;
    rcu.Retire(pin, &object);
    const uint64_t until = sync::NowNs() + 5 * kPatience;
    while (sync::NowNs() < until || stalls.size() <= round) rcu.Poll(pin);
    EXPECT_EQ(object.times(), 0u);
    EXPECT_EQ(stalls.size(), round + 1) << "one report for each stall";
    EXPECT_EQ(stalls.back().cpu, CpuId{3});
    EXPECT_GE(stalls.back().open_ns, kPatience);
    reader.Leave(round);
    while (object.times() == 0) rcu.Poll(pin);
  }
  EXPECT_EQ(rcu.stats().stalls, 2u);
}

TEST(Stall, ThrottleGivesUpAndNamesTheReader) {
  constexpr uint64_t kPatience = 2 * kMillisecond;
  CpuRegistry registry(4);
  std::vector<RcuStall> stalls;
  RcuDomain rcu(registry, {.batch_size = 2,
                           .backlog_limit = 3,
                           .stall_ns = kPatience,
                           .on_stall = [&](const RcuStall& stall) { stalls.push_back(stall); }});
  StalledReader reader(registry, rcu, 2);
  reader.Enter(0);
  const CpuPin pin = PinOrDie(registry, 0);
  std::deque<Retired> objects(4);
  for (Retired& object : objects) rcu.Retire(pin, &object);
  uint32_t served = 0;
  const uint64_t start = sync::NowNs();
  rcu.Throttle(pin, [&] { ++served; });
  EXPECT_GE(sync::NowNs() - start, kPatience);
  EXPECT_GT(served, 0u);
  ASSERT_EQ(stalls.size(), 1u);
  EXPECT_EQ(stalls[0].cpu, CpuId{2});
  reader.Leave(0);
  reader.Enter(1);
  reader.Leave(1);
  rcu.Drain(pin);
  for (const Retired& object : objects) EXPECT_EQ(object.times(), 1u);
}

}  // namespace
}  // namespace paddock

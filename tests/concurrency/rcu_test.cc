// SPDX-License-Identifier: Apache-2.0
//
// When callbacks run, and when they must not.
#include "paddock/concurrency/rcu.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/tests/concurrency/pin_or_die.h"
#include "paddock/tests/concurrency/rcu_objects.h"
#include "paddock/tests/concurrency/stage.h"

namespace paddock {
namespace {

class RcuTest : public testing::Test {
 protected:
  CpuRegistry registry_{4};
  RcuDomain rcu_{registry_, {.batch_size = 4}};
};

TEST_F(RcuTest, CallbackWaitsForASectionThatWasOpen) {
  Stage stage;
  Retired object;
  sync::Thread reader([&] {
    const CpuPin pin = PinOrDie(registry_, 1);
    {
      RcuReadGuard guard(rcu_, pin);
      stage.Reach(1);
      stage.Await(2);
    }
    stage.Reach(3);
    stage.Await(4);
  });
  stage.Await(1);
  const CpuPin pin = PinOrDie(registry_, 0);
  rcu_.Retire(pin, &object);
  PollOften(rcu_, pin);
  EXPECT_EQ(object.times(), 0u);
  stage.Reach(2);
  stage.Await(3);
  PollOften(rcu_, pin);
  EXPECT_EQ(object.times(), 1u);
  stage.Reach(4);
}

TEST_F(RcuTest, LoneObjectIsReclaimedThoughNoOtherCpuIsActive) {
  const CpuPin pin = PinOrDie(registry_, 0);
  Retired object;
  rcu_.Retire(pin, &object);
  EXPECT_EQ(object.times(), 0u) << "never from Retire";
  PollOften(rcu_, pin);
  EXPECT_EQ(object.times(), 1u);
}

TEST_F(RcuTest, PinnedCpuOutsideOfSectionsDelaysNothing) {
  Stage stage;
  sync::Thread other([&] {
    const CpuPin pin = PinOrDie(registry_, 1);
    stage.Reach(1);
    stage.Await(2);
  });
  stage.Await(1);
  const CpuPin pin = PinOrDie(registry_, 0);
  Retired object;
  rcu_.Retire(pin, &object);
  PollOften(rcu_, pin);
  EXPECT_EQ(object.times(), 1u);
  stage.Reach(2);
}

TEST_F(RcuTest, NestedSectionEndsWithTheOutermostGuard) {
  Stage stage;
  Retired object;
  sync::Thread reader([&] {
    const CpuPin pin = PinOrDie(registry_, 1);
    {
      RcuReadGuard outer(rcu_, pin);
      {
        RcuReadGuard inner(rcu_, pin);
      }
      EXPECT_TRUE(rcu_.InSection(pin));
      stage.Reach(1);
      stage.Await(2);
    }
    EXPECT_FALSE(rcu_.InSection(pin));
    stage.Reach(3);
  });
  stage.Await(1);
  const CpuPin pin = PinOrDie(registry_, 0);
  rcu_.Retire(pin, &object);
  PollOften(rcu_, pin);
  EXPECT_EQ(object.times(), 0u);
  stage.Reach(2);
  stage.Await(3);
  PollOften(rcu_, pin);
  EXPECT_EQ(object.times(), 1u);
}

TEST_F(RcuTest, OwnSectionHoldsBackWhatIsRetiredInsideIt) {
  const CpuPin pin = PinOrDie(registry_, 0);
  std::array<Retired, 9> objects;  // full batches are sealed inside the section
  {
    RcuReadGuard guard(rcu_, pin);
    for (Retired& object : objects) rcu_.Retire(pin, &object);
    PollOften(rcu_, pin);
    rcu_.Throttle(pin);
    for (const Retired& object : objects) EXPECT_EQ(object.times(), 0u);
  }
  PollOften(rcu_, pin);
  for (const Retired& object : objects) EXPECT_EQ(object.times(), 1u);
}

TEST_F(RcuTest, CallbackMayRetireAndOpenSectionsAndPoll) {
  const CpuPin pin = PinOrDie(registry_, 0);
  Retired second;
  Retired first([&](const CpuPin& here) {
    EXPECT_FALSE(rcu_.InSection(here));
    RcuReadGuard guard(rcu_, here);
    rcu_.Retire(here, &second);
    rcu_.Poll(here);
    rcu_.Throttle(here);
    EXPECT_EQ(second.times(), 0u) << "callbacks do not run inside each other";
  });
  rcu_.Retire(pin, &first);
  PollOften(rcu_, pin);
  EXPECT_EQ(first.times(), 1u);
  PollOften(rcu_, pin);
  EXPECT_EQ(second.times(), 1u);
}

TEST_F(RcuTest, ChainOfRetiringCallbacksEndsInDrain) {
  const CpuPin pin = PinOrDie(registry_, 0);
  std::array<std::unique_ptr<Retired>, 10> chain;
  for (size_t i = 0; i < chain.size(); ++i) {
    chain[i] = std::make_unique<Retired>([&, i](const CpuPin& here) {
      if (i + 1 < chain.size()) rcu_.Retire(here, chain[i + 1].get());
    });
  }
  rcu_.Retire(pin, chain[0].get());
  rcu_.Drain(pin);
  for (const auto& object : chain) EXPECT_EQ(object->times(), 1u);
}

// More than the CPU may keep, while the list that the callback stands in is not settled.
TEST(Rcu, ACallbackMayRetireMoreThanTheLimit) {
  CpuRegistry registry(1);
  RcuDomain rcu(registry, {.batch_size = 1, .backlog_limit = 1});
  const CpuPin pin = PinOrDie(registry, 0);
  std::array<Retired, 5> later;
  Retired first([&](const CpuPin& here) {
    for (Retired& object : later) rcu.Retire(here, &object);
  });
  rcu.Retire(pin, &first);
  rcu.Drain(pin);
  for (const Retired& object : later) EXPECT_EQ(object.times(), 1u);
  EXPECT_EQ(rcu.stats().reclaimed, 1 + later.size());
  EXPECT_LE(rcu.stats().peak_backlog, 1 + later.size());
  rcu.Throttle(pin, [] { ADD_FAILURE() << "nothing to wait for"; });
}

TEST_F(RcuTest, BacklogOfACpuThatWentIdleIsServedByAnother) {
  std::array<Retired, 6> objects;  // one full batch, and two that are open
  {
    const CpuPin pin = PinOrDie(registry_, 2);
    for (Retired& object : objects) rcu_.Retire(pin, &object);
  }
  const CpuPin pin = PinOrDie(registry_, 0);
  PollOften(rcu_, pin);
  for (const Retired& object : objects) EXPECT_EQ(object.times(), 1u);
}

TEST_F(RcuTest, OrphansWaitForASectionThatWasOpen) {
  Stage stage;
  Retired object;
  sync::Thread reader([&] {
    const CpuPin pin = PinOrDie(registry_, 1);
    std::optional<RcuReadGuard> guard(std::in_place, rcu_, pin);
    stage.Reach(1);
    stage.Await(2);
    guard.reset();
    stage.Reach(3);
  });
  stage.Await(1);
  {
    const CpuPin pin = PinOrDie(registry_, 2);
    rcu_.Retire(pin, &object);
  }
  const CpuPin pin = PinOrDie(registry_, 0);
  PollOften(rcu_, pin);
  EXPECT_EQ(object.times(), 0u);
  stage.Reach(2);
  stage.Await(3);
  PollOften(rcu_, pin);
  EXPECT_EQ(object.times(), 1u);
}

// Goes idle after the domain did, since it was added before it.
class RetiresOnIdle final : public CpuObserver {
 public:
  void OnWake(const CpuPin&) override {}
  void OnIdle(const CpuPin& pin) override {
    if (object != nullptr) rcu->Retire(pin, object);
    object = nullptr;
  }
  RcuDomain* rcu = nullptr;
  Retired* object = nullptr;
};

TEST(Rcu, ObjectRetiredWhileTheCpuGoesIdleIsNotLeftBehind) {
  CpuRegistry registry(2);
  RetiresOnIdle observer;
  registry.AddObserver(&observer);
  {
    RcuDomain rcu(registry);
    Retired object;
    observer.rcu = &rcu;
    observer.object = &object;
    {
      const CpuPin pin = PinOrDie(registry, 1);
    }
    const CpuPin pin = PinOrDie(registry, 0);
    PollOften(rcu, pin);
    EXPECT_EQ(object.times(), 1u);
  }
  registry.RemoveObserver(&observer);
}

TEST(Rcu, DestructorReclaimsEverything) {
  CpuRegistry registry(2);
  std::array<Retired, 7> objects;
  {
    RcuDomain rcu(registry, {.batch_size = 3});
    for (uint32_t i = 0; i < objects.size(); ++i) {
      const CpuPin pin = PinOrDie(registry, i % 2);
      rcu.Retire(pin, &objects[i]);
    }
  }
  for (const Retired& object : objects) EXPECT_EQ(object.times(), 1u);
}

TEST(Rcu, TwoDomainsOfOneRegistryAreIndependent) {
  CpuRegistry registry(1);
  RcuDomain one(registry);
  RcuDomain two(registry);
  const CpuPin pin = PinOrDie(registry, 0);
  Retired object;
  RcuReadGuard guard(two, pin);
  one.Retire(pin, &object);
  PollOften(one, pin);
  EXPECT_EQ(object.times(), 1u);
}

TEST(Rcu, PollingAfterEachRetireLetsBatchesFill) {
  constexpr uint32_t kBatch = 4 * RcuDomain::kPollsBeforeSeal;
  constexpr uint32_t kBatches = 10;
  CpuRegistry registry(1);
  RcuDomain rcu(registry, {.batch_size = kBatch});
  const CpuPin pin = PinOrDie(registry, 0);
  std::array<Retired, kBatch * kBatches> objects;
  for (Retired& object : objects) {
    rcu.Retire(pin, &object);
    rcu.Poll(pin);
  }
  EXPECT_LE(rcu.stats().grace_periods, kBatches);
  EXPECT_GE(rcu.stats().reclaimed, kBatch * (kBatches - 2));
  rcu.Drain(pin);
}

TEST(Rcu, AHeavyObjectFillsABatchByItself) {
  CpuRegistry registry(1);
  RcuDomain rcu(registry, {.batch_size = 64});
  const CpuPin pin = PinOrDie(registry, 0);
  Retired light;
  Retired heavy;
  heavy.weight = 64;
  rcu.Retire(pin, &light);
  for (int i = 0; i < 3; ++i) rcu.Poll(pin);
  EXPECT_EQ(light.times(), 0u);
  rcu.Retire(pin, &heavy);
  for (int i = 0; i < 3; ++i) rcu.Poll(pin);
  EXPECT_EQ(light.times(), 1u);
  EXPECT_EQ(heavy.times(), 1u);
  EXPECT_EQ(rcu.stats().reclaimed, 65u);
}

TEST(Rcu, RelieveReclaimsOverTheLimitAndDoesNotWait) {
  CpuRegistry registry(2);
  RcuDomain rcu(registry, {.batch_size = 1000, .backlog_limit = 10});
  const CpuPin pin = PinOrDie(registry, 0);
  std::array<Retired, 11> objects;
  for (size_t i = 0; i < 10; ++i) rcu.Retire(pin, &objects[i]);
  for (int i = 0; i < 5; ++i) rcu.Relieve(pin);
  EXPECT_EQ(rcu.stats().reclaimed, 0u);
  rcu.Retire(pin, &objects[10]);
  {
    RcuReadGuard guard(rcu, pin);
    for (int i = 0; i < 5; ++i) rcu.Relieve(pin);
    EXPECT_EQ(rcu.stats().reclaimed, 0u);
  }
  for (int i = 0; i < 5; ++i) rcu.Relieve(pin);
  EXPECT_EQ(rcu.stats().reclaimed, 11u);
}

TEST_F(RcuTest, StatisticsCountWhatHappened) {
  const CpuPin pin = PinOrDie(registry_, 0);
  std::array<Retired, 8> objects;
  for (Retired& object : objects) rcu_.Retire(pin, &object);
  EXPECT_EQ(rcu_.stats().retired, 8u);
  EXPECT_EQ(rcu_.stats().reclaimed, 0u);
  EXPECT_EQ(rcu_.stats().peak_backlog, 8u);
  rcu_.Drain(pin);
  const RcuStats stats = rcu_.stats();
  EXPECT_EQ(stats.reclaimed, 8u);
  EXPECT_EQ(stats.peak_backlog, 8u);
  EXPECT_GE(stats.grace_periods, 1u);
  EXPECT_GT(stats.longest_ns, 0u);
  EXPECT_EQ(stats.stalls, 0u);
}

TEST(RcuDeathTest, NestingStopsAtItsLimitAndDoesNotWrap) {
  CpuRegistry registry(1);
  RcuDomain rcu(registry, {.max_nesting = 2});
  const CpuPin pin = PinOrDie(registry, 0);
  RcuReadGuard first(rcu, pin);
  RcuReadGuard second(rcu, pin);
  EXPECT_DEATH(RcuReadGuard third(rcu, pin), "sections nested than max_nesting allows");
}

TEST(RcuDeathTest, LastPinMustNotGoInsideASection) {
  CpuRegistry registry(1);
  RcuDomain rcu(registry);
  EXPECT_DEATH(
      {
        std::optional<CpuPin> pin = PinOrDie(registry, 0);
        RcuReadGuard guard(rcu, *pin);
        pin.reset();
      },
      "goes idle inside a read-side section");
}

TEST(RcuDeathTest, DomainMustNotGoInsideASection) {
  CpuRegistry registry(1);
  EXPECT_DEATH(
      {
        std::optional<RcuDomain> rcu(std::in_place, registry);
        const CpuPin pin = PinOrDie(registry, 0);
        RcuReadGuard guard(*rcu, pin);
        rcu.reset();
      },
      "destroyed inside a read-side section");
}

TEST(RcuDeathTest, DrainInsideASectionIsRefused) {
  CpuRegistry registry(1);
  RcuDomain rcu(registry);
  const CpuPin pin = PinOrDie(registry, 0);
  RcuReadGuard guard(rcu, pin);
  EXPECT_DEATH(rcu.Drain(pin), "Drain inside a read-side section");
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// What the explorer finds, what it leaves alone, and what it promises about a search.

#include "paddock/concurrency/model/explorer.h"

#include <array>
#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/model/crash.h"
#include "paddock/concurrency/model/scenario.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"

namespace paddock {
namespace {

using model::Exploration;
using model::Search;
using testing::HasSubstr;

Exploration Explore(const std::function<void()>& body, const Search& search = {}) {
  const model::Scenario scenario{.name = "test", .what = "", .body = body, .must_reach = {}};
  return model::Explorer(scenario).Run(search);
}

std::string KindOf(const Exploration& result) {
  return result.violation ? result.violation->kind : "none";
}

// A flag published with `order`, and data that only the flag protects.
std::function<void()> Publication(sync::Order order) {
  return [order] {
    sync::Plain<int> data;
    sync::Atomic<uint32_t> ready(0);
    model::Name(&ready, sizeof(ready), "ready");
    model::Name(&data, sizeof(data), "data");
    const sync::Thread reader([&] {
      if (ready.load(sync::acquire) == 1) model::Expect(data.Read() == 7, "the data is there");
    });
    const sync::Thread writer([&] {
      data.Write(7);
      ready.store(1, order);
    });
  };
}

TEST(Explorer, PublicationWithReleaseIsClean) {
  const Exploration result = Explore(Publication(sync::release), {.bound = 5});
  EXPECT_EQ(KindOf(result), "none");
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.bound, model::DepthFirst::kUnbounded) << "the bound kept nothing out";
}

TEST(Explorer, PublicationWithoutReleaseIsARaceThatNamesBothSides) {
  const Exploration result = Explore(Publication(sync::relaxed));
  ASSERT_EQ(KindOf(result), "data race");
  EXPECT_THAT(result.violation->message, HasSubstr("data"));
  EXPECT_THAT(result.violation->message, HasSubstr("T1 at"));
  EXPECT_THAT(result.violation->message,
              HasSubstr("T2 at tests/concurrency/model/explorer_test.cc"));
  EXPECT_THAT(result.violation->trace, HasSubstr("ready: 0 -> 1  store relaxed"));
}

TEST(Explorer, TokenOfAFailureReplaysTheSameSchedule) {
  const model::Scenario scenario{
      .name = "race", .what = "", .body = Publication(sync::relaxed), .must_reach = {}};
  model::Explorer explorer(scenario);
  const Exploration found = explorer.Run({});
  ASSERT_TRUE(found.violation.has_value());
  const auto schedule = model::DecodeSchedule(found.violation->token);
  ASSERT_TRUE(schedule.has_value());
  const Exploration again = model::Explorer(scenario).ReplaySchedule(*schedule);
  ASSERT_TRUE(again.violation.has_value());
  EXPECT_EQ(again.violation->trace, found.violation->trace);
  EXPECT_EQ(again.violation->message, found.violation->message);
}

TEST(Explorer, TwoLocksInOppositeOrderAreADeadlock) {
  const Exploration result = Explore([] {
    SpinLock a;
    SpinLock b;
    model::Name(&a, sizeof(a), "a");
    model::Name(&b, sizeof(b), "b");
    const auto take_both = [](SpinLock& first, SpinLock& second) {
      const SpinLockGuard outer(first);
      const SpinLockGuard inner(second);
    };
    const sync::Thread one([&] { take_both(a, b); });
    const sync::Thread two([&] { take_both(b, a); });
  });
  ASSERT_EQ(KindOf(result), "deadlock");
  EXPECT_THAT(result.violation->message, HasSubstr("sleeps on a at concurrency/spin_lock.cc"));
  EXPECT_THAT(result.violation->message, HasSubstr("sleeps on b at"));
}

TEST(Explorer, WaitThatNobodyEndsIsADeadlock) {
  const Exploration result = Explore([] {
    sync::Atomic<uint32_t> never(0);
    model::Name(&never, sizeof(never), "never");
    const sync::Thread waiter([&] { sync::Spin([&] { return never.load(sync::seq_cst) == 1; }); });
  });
  ASSERT_EQ(KindOf(result), "deadlock");
  EXPECT_THAT(result.violation->message, HasSubstr("waits for a change of never = 0"));
}

// The waker comes between the look and the sleep.
TEST(Explorer, LostWakeUpIsFound) {
  const Exploration result = Explore([] {
    sync::Atomic<uint32_t> done(0);
    sync::Atomic<uint32_t> word(0);
    const sync::Thread waiter([&] {
      if (done.load(sync::seq_cst) == 0) sync::WaitOnWord(word, 0, sync::kNoDeadline);
    });
    const sync::Thread waker([&] {
      done.store(1, sync::seq_cst);
      sync::WakeOne(word);
    });
  });
  EXPECT_EQ(KindOf(result), "deadlock");
}

TEST(Explorer, ParkerLosesNoWakeUp) {
  const Exploration result = Explore(
      [] {
        sync::Atomic<uint32_t> done(0);
        sync::Parker parker;
        const sync::Thread waiter([&] {
          while (done.load(sync::seq_cst) == 0) parker.Park();
        });
        const sync::Thread waker([&] {
          done.store(1, sync::seq_cst);
          parker.Unpark();
        });
      },
      {.bound = model::DepthFirst::kUnbounded});
  EXPECT_EQ(KindOf(result), "none") << result.violation->message;
  EXPECT_TRUE(result.complete);
}

TEST(Explorer, WaitOfBoundedTimeEndsWithItsDeadline) {
  const Exploration result = Explore([] {
    sync::Atomic<uint32_t> word(0);
    const sync::Thread waiter([&] {
      const uint64_t deadline = sync::NowNs() + 1000;
      const bool in_time = sync::WaitOnWord(word, 0, deadline);
      model::Reach(in_time ? "woken" : "late");
      if (!in_time) model::Expect(sync::NowNs() >= deadline, "the time has passed");
    });
    const sync::Thread waker([&] {
      word.store(1, sync::seq_cst);
      sync::WakeAll(word);
    });
  });
  EXPECT_EQ(KindOf(result), "none");
  EXPECT_TRUE(result.reached.contains("woken"));
  EXPECT_TRUE(result.reached.contains("late"));
}

TEST(Explorer, LoopThatMakesNoProgressIsALivelock) {
  const Exploration result = Explore([] {
    sync::Atomic<uint32_t> never(0);
    const sync::Thread first([&] {
      while (never.load(sync::relaxed) == 0) sync::CpuRelax();
    });
    const sync::Thread second([&] {
      while (never.load(sync::relaxed) == 0) sync::CpuRelax();
    });
  });
  EXPECT_EQ(KindOf(result), "livelock");
}

TEST(Explorer, SpinningOnALockThatIsHeldEndsWhenItIsReleased) {
  const Exploration result = Explore([] {
    SpinLock lock;
    sync::Plain<int> guarded;
    const auto work = [&] {
      const SpinLockGuard guard(lock);
      guarded.Write(guarded.Read() + 1);
    };
    {
      const sync::Thread one(work);
      const sync::Thread two(work);
      const sync::Thread three(work);
    }
    model::Expect(guarded.Read() == 3, "no increment is lost");
  });
  EXPECT_EQ(KindOf(result), "none") << result.violation->message;
}

TEST(Explorer, AccessAfterMemoryWasGivenBackIsAViolation) {
  const auto body = [](bool waits) {
    return [waits] {
      auto* const memory = new uint64_t(0);
      sync::Atomic<uint32_t> finished(0);
      const sync::Thread reader([&] {
        sync::AtomicRef<uint64_t>(*memory).load(sync::acquire);
        finished.store(1, sync::release);
      });
      const sync::Thread owner([&] {
        if (waits) sync::Spin([&] { return finished.load(sync::acquire) == 1; });
        model::ReleaseMemory(memory, sizeof(*memory));
      });
    };
  };
  EXPECT_EQ(KindOf(Explore(body(false))), "use after free");
  EXPECT_EQ(KindOf(Explore(body(true))), "none");
}

// Even if the access came first in time: nothing made it so.
TEST(Explorer, MemoryGivenBackWithoutBeingOrderedAfterItsLastUseIsAViolation) {
  const Exploration result = Explore([] {
    auto* const memory = new uint64_t(0);
    sync::Atomic<uint32_t> finished(0);
    const sync::Thread reader([&] {
      sync::AtomicRef<uint64_t>(*memory).load(sync::acquire);
      finished.store(1, sync::relaxed);
    });
    const sync::Thread owner([&] {
      sync::Spin([&] { return finished.load(sync::acquire) == 1; });
      model::ReleaseMemory(memory, sizeof(*memory));
    });
  });
  EXPECT_EQ(KindOf(result), "use after free");
}

TEST(Explorer, MemoryGivenBackTwiceIsAViolation) {
  const Exploration result = Explore([] {
    auto* const memory = new uint64_t(0);
    const sync::Thread owner([&] {
      model::ReleaseMemory(memory, sizeof(*memory));
      model::ReleaseMemory(memory, sizeof(*memory));
    });
  });
  EXPECT_EQ(KindOf(result), "double free");
}

// The new owner's contents must be published like any other data.
TEST(Explorer, RecycledMemoryMustBePublished) {
  const auto body = [](sync::Order order) {
    return [order] {
      auto* const memory = new uint64_t(5);
      sync::Atomic<uint64_t*> pointer(nullptr);
      const sync::Thread owner([&] {
        model::ReleaseMemory(memory, sizeof(*memory));
        model::TakeMemory(memory, sizeof(*memory));
        sync::AtomicRef<uint64_t>(*memory).store(9, sync::relaxed);
        pointer.store(memory, order);
      });
      const sync::Thread reader([&] {
        uint64_t* const found = pointer.load(sync::acquire);
        if (found == nullptr) return;
        const uint64_t value = sync::AtomicRef<uint64_t>(*found).load(sync::relaxed);
        model::Expect(value == 9, "what the last owner left is not seen");
      });
    };
  };
  EXPECT_EQ(KindOf(Explore(body(sync::relaxed))), "data race");
  EXPECT_EQ(KindOf(Explore(body(sync::release))), "none");
}

TEST(Explorer, ObjectDestroyedUnderItsUserIsAViolation) {
  const Exploration result = Explore([] {
    sync::Atomic<sync::Atomic<uint32_t>*> pointer(nullptr);
    const sync::Thread owner([&] {
      sync::Atomic<uint32_t> local(1);
      pointer.store(&local, sync::release);
    });
    const sync::Thread user([&] {
      if (auto* const found = pointer.load(sync::acquire)) found->load(sync::acquire);
    });
  });
  EXPECT_EQ(KindOf(result), "use after free");
}

TEST(Explorer, FailedCheckIsAViolationWithASchedule) {
  const Exploration result = Explore([] {
    sync::Atomic<uint32_t> flag(0);
    const sync::Thread one([&] { flag.store(1, sync::seq_cst); });
    const sync::Thread two(
        [&] { PADDOCK_CHECK(flag.load(sync::seq_cst) == 0, "nobody was faster"); });
  });
  ASSERT_EQ(KindOf(result), "check failed");
  EXPECT_THAT(result.violation->message, HasSubstr("nobody was faster"));
}

TEST(Explorer, CrashIsAViolationWithASchedule) {
  model::CatchCrashes();
  const Exploration result = Explore([] {
    sync::Atomic<uint32_t*> pointer(new uint32_t(1));
    const sync::Thread one([&] { pointer.store(nullptr, sync::seq_cst); });
    const sync::Thread two([&] { ++*pointer.load(sync::seq_cst); });
  });
  EXPECT_EQ(KindOf(result), "crash");
}

TEST(Explorer, ScenarioThatRemembersEarlierExecutionsIsRefused) {
  int executions = 0;
  const Exploration result = Explore([&] {
    const int number = ++executions;
    sync::Atomic<uint32_t> word(0);
    const sync::Thread other([&] {
      for (int i = 0; i < number; ++i) word.fetch_add(1, sync::seq_cst);
    });
  });
  EXPECT_EQ(KindOf(result), "not deterministic");
}

TEST(Explorer, StateThatIsNeverReachedIsAnUnmetPromise) {
  const model::Scenario scenario{.name = "test",
                                 .what = "",
                                 .body = [] { model::Reach("here"); },
                                 .must_reach = {"here", "there"},
                                 .least_executions = 1};
  const Exploration result = model::Explorer(scenario).Run({});
  EXPECT_THAT(result.unmet, testing::ElementsAre("never reached: there"));
}

TEST(Explorer, TooFewExecutionsAreAnUnmetPromise) {
  model::Scenario scenario{.name = "test",
                           .what = "",
                           .body = Publication(sync::release),
                           .must_reach = {},
                           .least_executions = 1000};
  EXPECT_THAT(model::Explorer(scenario).Run({.bound = 1}).unmet, testing::SizeIs(1));
  EXPECT_THAT(model::Explorer(scenario).Run({.bound = 10}).unmet, testing::IsEmpty())
      << "there are no others";
}

// Two preemptions are needed: `first` in the middle, and `second` in the middle.
std::function<void()> NeedsTwoPreemptions() {
  return [] {
    sync::Atomic<uint32_t> a(0);
    sync::Atomic<uint32_t> b(0);
    const sync::Thread first([&] {
      a.store(1, sync::seq_cst);
      const bool seen = b.load(sync::seq_cst) == 1;
      a.store(2, sync::seq_cst);
      model::Expect(!seen || b.load(sync::seq_cst) != 1, "nobody stays half-way");
    });
    const sync::Thread second([&] {
      if (a.load(sync::seq_cst) != 1) return;
      b.store(1, sync::seq_cst);
      b.store(2, sync::seq_cst);
    });
  };
}

TEST(Explorer, BoundLimitsWhatIsFound) {
  const Exploration one = Explore(NeedsTwoPreemptions(), {.bound = 1});
  EXPECT_EQ(KindOf(one), "none");
  EXPECT_TRUE(one.complete);
  EXPECT_EQ(one.bound, 1u) << "the search says that its bound kept something out";
  EXPECT_EQ(KindOf(Explore(NeedsTwoPreemptions(), {.bound = 2})), "expectation");
}

TEST(Explorer, FailureIsShortenedToTheDeviationsThatItNeeds) {
  for (const Search::Method method : {Search::Method::kRandom, Search::Method::kPriorities}) {
    const Exploration result =
        Explore(NeedsTwoPreemptions(), {.method = method, .depth = 3, .most_executions = 100'000});
    ASSERT_EQ(KindOf(result), "expectation");
    EXPECT_EQ(model::DecodeSchedule(result.violation->token)->size(), 2u)
        << result.violation->token;
  }
}

TEST(Explorer, SameSeedFindsTheSameFailureAfterAsManyExecutions) {
  const Search search{.method = Search::Method::kRandom, .seed = 5, .most_executions = 100'000};
  const Exploration once = Explore(NeedsTwoPreemptions(), search);
  const Exploration again = Explore(NeedsTwoPreemptions(), search);
  ASSERT_TRUE(once.violation && again.violation);
  EXPECT_EQ(once.executions, again.executions);
  EXPECT_EQ(once.violation->token, again.violation->token);
}

TEST(Schedule, TokensAreReadBackExactlyAndOthersRefused) {
  for (const char* token : {"-", "3t1", "3t1.7r2.7t0.90w1"}) {
    const auto schedule = model::DecodeSchedule(token);
    ASSERT_TRUE(schedule.has_value()) << token;
    EXPECT_EQ(model::EncodeSchedule(*schedule), token);
  }
  for (const char* token : {"", "3", "3x1", "3t", "3t1.", "t1", "7t1.3t0", "3t1 "}) {
    EXPECT_FALSE(model::DecodeSchedule(token).has_value()) << token;
  }
}

}  // namespace
}  // namespace paddock

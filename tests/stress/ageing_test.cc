// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/ageing.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

using testing::HasSubstr;

class AgeingTest : public testing::Test {
 protected:
  void ExpectOne(const std::string& part) {
    ASSERT_EQ(sink_.count(kAgeingOracle), 1u);
    EXPECT_THAT(sink_.violations()[0].message, HasSubstr(part));
    EXPECT_FALSE(oracle_.result().Passed());
  }

  ViolationSink sink_{"rerun"};
  AgeingOracle oracle_{2, sink_, /*deadline_ns=*/1000};
  AgedObject object_{7};
};

TEST_F(AgeingTest, AReaderMayMeetAnObjectInItsGracePeriod) {
  oracle_.Publish(0, object_);
  const auto seen = oracle_.Reach(1, object_);
  oracle_.Retire(0, object_, 10);
  const auto seen_late = oracle_.Reach(1, object_);
  oracle_.Leave(1, seen);
  oracle_.Leave(1, seen_late);
  oracle_.Die(0, object_, 60);
  oracle_.CheckDrained();
  EXPECT_EQ(sink_.count(), 0u);
  EXPECT_EQ(oracle_.stats().met_retired, 1u);
  EXPECT_EQ(oracle_.stats().longest_grace_ns, 50u);
  EXPECT_TRUE(oracle_.result().Passed());
}

TEST_F(AgeingTest, MeetingADeadObjectIsAViolation) {
  oracle_.Publish(0, object_);
  oracle_.Retire(0, object_, 10);
  oracle_.Die(0, object_, 20);
  oracle_.Leave(1, oracle_.Reach(1, object_));
  ExpectOne(
      "object 7 was met by a reader after its grace period (now dead, published 1 times, last "
      "retired at 10 ns, last reclaimed at 20 ns)");
}

TEST_F(AgeingTest, DyingUnderAnOpenSectionIsAViolation) {
  oracle_.Publish(0, object_);
  const auto seen = oracle_.Reach(1, object_);
  oracle_.Retire(0, object_, 10);
  oracle_.Die(0, object_, 20);
  oracle_.Leave(1, seen);
  ExpectOne("died while a reader's section was open");
}

TEST_F(AgeingTest, RecyclingUnderAnOpenSectionIsAViolation) {
  oracle_.Publish(0, object_);
  const auto seen = oracle_.Reach(1, object_);
  oracle_.Retire(0, object_, 10);
  oracle_.Die(0, object_, 20);
  oracle_.Publish(0, object_);
  oracle_.Leave(1, seen);
  ExpectOne("died and was recycled while a reader's section was open");
}

TEST_F(AgeingTest, ReclaimingTwiceIsAViolation) {
  oracle_.Publish(0, object_);
  oracle_.Retire(0, object_, 10);
  oracle_.Die(0, object_, 20);
  oracle_.Die(1, object_, 30);
  ExpectOne("was reclaimed while it was dead");
}

TEST_F(AgeingTest, ReclaimingWhatWasNeverRetiredIsAViolation) {
  oracle_.Publish(0, object_);
  oracle_.Die(1, object_, 30);
  ExpectOne("was reclaimed while it was live");
}

TEST_F(AgeingTest, AGracePeriodThatNeverEndsIsReportedOnceWithItsCulprit) {
  oracle_.Publish(0, object_);
  oracle_.Retire(0, object_, 10);
  const auto culprit = [] { return std::string("cpu 3 in a section"); };
  oracle_.CheckDeadlines(1010, 0, culprit);
  EXPECT_EQ(sink_.count(), 0u);
  oracle_.CheckDeadlines(1011, 0, culprit);
  oracle_.CheckDeadlines(5000, 0, culprit);
  ExpectOne("has waited 0.000 s for its grace period, held up by cpu 3 in a section");
}

TEST_F(AgeingTest, TimeInWhichTheProcessDidNotRunIsNotCounted) {
  oracle_.Publish(0, object_);
  oracle_.Retire(0, object_, 10);
  const auto culprit = [] { return std::string("cpu 3 in a section"); };
  oracle_.CheckDeadlines(9000, /*awake_since_ns=*/8000, culprit);
  EXPECT_EQ(sink_.count(), 0u);
  oracle_.CheckDeadlines(9001, /*awake_since_ns=*/8000, culprit);
  ExpectOne("has waited 0.000 s for its grace period");
}

TEST_F(AgeingTest, ALaterObjectIsReportedAlthoughAnEarlierOneDied) {
  AgedObject other(8);
  for (AgedObject* object : {&object_, &other}) {
    oracle_.Publish(0, *object);
    oracle_.Retire(0, *object, 10);
  }
  oracle_.Die(0, object_, 20);
  oracle_.CheckDeadlines(2000, 0, [] { return std::string("cpu 0"); });
  ExpectOne("object 8 has waited");
}

TEST_F(AgeingTest, WhatIsLeftAfterDrainingIsAViolation) {
  oracle_.Publish(0, object_);
  oracle_.Retire(0, object_, 10);
  oracle_.CheckDrained();
  ExpectOne("was never reclaimed");
}

// A section is open while its reader's counter is odd; a grace period waits until every counter
// that was odd has moved.
class ToyDomain {
 public:
  void Enter(int reader) { sections_[reader].fetch_add(1); }
  void Leave(int reader) { sections_[reader].fetch_add(1); }
  void Synchronize() {
    for (std::atomic<uint64_t>& section : sections_) {
      const uint64_t seen = section.load();
      while ((seen & 1) && section.load() == seen) std::this_thread::yield();
    }
  }

 private:
  std::atomic<uint64_t> sections_[2] = {};
};

void Torture(AgeingOracle& oracle, int rounds) {
  ToyDomain domain;
  std::deque<AgedObject> objects;
  for (uint64_t i = 0; i < 8; ++i) objects.emplace_back(i);
  oracle.Publish(0, objects[0]);
  std::atomic<AgedObject*> current{&objects[0]};
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int reader : {0, 1}) {
    readers.emplace_back([&, reader] {
      const uint32_t worker = 1 + reader;
      while (!stop.load()) {
        domain.Enter(reader);
        const auto seen = oracle.Reach(worker, *current.load());
        std::this_thread::yield();
        oracle.Leave(worker, seen);
        domain.Leave(reader);
      }
    });
  }
  for (int i = 1; i <= rounds; ++i) {
    AgedObject& next = objects[i % objects.size()];
    oracle.Publish(0, next);
    AgedObject* old = current.exchange(&next);
    oracle.Retire(0, *old, i);
    domain.Synchronize();
    oracle.Die(0, *old, i + 1);
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  oracle.CheckDrained();  // the objects end here
}

TEST(AgeingTorture, ACorrectDomainPasses) {
  ViolationSink sink("rerun");
  AgeingOracle oracle(3, sink, 1'000'000'000);
  Torture(oracle, 300);
  for (const Violation& violation : sink.violations()) ADD_FAILURE() << violation.message;
  EXPECT_EQ(oracle.stats().died, 300u);
  EXPECT_GT(oracle.checks(), 900u);
}

TEST(AgeingTorture, ReclaimingWithoutAGracePeriodIsCaughtInTheReader) {
  ViolationSink sink("rerun");
  AgeingOracle oracle(2, sink, 1'000'000'000);
  AgedObject object(7);
  oracle.Publish(0, object);
  enum { kStart, kReached, kReclaimed };
  std::atomic<int> step{kStart};
  std::thread reader([&] {
    const auto seen = oracle.Reach(1, object);
    step.store(kReached);
    while (step.load() != kReclaimed) std::this_thread::yield();
    oracle.Leave(1, seen);
  });
  while (step.load() != kReached) std::this_thread::yield();
  oracle.Retire(0, object, 10);
  oracle.Die(0, object, 20);
  step.store(kReclaimed);
  reader.join();
  EXPECT_EQ(sink.count(kAgeingOracle), 1u);
}

}  // namespace
}  // namespace paddock

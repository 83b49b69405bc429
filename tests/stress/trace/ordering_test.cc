// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/ordering.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using Times = std::vector<std::pair<uint64_t, uint64_t>>;  // begin and end of each operation

TraceProcess Ordered(const std::vector<Times>& threads) {
  TraceProcess process;
  for (const Times& times : threads) {
    TraceThread& thread = process.threads.emplace_back();
    for (const auto& [begin, end] : times) {
      TraceOperation& operation = thread.operations.emplace_back();
      operation.begin_ns = begin;
      operation.end_ns = end;
    }
  }
  OrderTraceProcess(process);
  return process;
}

std::vector<TraceWait> Waits(const TraceProcess& process, size_t thread, size_t index) {
  const auto waits = process.Waits(process.threads[thread].operations[index]);
  return {waits.begin(), waits.end()};
}

TEST(TraceOrdering, AThreadAloneWaitsForNobody) {
  EXPECT_THAT(Ordered({{{1, 1}, {2, 5}, {6, 6}}}).waits, IsEmpty());
}

TEST(TraceOrdering, OverlappingOperationsDoNotWait) {
  EXPECT_THAT(Ordered({{{1, 5}}, {{2, 3}}, {{4, 9}}}).waits, ElementsAre(TraceWait{1, 1}))
      << "only the third, for the second";
}

TEST(TraceOrdering, EqualTimesOrderNothing) {
  EXPECT_THAT(Ordered({{{3, 3}}, {{3, 3}}, {{1, 3}}}).waits, IsEmpty());
}

TEST(TraceOrdering, WaitsForTheLastOperationThatEndedBefore) {
  const TraceProcess process = Ordered({{{1, 1}, {2, 2}, {9, 9}}, {{5, 5}, {6, 6}}});
  EXPECT_THAT(Waits(process, 1, 0), ElementsAre(TraceWait{0, 2}));
  EXPECT_THAT(Waits(process, 1, 1), IsEmpty()) << "the thread has waited already";
  EXPECT_THAT(Waits(process, 0, 2), ElementsAre(TraceWait{1, 2}));
}

TEST(TraceOrdering, LeavesOutWhatFollowsFromOtherWaits) {
  const TraceProcess process = Ordered({{{1, 1}}, {{2, 2}}, {{3, 3}}});
  EXPECT_THAT(Waits(process, 1, 0), ElementsAre(TraceWait{0, 1}));
  EXPECT_THAT(Waits(process, 2, 0), ElementsAre(TraceWait{1, 1}));
}

TEST(TraceOrdering, KeepsWhatDoesNotFollowFromOtherWaits) {
  const TraceProcess process = Ordered({{{1, 4}}, {{2, 3}}, {{5, 5}}});
  EXPECT_THAT(Waits(process, 2, 0), UnorderedElementsAre(TraceWait{0, 1}, TraceWait{1, 1}));
}

TEST(TraceOrdering, CanBeRepeated) {
  TraceProcess process = Ordered({{{1, 1}}, {{2, 2}}});
  OrderTraceProcess(process);
  EXPECT_THAT(process.waits, ElementsAre(TraceWait{0, 1}));
}

// Runs the process in a random order that respects threads and waits; says whether each operation
// started after all those that had to be completed, and whether all were reached.
void RunAtRandom(const TraceProcess& process, std::mt19937_64& random) {
  const size_t threads = process.threads.size();
  std::vector<uint32_t> done(threads, 0);
  while (true) {
    std::vector<size_t> ready;
    size_t finished = 0;
    for (size_t t = 0; t < threads; ++t) {
      const auto& operations = process.threads[t].operations;
      if (done[t] == operations.size()) {
        ++finished;
        continue;
      }
      const auto waits = process.Waits(operations[done[t]]);
      if (std::all_of(waits.begin(), waits.end(), [&](const TraceWait& wait) {
            return done[wait.thread] >= wait.operations;
          })) {
        ready.push_back(t);
      }
    }
    if (finished == threads) return;
    ASSERT_FALSE(ready.empty()) << "a circle of waits";
    const size_t t = ready[random() % ready.size()];
    const TraceOperation& next = process.threads[t].operations[done[t]];
    for (size_t other = 0; other < threads; ++other) {
      const auto& operations = process.threads[other].operations;
      if (other == t || done[other] == operations.size()) continue;
      ASSERT_GE(operations[done[other]].end_ns, next.begin_ns)
          << "thread " << t << " operation " << done[t] << " started before thread " << other
          << " operation " << done[other] << " that had to be completed";
    }
    ++done[t];
  }
}

TEST(TraceOrdering, WaitsImplyTheWholeOrderAndNeverACircle) {
  const char* text = std::getenv("TEST_RANDOM_SEED");
  const uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 0) : std::random_device()();
  std::cout << "TEST_RANDOM_SEED=" << seed << "\n";
  SCOPED_TRACE("TEST_RANDOM_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 500 && !HasFailure(); ++round) {
    std::vector<Times> threads(1 + random() % 6);
    const uint64_t longest = 1 + random() % 12;
    for (Times& times : threads) {
      uint64_t begin = 0;
      uint64_t end = 0;
      for (uint64_t count = random() % 20; count > 0; --count) {
        // Mostly one after the other; sometimes a fault inside a call.
        begin = std::max(begin, random() % 8 == 0 ? begin : end) + random() % 4;
        end = std::max(end, begin + (random() % 2 == 0 ? 0 : random() % longest));
        times.emplace_back(begin, end);
      }
    }
    const TraceProcess process = Ordered(threads);
    for (int order = 0; order < 5 && !HasFailure(); ++order) RunAtRandom(process, random);
  }
}

}  // namespace
}  // namespace paddock

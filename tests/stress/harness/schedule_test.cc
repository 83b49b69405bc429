// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/replay/schedule.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/sync.h"
#include "paddock/stress/trace/small_trace.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;

TracePlan SmallPlan() {
  TraceReader reader = TraceReader::FromMemory(SmallTrace(), kSmallTraceName);
  absl::StatusOr<TracePlan> plan = BuildTracePlan(reader);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

// Thread 0: a, b. Thread 1: c, which waits for a.
TracePlan TwoThreads() {
  TracePlan plan;
  TraceProcess process;
  process.threads.resize(2);
  process.threads[0].operations.resize(2);
  process.threads[1].operations.resize(1);
  process.waits = {{0, 1}};
  process.threads[1].operations[0].first_wait = 0;
  process.threads[1].operations[0].wait_count = 1;
  plan.processes.push_back(std::move(process));
  return plan;
}

TEST(ReplaySchedule, AThreadIsNotReadyBeforeWhatItWaitsFor) {
  const TracePlan plan = TwoThreads();
  ReplaySchedule schedule(plan, TracePace::kOrder);
  const std::optional<ReplayTurn> first = schedule.Take();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->thread, 0u);
  EXPECT_FALSE(schedule.Take()) << "thread 1 waits for the first operation of thread 0";
  const std::optional<ReplayTurn> second = schedule.Finish(*first);
  ASSERT_TRUE(second) << "thread 0 goes on";
  const std::optional<ReplayTurn> other = schedule.Take();
  ASSERT_TRUE(other);
  EXPECT_EQ(other->thread, 1u);
  EXPECT_FALSE(schedule.Finish(*other));
  EXPECT_FALSE(schedule.Finish(*second));
  EXPECT_TRUE(schedule.done());
}

TEST(ReplaySchedule, FreePaceWaitsForNothing) {
  const TracePlan plan = TwoThreads();
  ReplaySchedule schedule(plan, TracePace::kFree);
  EXPECT_TRUE(schedule.Take());
  EXPECT_TRUE(schedule.Take());
  EXPECT_FALSE(schedule.Take());
}

TEST(ReplaySchedule, WhatIsGivenBackIsTakenAgain) {
  const TracePlan plan = TwoThreads();
  ReplaySchedule schedule(plan, TracePace::kOrder);
  const std::optional<ReplayTurn> turn = schedule.Take();
  schedule.GiveBack(*turn);
  const std::optional<ReplayTurn> again = schedule.Take();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->operation, turn->operation);
  EXPECT_EQ(schedule.remaining(), 3u);
}

// Every operation once, along each thread in order, and after all that it waits for.
TEST(ReplaySchedule, WorkersReplayAWholePlanInOrder) {
  const TracePlan plan = SmallPlan();
  ReplaySchedule schedule(plan, TracePace::kOrder);
  sync::Atomic<uint64_t> clock{0};
  std::map<const TraceOperation*, uint64_t> started[2];
  std::map<const TraceOperation*, uint64_t> ended[2];
  {
    std::vector<std::unique_ptr<sync::Thread>> workers;
    for (int w = 0; w < 2; ++w) {
      workers.push_back(std::make_unique<sync::Thread>([&, w] {
        while (!schedule.done()) {
          std::optional<ReplayTurn> turn = schedule.Take();
          while (turn) {
            started[w][turn->operation] = clock.fetch_add(1, sync::seq_cst);
            ended[w][turn->operation] = clock.fetch_add(1, sync::seq_cst);
            turn = schedule.Finish(*turn);
          }
          sync::YieldThread();
        }
      }));
    }
  }
  EXPECT_EQ(started[0].size() + started[1].size(), plan.OperationCount());
  started[0].merge(started[1]);
  ended[0].merge(ended[1]);
  ASSERT_EQ(started[0].size(), plan.OperationCount()) << "none was replayed twice";
  for (const TraceProcess& process : plan.processes) {
    for (const TraceThread& thread : process.threads) {
      for (size_t i = 0; i < thread.operations.size(); ++i) {
        const TraceOperation& operation = thread.operations[i];
        const uint64_t start = started[0].at(&operation);
        if (i > 0) {
          EXPECT_GT(start, ended[0].at(&thread.operations[i - 1]));
        }
        for (const TraceWait& wait : process.Waits(operation)) {
          if (wait.operations == 0) continue;
          const TraceThread& other = process.threads[wait.thread];
          EXPECT_GT(start, ended[0].at(&other.operations[wait.operations - 1]));
        }
      }
    }
  }
}

}  // namespace
}  // namespace paddock

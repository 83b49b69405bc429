// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/cpu_set.h"

#include <cstdint>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/sync.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;

std::vector<uint32_t> Members(const CpuSet& set) {
  std::vector<uint32_t> members;
  set.ForEach([&](CpuId cpu) { members.push_back(cpu.value); });
  return members;
}

CpuSet Of(std::initializer_list<uint32_t> cpus) {
  CpuSet set;
  for (const uint32_t cpu : cpus) set.Add(CpuId{cpu});
  return set;
}

TEST(CpuSet, AddsRemovesAndVisitsInAscendingOrder) {
  CpuSet set = Of({1023, 64, 0, 63, 500});
  EXPECT_THAT(Members(set), ElementsAre(0, 63, 64, 500, 1023));
  set.Remove(CpuId{64});
  EXPECT_FALSE(set.Contains(CpuId{64}));
  EXPECT_TRUE(set.Contains(CpuId{1023}));
  EXPECT_EQ(set.Count(), 4u);
}

TEST(CpuSet, EmptyUntilSomethingIsAdded) {
  CpuSet set;
  EXPECT_TRUE(set.Empty());
  set.Add(CpuId{1023});
  EXPECT_FALSE(set.Empty());
  set.Remove(CpuId{1023});
  EXPECT_TRUE(set.Empty());
}

TEST(CpuSet, UnionAndDifference) {
  EXPECT_EQ(Of({1, 70}) | Of({2, 70}), Of({1, 2, 70}));
  EXPECT_EQ(Of({1, 2, 70, 900}) - Of({2, 900, 901}), Of({1, 70}));
}

TEST(CpuSet, AllHoldsTheFirstOnes) {
  EXPECT_EQ(CpuSet::All(kMaxCpus).Count(), kMaxCpus);
  EXPECT_EQ(CpuSet::All(65).Count(), 65u);
  EXPECT_FALSE(CpuSet::All(65).Contains(CpuId{65}));
  EXPECT_TRUE(CpuSet::All(0).Empty());
}

TEST(CpuSetDeathTest, RefusesACpuBeyondTheLast) {
  CpuSet set;
  EXPECT_DEATH(set.Add(CpuId{kMaxCpus}), "a CPU outside of the largest set");
}

TEST(AtomicCpuSet, EmptyExceptLooksAtEveryWord) {
  AtomicCpuSet set(kMaxCpus);
  EXPECT_TRUE(set.EmptyExcept(CpuId{0}));
  set.Add(CpuId{1000}, sync::seq_cst);
  EXPECT_TRUE(set.EmptyExcept(CpuId{1000}));
  EXPECT_FALSE(set.EmptyExcept(CpuId{0}));
  set.Add(CpuId{3}, sync::seq_cst);
  EXPECT_FALSE(set.EmptyExcept(CpuId{1000}));
  EXPECT_FALSE(set.EmptyExcept(CpuId{3}));
  set.Remove(CpuId{1000}, sync::seq_cst);
  EXPECT_TRUE(set.EmptyExcept(CpuId{3}));
}

TEST(AtomicCpuSet, LoadsWhatWasAdded) {
  AtomicCpuSet set(100);
  set.Add(CpuId{99}, sync::seq_cst);
  set.Add(CpuId{7}, sync::seq_cst);
  EXPECT_EQ(set.Load(sync::seq_cst), Of({7, 99}));
  EXPECT_TRUE(set.Contains(CpuId{99}, sync::seq_cst));
  EXPECT_FALSE(set.Contains(CpuId{98}, sync::seq_cst));
}

TEST(AtomicCpuSetDeathTest, RefusesACpuBeyondItsSize) {
  AtomicCpuSet set(4);
  EXPECT_DEATH(set.Add(CpuId{4}, sync::seq_cst), "a CPU outside of the set's size");
}

TEST(AtomicCpuSet, ConcurrentChangesOfOneWordAreNotLost) {
  AtomicCpuSet set(64);
  {
    std::vector<sync::Thread> threads;
    threads.reserve(4);
    for (uint32_t t = 0; t < 4; ++t) {
      threads.emplace_back([&set, t] {
        for (uint32_t round = 0; round < 1001; ++round) {
          for (uint32_t cpu = t; cpu < 64; cpu += 4) {
            if (round % 2 == 0) {
              set.Add(CpuId{cpu}, sync::seq_cst);
            } else {
              set.Remove(CpuId{cpu}, sync::seq_cst);
            }
          }
        }
      });
    }
  }
  EXPECT_EQ(set.Load(sync::seq_cst), CpuSet::All(64));
}

}  // namespace
}  // namespace paddock

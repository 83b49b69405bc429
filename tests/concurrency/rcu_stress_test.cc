// SPDX-License-Identifier: Apache-2.0
//
// Readers and writers on real threads: what a section can reach is never reclaimed under it.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"

namespace paddock {
namespace {

constexpr uint64_t kAlive = 0x600d600d600d600d;
constexpr uint64_t kDead = 0xdeaddeaddeaddead;

// Objects come from a pool and are used again, as page-table nodes are: a reader that is not
// protected finds kDead, the sanitizers or not.
struct Node : RcuHead {
  uint64_t mark = kDead;
  Node* next_free = nullptr;
  struct Pool* pool = nullptr;
};

struct Pool {
  CpuLocal<Node*> free;
  CpuLocal<std::vector<std::unique_ptr<Node>>> nodes;

  explicit Pool(const CpuRegistry& registry) : free(registry), nodes(registry) {}

  Node* Take(const CpuPin& pin) {
    Node* node = free.Get(pin);
    if (node == nullptr) {
      node = nodes.Get(pin).emplace_back(std::make_unique<Node>()).get();
      node->pool = this;
      node->reclaim = [](RcuHead* head, const CpuPin& here) {
        auto* const dead = static_cast<Node*>(head);
        dead->mark = kDead;
        dead->next_free = dead->pool->free.Get(here);
        dead->pool->free.Get(here) = dead;
      };
    } else {
      free.Get(pin) = node->next_free;
    }
    node->mark = kAlive;
    return node;
  }
};

// Each thread reads and replaces; now and then it leaves its CPU, so that its backlog becomes
// orphans, and waits for a grace period.
TEST(RcuStress, ReadersNeverMeetAReclaimedNode) {
  constexpr uint32_t kThreads = 3;
  constexpr uint32_t kRounds = 20'000;
  constexpr size_t kRoots = 4;
  constexpr uint32_t kBatch = 8;
  constexpr uint64_t kLimit = 256;
  CpuRegistry registry(kThreads);
  Pool pool(registry);
  std::array<sync::Atomic<Node*>, kRoots> roots;
  sync::Atomic<uint64_t> seen_dead;
  {
    RcuDomain rcu(registry, {.batch_size = kBatch, .backlog_limit = kLimit});
    {
      absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{0});
      for (auto& root : roots) root.store(pool.Take(*pin), sync::seq_cst);
    }
    const auto work = [&](uint32_t cpu) {
      for (uint32_t round = 0; round < kRounds;) {
        absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{cpu});
        ASSERT_TRUE(pin.ok());
        const uint32_t end = round + 500;
        for (; round < end; ++round) {
          {
            RcuReadGuard guard(rcu, *pin);
            for (const auto& root : roots) {
              const Node* const node = root.load(sync::acquire);
              if (node->mark != kAlive) seen_dead.fetch_add(1, sync::relaxed);
            }
          }
          Node* const old = roots[(round + cpu) % kRoots].exchange(pool.Take(*pin), sync::acq_rel);
          rcu.Retire(*pin, old);
          rcu.Poll(*pin);
          rcu.Throttle(*pin);
        }
        ASSERT_TRUE(rcu.Synchronize(*pin, [] {}).ok());
      }
    };
    {
      std::vector<sync::Thread> threads;
      threads.reserve(kThreads);
      for (uint32_t cpu = 0; cpu < kThreads; ++cpu) threads.emplace_back([&, cpu] { work(cpu); });
    }
    EXPECT_EQ(seen_dead.load(sync::seq_cst), 0u);
    absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{0});
    rcu.Drain(*pin);
    EXPECT_EQ(rcu.stats().retired, uint64_t{kThreads} * kRounds);
    EXPECT_EQ(rcu.stats().reclaimed, rcu.stats().retired);
    EXPECT_LE(rcu.stats().peak_backlog, (kThreads + 1) * kLimit + kThreads * kBatch);
  }
}

}  // namespace
}  // namespace paddock

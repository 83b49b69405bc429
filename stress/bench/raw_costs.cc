// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/raw_costs.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "benchmark/benchmark.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"
#include "paddock/stress/bench/chunks.h"
#include "paddock/stress/bench/system_cpu.h"

namespace paddock::bench {
namespace {

void LockUnlock(benchmark::State& state) {
  SpinLock lock;
  MeasureChunks(state, kChunkOperations, [&](ChunkTimer& timer) { TimeUnit(timer, lock); });
}

void ReleaseStore(benchmark::State& state) {
  sync::Atomic<uint64_t> word;
  benchmark::DoNotOptimize(&word);
  MeasureChunks(state, kChunkOperations, [&](ChunkTimer& timer) {
    timer.TimeEach(kChunkOperations, [&](uint64_t i) {
      word.store(i, sync::release);  // order: release: what is measured; nobody reads it.
      benchmark::ClobberMemory();
    });
  });
}

struct alignas(64) Line {
  const Line* next = nullptr;
};

// All lines in one random circle.
std::vector<Line> Circle(uint64_t bytes) {
  std::vector<Line> lines(bytes / sizeof(Line));
  std::vector<uint32_t> order(lines.size());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  for (size_t i = 0; i < order.size(); ++i) {
    lines[order[i]].next = &lines[order[(i + 1) % order.size()]];
  }
  return lines;
}

void LoadsOf(benchmark::State& state, const std::vector<Line>& circle) {
  const Line* at = circle.data();
  MeasureChunks(state, kChunkOperations, [&](ChunkTimer& timer) {
    timer.TimeEach(kChunkOperations, [&](uint64_t) { at = at->next; });
    benchmark::DoNotOptimize(at);
  });
}

void HotLoads(benchmark::State& state) {
  static const std::vector<Line>* const circle = new std::vector<Line>(Circle(16 << 10));
  LoadsOf(state, *circle);
}

constexpr uint64_t kGameOver = ~uint64_t{0};

// False: the game is over. Waits without pausing, which would be measured as well, unless the other
// thread does not run.
bool Await(const sync::Atomic<uint64_t>& ball, uint64_t turn) {
  constexpr int kPatience = 10'000;
  for (int i = 0;; ++i) {
    // order: acquire: what is measured, the way a value is handed over; nothing comes with it.
    const uint64_t seen = ball.load(sync::acquire);
    if (seen == turn) return true;
    if (seen == kGameOver) return false;
    if (i > kPatience) sync::YieldThread();
  }
}

}  // namespace

void AddRawCosts(Suite& suite) {
  suite.Group("raw");
  suite.AddReference(kUnitCase, LockUnlock, {1, 2});
  suite.AddReference(kStoreCase, ReleaseStore);
  suite.AddReference(kHotLoadsCase, HotLoads);
}

void MeasureColdLoads(benchmark::State& state) {
  static const std::vector<Line>* const circle = new std::vector<Line>(Circle(kColdBytes));
  LoadsOf(state, *circle);
}

// Two threads count one word up in turn: each step takes its line to the other core.
void MeasureLineTransfer(benchmark::State& state) {
  constexpr uint64_t kRounds = 64;
  alignas(128) sync::Atomic<uint64_t> ball;
  const SystemCpu cpu(0, 2);
  sync::Thread other([&] {
    const SystemCpu other_cpu(1, 2);
    // order: release: as in Await.
    for (uint64_t turn = 1; Await(ball, turn); turn += 2) ball.store(turn + 1, sync::release);
  });
  uint64_t turn = 0;
  MeasureChunks(state, 2 * kRounds, [&](ChunkTimer& timer) {
    timer.TimeEach(kRounds, [&](uint64_t) {
      ball.store(turn + 1, sync::release);  // order: release: as in Await.
      turn += 2;
      Await(ball, turn);
    });
  });
  ball.store(kGameOver, sync::seq_cst);
}

}  // namespace paddock::bench

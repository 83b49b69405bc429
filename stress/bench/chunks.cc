// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/chunks.h"

#include "paddock/stress/bench/statistics.h"
#include "paddock/stress/bench/system_cpu.h"
#include "paddock/stress/interrupt.h"

namespace paddock::bench {
namespace {

uint64_t g_repetition_ns = 0;
Lockstep g_lockstep;

bool IsOver(uint64_t end_ns) { return sync::NowNs() >= end_ns || InterruptHandler::signal() != 0; }

// One thread's part of a repetition; `lockstep` null: it minds no others.
class Repetition {
 public:
  Repetition(Lockstep* lockstep, int index) : lockstep_(lockstep), index_(index) {}

  void Run(Chunk chunk) {
    constexpr uint64_t kChunksPerUnit = 8;
    SpinLock lock;
    const uint64_t end_ns = sync::NowNs() + g_repetition_ns;
    uint64_t count = 0;
    do {
      if (count++ % kChunksPerUnit == 0) {
        Keep([&](ChunkTimer& timer) { TimeUnit(timer, lock); }, unit_ns_);
      }
      Keep(chunk, ns_);
    } while (!IsEnough(IsOver(end_ns)));
  }

  // Of chunks of `operations` each; 0 if none counts.
  double MedianNs(uint64_t operations) const { return PerOperation(ns_, operations); }
  double MedianUnitNs() const { return PerOperation(unit_ns_, kChunkOperations); }

 private:
  static double PerOperation(const std::vector<double>& ns, uint64_t operations) {
    return ns.empty() ? 0 : Median(ns) / static_cast<double>(operations);
  }

  void Keep(Chunk chunk, std::vector<double>& ns) {
    ChunkTimer timer(lockstep_);
    chunk(timer);
    const TimeSpan span = timer.span();
    if (lockstep_ != nullptr && !lockstep_->WereTogether(index_, span)) return;
    ns.push_back(static_cast<double>(span.end_ns - span.start_ns));
  }

  bool IsEnough(bool is_over) {
    return lockstep_ == nullptr ? is_over : lockstep_->IsEnough(index_, is_over);
  }

  Lockstep* const lockstep_;
  const int index_;
  std::vector<double> ns_;
  std::vector<double> unit_ns_;
};

}  // namespace

void TimeUnit(ChunkTimer& timer, SpinLock& lock) {
  timer.TimeEach(kChunkOperations, [&](uint64_t) {
    lock.Lock();
    benchmark::ClobberMemory();
    lock.Unlock();
  });
}

void PrepareRepetition(uint64_t duration_ns, int threads) {
  g_repetition_ns = duration_ns;
  g_lockstep.Reset(threads);
}

void MeasureChunks(benchmark::State& state, uint64_t operations, Chunk chunk) {
  const bool side_by_side = state.threads() > 1 && state.threads() <= UsableCpus();
  const SystemCpu cpu(state.thread_index(), state.threads());
  Repetition repetition(side_by_side ? &g_lockstep : nullptr, state.thread_index());
  for (auto _ : state) {
    repetition.Run(chunk);
    state.SetIterationTime(repetition.MedianNs(operations) * 1e-9);
  }
  state.counters[kUnitCounter] =
      benchmark::Counter(repetition.MedianUnitNs(), benchmark::Counter::kAvgThreads);
}

}  // namespace paddock::bench

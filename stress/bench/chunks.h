// SPDX-License-Identifier: Apache-2.0
//
// How a repetition is timed: chunks of some hundred operations, as many as fit into its time; the
// figure is the median chunk. A chunk is much shorter than a time slice, so those in which the
// machine ran something else do not count.
//
//   MeasureChunks(state, 512, [&](ChunkTimer& timer) {
//     timer.TimeEach(512, [&](uint64_t i) { Map(i); });
//     UnmapAll();                                                // off the clock
//   });
//
// Several threads begin what they time together (lockstep.h), and chunks in which they did not run
// side by side do not count either; unless there are fewer CPUs than threads.
//
// Thread safety: each thread of a case measures for itself; the case's figure is their mean.

#ifndef PADDOCK_STRESS_BENCH_CHUNKS_H_
#define PADDOCK_STRESS_BENCH_CHUNKS_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "benchmark/benchmark.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"
#include "paddock/stress/bench/lockstep.h"

namespace paddock::bench {

inline constexpr uint64_t kChunkOperations = 512;

// Times one part of a chunk.
class ChunkTimer {
 public:
  // `lockstep` null: begins at once.
  explicit ChunkTimer(Lockstep* lockstep) : lockstep_(lockstep) {}

  template <typename Work>
  void Time(Work work) {
    if (lockstep_ != nullptr) lockstep_->MeetAwake();
    span_.start_ns = sync::NowNs();
    work();
    span_.end_ns = sync::NowNs();
  }
  // `operation(i)` for each of `operations`.
  template <typename Operation>
  void TimeEach(uint64_t operations, Operation operation) {
    Time([&] {
      for (uint64_t i = 0; i < operations; ++i) operation(i);
    });
  }

  TimeSpan span() const { return span_; }

 private:
  Lockstep* const lockstep_;
  TimeSpan span_;
};

using Chunk = absl::FunctionRef<void(ChunkTimer&)>;

// L, on this thread: `lock` locked and unlocked by nobody else, kChunkOperations times.
void TimeUnit(ChunkTimer& timer, SpinLock& lock);

// How long each repetition of MeasureChunks lasts, and for how many threads; while none runs.
void PrepareRepetition(uint64_t duration_ns, int threads);

// The counter in which MeasureChunks leaves L in nanoseconds.
inline constexpr const char* kUnitCounter = "unit_ns";

// The whole of a benchmark, one iteration of Google Benchmark's, is one repetition: chunks until
// its time has passed or a signal asks to stop, one at least, and now and then one of L. The times
// are 0 if no chunk counts.
void MeasureChunks(benchmark::State& state, uint64_t operations, Chunk chunk);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_CHUNKS_H_

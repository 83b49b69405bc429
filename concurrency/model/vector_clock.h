// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_VECTOR_CLOCK_H_
#define PADDOCK_CONCURRENCY_MODEL_VECTOR_CLOCK_H_

#include <algorithm>
#include <array>
#include <cstdint>

// Happens-before, as vector clocks: `clock.Covers(t, time)` says that the event number `time` of
// thread t happens before whoever owns the clock. Event 0 is what was there before the threads.
namespace paddock::model {

using ThreadId = uint8_t;

// Threads of one execution, the scenario's own included.
inline constexpr uint32_t kMaxThreads = 8;

class VectorClock {
 public:
  uint32_t operator[](ThreadId thread) const { return times_[thread]; }
  bool Covers(ThreadId thread, uint32_t time) const { return times_[thread] >= time; }

  // The thread's next event.
  uint32_t Tick(ThreadId thread) { return ++times_[thread]; }
  void Join(const VectorClock& other) {
    for (uint32_t i = 0; i < kMaxThreads; ++i) times_[i] = std::max(times_[i], other.times_[i]);
  }

 private:
  std::array<uint32_t, kMaxThreads> times_{};
};

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_VECTOR_CLOCK_H_

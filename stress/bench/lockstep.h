// SPDX-License-Identifier: Apache-2.0
//
// Lets the threads of a case begin each chunk at the same moment, and tells whether they then ran
// side by side: on a machine that is busy they would else be measured one after the other, and
// contention would cost nothing.
//
//   do {
//     lockstep.MeetAwake();
//     const TimeSpan mine = Work();
//     if (lockstep.WereTogether(index, mine)) Count(mine);   // the same answer for all threads
//   } while (!lockstep.IsEnough(index, is_late));
//
// Thread safety: one thread for each index; Reset while none is inside. Waits by spinning: for no
// more threads than CPUs.

#ifndef PADDOCK_STRESS_BENCH_LOCKSTEP_H_
#define PADDOCK_STRESS_BENCH_LOCKSTEP_H_

#include <array>
#include <cstdint>

#include "paddock/concurrency/sync.h"

namespace paddock::bench {

struct TimeSpan {
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;
};

// Whether what all spans share is at least a third of the longest: not less, since of threads that
// wait for one lock one may be done long before the others.
bool Overlap(const TimeSpan* spans, int count);

class Lockstep {
 public:
  static constexpr int kMaxThreads = 16;

  void Reset(int threads) {
    threads_ = threads;
    arrived_.store(0, sync::seq_cst);
  }
  // Waits until all threads have come here as often as this one, and leaves at the same moment as
  // the others.
  void MeetAwake();
  // Meets the others, and says whether the spans of all overlap.
  bool WereTogether(int index, TimeSpan span);
  // Meets the others, and tells all whether the thread of index 0 has had enough.
  bool IsEnough(int index, bool is_enough);

 private:
  void Meet();

  int threads_ = 1;
  sync::Atomic<uint64_t> arrived_;
  // invariant: written by the thread of the index before it meets the others, read after.
  std::array<TimeSpan, kMaxThreads> spans_;
  bool is_enough_ = false;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_LOCKSTEP_H_

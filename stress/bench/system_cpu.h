// SPDX-License-Identifier: Apache-2.0
//
// Keeps a thread on a CPU of the system's while it measures: threads that are to run side by side
// must not take turns on one.
//
//   const SystemCpu seat(index, threads);
//
// Thread safety: each thread for itself. Failure: none; where there are fewer CPUs than threads, or
// the system refuses, the thread stays where it may run.

#ifndef PADDOCK_STRESS_BENCH_SYSTEM_CPU_H_
#define PADDOCK_STRESS_BENCH_SYSTEM_CPU_H_

#include <sched.h>

namespace paddock::bench {

// How many CPUs this process may use.
int UsableCpus();

class SystemCpu {
 public:
  // Takes the `index`-th of the usable CPUs, for one of `threads` that each take one. A single
  // thread runs where it likes.
  SystemCpu(int index, int threads);
  // Gives the CPU up.
  ~SystemCpu();
  SystemCpu(const SystemCpu&) = delete;
  SystemCpu& operator=(const SystemCpu&) = delete;

 private:
  const cpu_set_t usable_;
  bool is_taken_ = false;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_SYSTEM_CPU_H_

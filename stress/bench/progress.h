// SPDX-License-Identifier: Apache-2.0
//
// The line on standard error that says how far the benchmarks are: rewritten in place on a
// terminal, elsewhere a line every half minute.
//
// Thread safety: one thread.

#ifndef PADDOCK_STRESS_BENCH_PROGRESS_H_
#define PADDOCK_STRESS_BENCH_PROGRESS_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace paddock::bench {

// "12%, 1:43 left: round 2 of 15, lookup/threads:2"; without the time while nothing is done.
std::string ProgressText(size_t done, size_t all, uint64_t elapsed_ns, const std::string& what);

class Progress {
 public:
  explicit Progress(size_t steps);
  // Removes the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Begin(const std::string& step);
  void End() { ++done_; }

 private:
  const size_t steps_;
  const bool is_terminal_;
  const uint64_t start_ns_;
  uint64_t shown_ns_ = 0;
  size_t done_ = 0;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_PROGRESS_H_

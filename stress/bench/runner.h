// SPDX-License-Identifier: Apache-2.0
//
// Measures the cases of a suite in rounds: each round has one repetition of every case, so that a
// machine that is busy for a while disturbs a few repetitions of many cases, not all of one.
//
//   Results results = suite.EmptyResults();
//   RunRounds(cases, {.rounds = 15, .seconds = 0.05}, results);
//
// Ends early, with what was measured, when an InterruptHandler has seen a signal.

#ifndef PADDOCK_STRESS_BENCH_RUNNER_H_
#define PADDOCK_STRESS_BENCH_RUNNER_H_

#include <vector>

#include "paddock/stress/bench/results.h"
#include "paddock/stress/bench/suite.h"

namespace paddock::bench {

struct RunOptions {
  int rounds = 1;
  double seconds = 0;  // that a repetition lasts
  // Before each repetition, while nothing else runs: makes what the last one left behind like new.
  void (*tidy_up)() = nullptr;
};

// Cases of one group stand together. Says on standard error how far it is. One call at a time.
void RunRounds(const std::vector<Case>& cases, const RunOptions& options, Results& results);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_RUNNER_H_

// SPDX-License-Identifier: Apache-2.0
//
// A run beside an older one of the same machine, case by case, in multiples of each run's L: so a
// machine that runs faster or slower than then does not count.
//
// Thread safety: pure functions.

#ifndef PADDOCK_STRESS_BENCH_COMPARE_H_
#define PADDOCK_STRESS_BENCH_COMPARE_H_

#include <cstdint>
#include <vector>

#include "paddock/stress/bench/results.h"

namespace paddock::bench {

// kWorse, kBetter: the medians differ by more than the tolerance, twice that on several threads (a
// line that goes between cores costs more or less with where it lies in memory), and repetitions of
// one distribution would differ so in fewer than one of a hundred pairs of runs (Mann-Whitney).
// kTooFew: so few repetitions that no difference could be told from chance.
enum class Trend : uint8_t { kSame, kBetter, kWorse, kTooFew, kOnlyBefore, kOnlyNow };

struct Change {
  CaseId id;
  double before = 0;  // medians, as multiples of L
  double now = 0;
  double p = 1;
  Trend trend = Trend::kSame;

  double Percent() const { return 100 * (now / before - 1); }
};

// For each case of either run, in the order of the new one, then what is only in the old one.
std::vector<Change> Compare(const std::vector<Series>& before, const std::vector<Series>& now,
                            double tolerance_percent);

bool AnyWorse(const std::vector<Change>& changes);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_COMPARE_H_

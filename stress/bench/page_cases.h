// SPDX-License-Identifier: Apache-2.0
//
// A lookup, and cursors on one page each: on one thread, on two with leaf tables of their own, and
// on two that share a leaf table but no granule.

#ifndef PADDOCK_STRESS_BENCH_PAGE_CASES_H_
#define PADDOCK_STRESS_BENCH_PAGE_CASES_H_

#include "paddock/stress/bench/suite.h"

namespace paddock::bench {

// The most that a case on two threads with disjoint regions may cost, as a multiple of its cost on
// one.
inline constexpr double kTwoThreadTarget = 1.10;

void AddPageCases(Suite& suite);
void AddSharedTableCases(Suite& suite);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_PAGE_CASES_H_

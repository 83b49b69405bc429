// SPDX-License-Identifier: Apache-2.0
//
// One cursor over the 512 pages of a leaf table, with costs per page, and one over 1 GiB that is
// mapped at once. What is unmapped is reclaimed on the clock: its frames are those that the next
// chunk maps.

#ifndef PADDOCK_STRESS_BENCH_RANGE_CASES_H_
#define PADDOCK_STRESS_BENCH_RANGE_CASES_H_

#include "paddock/stress/bench/suite.h"

namespace paddock::bench {

void AddRangeCases(Suite& suite);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_RANGE_CASES_H_

// SPDX-License-Identifier: Apache-2.0
//
// Lookups and queries in a table of 16 GiB whose leaf tables (kColdBytes) are far larger than a
// core's caches, in random order, each address known only when the one before was answered; beside
// a chain of loads in as much memory.

#ifndef PADDOCK_STRESS_BENCH_COLD_CASES_H_
#define PADDOCK_STRESS_BENCH_COLD_CASES_H_

#include "paddock/stress/bench/suite.h"

namespace paddock::bench {

void AddColdCases(Suite& suite);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_COLD_CASES_H_

// SPDX-License-Identifier: Apache-2.0
//
// What the same operations cost in other designs: a page table behind one mutex, one with
// reader-writer locks hand over hand, a sorted map behind a mutex, and Linux.
//
// All but Linux do less than Paddock: they flush no TLB, count no owners of frames, keep no frame
// back for walks that are under way, free no tables, and check nothing.

#ifndef PADDOCK_STRESS_BENCH_BASELINES_BASELINE_CASES_H_
#define PADDOCK_STRESS_BENCH_BASELINES_BASELINE_CASES_H_

#include "paddock/stress/bench/suite.h"

namespace paddock::bench {

// For each operation of Suite::Added::Beside, in its group.
void AddBaselineCases(Suite& suite);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_BASELINES_BASELINE_CASES_H_

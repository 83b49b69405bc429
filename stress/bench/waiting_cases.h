// SPDX-License-Identifier: Apache-2.0
//
// What threads cost each other that hold something for a while or wait for an answer: cursors under
// one upper node, and a shootdown.

#ifndef PADDOCK_STRESS_BENCH_WAITING_CASES_H_
#define PADDOCK_STRESS_BENCH_WAITING_CASES_H_

#include "paddock/stress/bench/suite.h"

namespace paddock::bench {

void AddWaitingCases(Suite& suite);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_WAITING_CASES_H_

// SPDX-License-Identifier: Apache-2.0
//
// The costs of memory IO: copies of frames and of user memory beside memcpy, and one value of user
// memory beside a lookup.

#ifndef PADDOCK_STRESS_BENCH_IO_CASES_H_
#define PADDOCK_STRESS_BENCH_IO_CASES_H_

#include "paddock/stress/bench/suite.h"

namespace paddock::bench {

void AddIoCases(Suite& suite);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_IO_CASES_H_

// SPDX-License-Identifier: Apache-2.0
//
// The costs of memory IO: copies of frames and of user memory beside memcpy, and one value of user
// memory beside a lookup.

#ifndef PADDOCK_STRESS_BENCH_IO_BENCH_H_
#define PADDOCK_STRESS_BENCH_IO_BENCH_H_

#include "paddock/stress/bench/results.h"

namespace paddock::bench {

// Registers every case with Google Benchmark, for one thread, and says what is compared with what.
void RegisterIoBenchmarks(Results& results);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_IO_BENCH_H_

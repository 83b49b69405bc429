// SPDX-License-Identifier: Apache-2.0
//
// The costs of one-page cursors, at one thread and at several on disjoint regions.

#ifndef PADDOCK_STRESS_BENCH_CURSOR_BENCH_H_
#define PADDOCK_STRESS_BENCH_CURSOR_BENCH_H_

namespace paddock::bench {

// Registers every case with Google Benchmark, for one thread and for two. Names are
// "case/threads:N".
void RegisterCursorBenchmarks();

// The case whose one-thread cost is the unit L: an uncontended lock and unlock.
inline constexpr const char* kUnitCase = "lock_unlock";

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_CURSOR_BENCH_H_

// SPDX-License-Identifier: Apache-2.0
//
// What the machine's own steps cost: a lock, a store, a load that waits for the one before, a cache
// line that goes to another core.

#ifndef PADDOCK_STRESS_BENCH_RAW_COSTS_H_
#define PADDOCK_STRESS_BENCH_RAW_COSTS_H_

#include <cstdint>

#include "benchmark/benchmark.h"
#include "paddock/stress/bench/suite.h"

namespace paddock::bench {

inline constexpr const char* kStoreCase = "release_store";
inline constexpr const char* kHotLoadsCase = "hot_loads";
inline constexpr const char* kLineTransferCase = "line_transfer";
inline constexpr const char* kColdLoadsCase = "cold_loads";

// Bytes that the leaf tables of the cold cases take, and the chain of loads beside them.
inline constexpr uint64_t kColdBytes = uint64_t{32} << 20;

// L, a store, loads that hit. The two below are measured beside what they are held against.
void AddRawCosts(Suite& suite);
void MeasureLineTransfer(benchmark::State& state);
void MeasureColdLoads(benchmark::State& state);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_RAW_COSTS_H_

// SPDX-License-Identifier: Apache-2.0
//
// What a space costs in memory: the slots of the mapped frames, and the tables with theirs, as a
// part of what is mapped.

#ifndef PADDOCK_STRESS_BENCH_TABLE_MEMORY_H_
#define PADDOCK_STRESS_BENCH_TABLE_MEMORY_H_

#include "paddock/stress/bench/results.h"

namespace paddock::bench {

inline constexpr const char* kTableMemoryFigure = "table_memory";

// Of 1 GiB mapped by pages of 4 KiB, in a space of its own. Counted, not timed: about 0.1 s.
Figure MeasureTableMemory();

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_TABLE_MEMORY_H_

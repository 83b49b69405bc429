// SPDX-License-Identifier: Apache-2.0
//
// A small recording that every build carries: perl growing strings in three threads. It has page
// faults and all six calls, areas moved and grown by mremap included.
//
//   TraceReader reader = TraceReader::FromMemory(SmallTrace(), kSmallTraceName);

#ifndef PADDOCK_STRESS_TRACE_SMALL_TRACE_H_
#define PADDOCK_STRESS_TRACE_SMALL_TRACE_H_

#include <string_view>

namespace paddock {

inline constexpr char kSmallTraceName[] = "small.perf.txt.zst";

// The bytes of testdata/small.perf.txt.zst, compressed as they are; they live forever.
std::string_view SmallTrace();

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_SMALL_TRACE_H_

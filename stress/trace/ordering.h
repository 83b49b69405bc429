// SPDX-License-Identifier: Apache-2.0
//
// The waits of a process, computed from the times of its operations.
//
//   OrderTraceProcess(process);   // fills waits, and first_wait and wait_count of each operation
//
// An operation must start after those of other threads that ended strictly before it began. Most of
// these follow from each other: when Y ended before X began, X waits for Y, and whatever ended
// before Y began was waited for by Y. So only operations that ended since the latest such beginning
// need a wait, and of each thread only its last one: usually one or two in all.
//
// Equal times order nothing. So a wait always leads to an operation that began earlier, a thread's
// order never to one that began later, and no circle can arise.
//
// Thread safety: one thread at a time. Cost: O(n log n), and 32 bytes per operation meanwhile.

#ifndef PADDOCK_STRESS_TRACE_ORDERING_H_
#define PADDOCK_STRESS_TRACE_ORDERING_H_

#include "paddock/stress/trace/plan.h"

namespace paddock {

// Precondition: along each thread neither begin_ns nor end_ns decrease, and begin_ns <= end_ns.
void OrderTraceProcess(TraceProcess& process);

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_ORDERING_H_

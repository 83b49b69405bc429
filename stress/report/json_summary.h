// SPDX-License-Identifier: Apache-2.0
//
// The summary as JSON, schema 1: the names are stable, an addition keeps the number, a change
// raises it.
//
//   schema, seed, command, verdict ("pass", "fail", "interrupted"), seconds, threads, transactions,
//   operations {name: {count, p50_ns, p99_ns, max_ns}},
//   oracles {serializability, walker, tlb, ageing, books: {checks, violations}},
//   violations [{oracle, message, reproduce}],
//   locks {acquired, contended, stray_retries},
//   tlb {issued, batches, interrupts, interrupts_saved, full_flushes},
//   rcu {grace_periods, longest_ns, peak_backlog}, frames {total, peak, leaked},
//   if something was not done: not_run [text],
//   and if recordings were replayed: trace [{file, lines, replayed {kind: lines},
//   skipped {reason: lines}, not_understood, processes, threads}]
//
// Thread safety: a pure function.

#ifndef PADDOCK_STRESS_REPORT_JSON_SUMMARY_H_
#define PADDOCK_STRESS_REPORT_JSON_SUMMARY_H_

#include <string>

#include "paddock/stress/report/summary.h"

namespace paddock {

// Indented, ends with a newline. All six oracles are there, those without a result with zeros.
// Bytes that are not UTF-8 become U+FFFD.
std::string JsonSummary(const Summary& summary);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_JSON_SUMMARY_H_

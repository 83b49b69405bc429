// SPDX-License-Identifier: Apache-2.0
//
// The summary as JUnit XML, the form that CI systems read: one test case per workload and one per
// oracle. The violations stand in the oracles' cases. An oracle that this run does not exercise is
// skipped, and so is a case for each thing that was not run. Thread safety: a pure function.

#ifndef PADDOCK_STRESS_REPORT_JUNIT_SUMMARY_H_
#define PADDOCK_STRESS_REPORT_JUNIT_SUMMARY_H_

#include <string>

#include "paddock/stress/report/summary.h"

namespace paddock {

std::string JunitSummary(const Summary& summary);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_JUNIT_SUMMARY_H_

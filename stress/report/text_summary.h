// SPDX-License-Identifier: Apache-2.0
//
// The summary that a run ends with on standard output, for people; pure ASCII, no colours.
//
// Thread safety: a pure function.

#ifndef PADDOCK_STRESS_REPORT_TEXT_SUMMARY_H_
#define PADDOCK_STRESS_REPORT_TEXT_SUMMARY_H_

#include <string>

#include "paddock/stress/report/summary.h"

namespace paddock {

// Ends with a newline. The first ten violations are written out, with how many there are in all.
std::string TextSummary(const Summary& summary);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_TEXT_SUMMARY_H_

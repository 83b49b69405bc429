// SPDX-License-Identifier: Apache-2.0
//
// The summary as one self-contained HTML page: no script, no font, nothing fetched. Latencies are
// drawn on one logarithmic axis, from the median over the 99th percentile to the maximum.
//
// Thread safety: a pure function.

#ifndef PADDOCK_STRESS_REPORT_HTML_SUMMARY_H_
#define PADDOCK_STRESS_REPORT_HTML_SUMMARY_H_

#include <string>

#include "paddock/stress/report/summary.h"

namespace paddock {

std::string HtmlSummary(const Summary& summary);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_HTML_SUMMARY_H_

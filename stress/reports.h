// SPDX-License-Identifier: Apache-2.0
//
// Writes what a run has to say to where it was asked for: the files of the flags, and under Bazel
// the test's undeclared outputs (summary.txt, summary.json, junit.xml, and after a violation
// history.txt and repro.sh).
//
//   absl::Status writable = CheckReports(options);      // before the run
//   absl::Status written = WriteReports(summary, options);
//
// Thread safety: a pure function but for the files. Failure: the first one, naming the file; no
// file is left half written.

#ifndef PADDOCK_STRESS_REPORTS_H_
#define PADDOCK_STRESS_REPORTS_H_

#include "absl/status/status.h"
#include "paddock/stress/options.h"
#include "paddock/stress/report/summary.h"

namespace paddock {

// Whether the files that `options` asks for can be written where they are to be.
absl::Status CheckReports(const StressOptions& options);

absl::Status WriteReports(const Summary& summary, const StressOptions& options);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORTS_H_

// SPDX-License-Identifier: Apache-2.0
//
// Writes a report so that nobody ever sees half of it: to a temporary name in the same directory,
// then renamed over the target.
//
//   absl::Status writable = CheckFileWritable("out/report.json");   // before a long run
//   absl::Status written = WriteFileAtomically("out/report.json", text);
//   if (!written.ok()) return 3;  // the message names the file and the cause
//
// What is not a regular file (a pipe, a terminal) is written to directly, and so is the file that
// standard output or standard error goes to: behind what was written there. A symbolic link keeps
// pointing where it does, also to a file that does not exist yet. On failure the target is as it
// was and no temporary file remains. Thread safety: any thread; what goes to one file, one after the
// other.

#ifndef PADDOCK_STRESS_REPORT_ATOMIC_FILE_H_
#define PADDOCK_STRESS_REPORT_ATOMIC_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace paddock {

absl::Status WriteFileAtomically(const std::string& path, std::string_view contents);
// Whether that would find a place to write to now; leaves everything as it is.
absl::Status CheckFileWritable(const std::string& path);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_ATOMIC_FILE_H_

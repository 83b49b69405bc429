// SPDX-License-Identifier: Apache-2.0
//
// Text for whoever reads standard output, who may have gone away, or be a disk that is full.
//
//   std::signal(SIGPIPE, SIG_IGN);   // once: a reader that closes its pipe ends nothing
//   absl::Status shown = WriteText(table, stdout);
//
// Thread safety: as the stream.

#ifndef PADDOCK_STRESS_REPORT_WRITE_TEXT_H_
#define PADDOCK_STRESS_REPORT_WRITE_TEXT_H_

#include <cstdio>
#include <string>

#include "absl/status/status.h"

namespace paddock {

// Writes and flushes `text`. OK if the reader of `out` has gone away; else the system's reason why
// it does not take it.
absl::Status WriteText(const std::string& text, std::FILE* out);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_WRITE_TEXT_H_

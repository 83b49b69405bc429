// SPDX-License-Identifier: Apache-2.0
//
// The harness from options to exit status.
//
//   return RunStress(options, stdout, stderr);
//
// Exit status: 0 no violation; 1 a violation, a hang, or an oracle that checked nothing; 3 the
// environment: no memory, an unreadable trace, a report that cannot be written, the summary on
// `out` included; 130 or 143 no violation, but SIGINT or SIGTERM ended the run before all of it was
// done. Of several, the first of 1, 3, 130 and 143.
//
// The files are written before `out`, so that they do not depend on who reads it; a reader that
// closes its pipe early is no error.
//
// Thread safety: one thread of a process. While it runs it handles SIGINT and SIGTERM: the round is
// finished and reported, a second one kills; and it ignores SIGPIPE.

#ifndef PADDOCK_STRESS_DRIVER_H_
#define PADDOCK_STRESS_DRIVER_H_

#include <cstdio>

#include "paddock/stress/options.h"

namespace paddock {

int RunStress(const StressOptions& options, std::FILE* out, std::FILE* err);

}  // namespace paddock

#endif  // PADDOCK_STRESS_DRIVER_H_

// SPDX-License-Identifier: Apache-2.0
//
// The harness from options to exit status.
//
//   return RunStress(options, stdout, stderr);
//
// Exit status: 0 no violation; 1 a violation, a hang, or an oracle that checked nothing; 3 the
// environment: no memory, an unreadable trace, a report that cannot be written. Thread safety: one
// thread of a process; handles SIGINT while it runs: the round is finished and reported, a second
// one kills.

#ifndef PADDOCK_STRESS_DRIVER_H_
#define PADDOCK_STRESS_DRIVER_H_

#include <cstdio>

#include "paddock/stress/options.h"

namespace paddock {

inline constexpr int kExitPassed = 0;
inline constexpr int kExitViolation = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitEnvironment = 3;

int RunStress(const StressOptions& options, std::FILE* out, std::FILE* err);

}  // namespace paddock

#endif  // PADDOCK_STRESS_DRIVER_H_

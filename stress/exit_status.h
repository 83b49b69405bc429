// SPDX-License-Identifier: Apache-2.0
//
// The exit statuses of ./paddock stress, explore and bench.

#ifndef PADDOCK_STRESS_EXIT_STATUS_H_
#define PADDOCK_STRESS_EXIT_STATUS_H_

namespace paddock {

inline constexpr int kExitPassed = 0;
inline constexpr int kExitViolation = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitEnvironment = 3;
inline constexpr int kExitSignal = 128;  // plus the number of the signal

}  // namespace paddock

#endif  // PADDOCK_STRESS_EXIT_STATUS_H_

// SPDX-License-Identifier: Apache-2.0
//
// The flags of the harness, as Abseil flags.
//
//   absl::Status status = ReadArguments({"--threads=2"});
//   std::string threads = absl::GetFlag(FLAGS_threads);      // empty: not given
//
// Thread safety: one thread. Failure: INVALID_ARGUMENT, with the valid flags.

#ifndef PADDOCK_STRESS_FLAGS_H_
#define PADDOCK_STRESS_FLAGS_H_

#include <string>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/status/status.h"

ABSL_DECLARE_FLAG(std::string, threads);
ABSL_DECLARE_FLAG(std::string, duration);
ABSL_DECLARE_FLAG(std::string, ops);
ABSL_DECLARE_FLAG(std::string, seed);
ABSL_DECLARE_FLAG(std::string, workload);
ABSL_DECLARE_FLAG(std::string, trace);
ABSL_DECLARE_FLAG(std::string, pace);
ABSL_DECLARE_FLAG(std::string, format);
ABSL_DECLARE_FLAG(std::string, memory);
ABSL_DECLARE_FLAG(std::string, inject);
ABSL_DECLARE_FLAG(std::string, progress);
ABSL_DECLARE_FLAG(std::string, json);
ABSL_DECLARE_FLAG(std::string, junit);
ABSL_DECLARE_FLAG(std::string, report);
ABSL_DECLARE_FLAG(std::string, replay);

namespace paddock {

// As ReadFlags, for the flags above.
absl::Status ReadArguments(const std::vector<std::string>& args);

// A line for each flag: its name and what it means, unit and default included.
std::string FlagsHelp();

}  // namespace paddock

#endif  // PADDOCK_STRESS_FLAGS_H_

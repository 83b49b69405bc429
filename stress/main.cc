// SPDX-License-Identifier: Apache-2.0

#include <cstdio>
#include <string>
#include <vector>

#include "paddock/stress/driver.h"
#include "paddock/stress/exit_status.h"
#include "paddock/stress/flag_reader.h"
#include "paddock/stress/options.h"
#include "paddock/stress/report/write_text.h"

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (paddock::WantsHelp(args)) {
    const absl::Status written = paddock::WriteText(paddock::StressHelp(), stdout);
    return written.ok() ? paddock::kExitPassed : paddock::kExitEnvironment;
  }
  absl::StatusOr<paddock::StressOptions> options =
      paddock::ParseStressOptions(args, paddock::StressEnvironment::FromProcess());
  if (!options.ok()) {
    std::fprintf(stderr, "paddock stress: %s\nSee ./paddock stress --help.\n",
                 std::string(options.status().message()).c_str());
    return paddock::kExitUsage;
  }
  return paddock::RunStress(*options, stdout, stderr);
}

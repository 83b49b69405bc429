// SPDX-License-Identifier: Apache-2.0

#include "absl/strings/str_cat.h"
#include "paddock/stress/flags.h"
#include "paddock/stress/options.h"
#include "paddock/stress/workload/generator.h"

namespace paddock {

std::string StressHelp() {
  std::string text =
      "usage: ./paddock stress [flags]\n\n"
      "Runs workloads of concurrent page-table operations while oracles check what they see.\n\n";
  absl::StrAppend(&text, FlagsHelp());
  absl::StrAppend(&text, "\nWorkloads:\n");
  for (const WorkloadInfo& info : Workloads()) {
    absl::StrAppend(&text, "  ", std::string(info.name), std::string(12 - info.name.size(), ' '),
                    std::string(info.summary), "\n");
  }
  absl::StrAppend(&text, "  trace       the address-space activity of a recorded program\n",
                  "\nExit status: 0 no violation; 1 a violation; 2 bad usage; 3 the environment "
                  "(no memory, an\n"
                  "unreadable trace, a report that cannot be written); 130 or 143 no violation, "
                  "but interrupted\n"
                  "by SIGINT or SIGTERM.\n");
  return text;
}

}  // namespace paddock

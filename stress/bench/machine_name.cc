// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/machine_name.h"

#include <unistd.h>

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace paddock::bench {

std::string MachineName() {
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  std::string name = absl::StrCat(cpus, cpus == 1 ? " CPU" : " CPUs");
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (!absl::StartsWith(line, "model name") || colon == std::string::npos) continue;
    return absl::StrCat(name, ", ", line.substr(colon + 2));
  }
  return name;
}

}  // namespace paddock::bench

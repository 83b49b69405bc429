// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/system_cpu.h"

#include <algorithm>

namespace paddock::bench {
namespace {

// Those of the process, whatever single threads have taken since.
cpu_set_t UsableSet() {
  static const cpu_set_t usable = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof(set), &set);
    return set;
  }();
  return usable;
}

}  // namespace

int UsableCpus() {
  const cpu_set_t usable = UsableSet();
  return std::max(1, CPU_COUNT(&usable));
}

SystemCpu::SystemCpu(int index, int threads) : usable_(UsableSet()) {
  if (threads < 2 || threads > UsableCpus()) return;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &usable_) || index-- != 0) continue;
    cpu_set_t mine;
    CPU_ZERO(&mine);
    CPU_SET(cpu, &mine);
    is_taken_ = sched_setaffinity(0, sizeof(mine), &mine) == 0;
    return;
  }
}

SystemCpu::~SystemCpu() {
  if (is_taken_) sched_setaffinity(0, sizeof(usable_), &usable_);
}

}  // namespace paddock::bench

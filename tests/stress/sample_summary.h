// SPDX-License-Identifier: Apache-2.0
//
// A summary with something in every field.

#ifndef PADDOCK_TESTS_STRESS_SAMPLE_SUMMARY_H_
#define PADDOCK_TESTS_STRESS_SAMPLE_SUMMARY_H_

#include <string>

#include "paddock/stress/report/summary.h"

namespace paddock {

inline Summary PassingSummary() {
  Summary summary;
  summary.seed = 18446744073709551615u;
  summary.command = "./paddock stress --seed=18446744073709551615 --workload=mixed,rcu";
  summary.seconds = 10.5;
  summary.threads = 4;
  summary.transactions = 1234567;
  summary.operations = {{"map", 1000000, 350, 2100, 180000}, {"unmap", 900000, 410, 3900, 2400000}};
  summary.workloads = {{"mixed", 8.25, 1900000, 0}, {"rcu", 2.25, 7000, 0}};
  for (const std::string_view name : {kSerializabilityOracle, kWalkerOracle, kTlbOracle,
                                      kMemoryOracle, kAgeingOracle, kBooksOracle}) {
    summary.oracles.push_back({.name = std::string(name), .checks = 1000});
  }
  summary.locks = {5, 6, 7};
  summary.tlb = {8, 9, 10, 11, 12, 16, 17};
  summary.rcu = {13, 14000000, 15};
  summary.frames = {65536, 4096, 0};
  return summary;
}

inline TraceSummary SampleTrace() {
  return {.file = "build.trace.zst",
          .lines = 100,
          .replayed = {{"page-fault", 60}, {"mmap", 20}},
          .skipped = {{"failed call", 15}},
          .not_understood = 5,
          .examples = {{7, "expected <pid>"}, {9, "b"}, {11, "c"}, {13, "d"}},
          .processes = 2,
          .threads = 3};
}

inline Summary FailingSummary() {
  Summary summary = PassingSummary();
  const std::string message = "cpu 1 read <frame> & \"more\"\n  second line \x01\xff";
  summary.violations = {{"tlb", message, summary.command}, {"watchdog", "a hang", summary.command}};
  summary.violation_count = 4;
  summary.oracles[2].violations = 3;
  summary.workloads[0].violations = 4;
  summary.traces = {SampleTrace()};
  return summary;
}

inline Summary InterruptedSummary() {
  Summary summary = PassingSummary();
  summary.interrupted = true;
  summary.not_run = {"the rest of mixed after 7 steps", "trace <a>"};
  return summary;
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_STRESS_SAMPLE_SUMMARY_H_

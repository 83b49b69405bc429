// SPDX-License-Identifier: Apache-2.0
//
// What a session adds up to.

#include <string>
#include <vector>

#include "paddock/stress/report/statistics.h"
#include "paddock/stress/session.h"

namespace paddock {

uint64_t Session::not_opened() const {
  uint64_t sum = 0;
  for (const auto& state : states_) sum += state->stats.not_opened;
  return sum;
}

uint64_t Session::exhausted() const {
  uint64_t sum = 0;
  for (const auto& state : states_) sum += state->stats.exhausted;
  return sum;
}

Summary Session::Summarise() const {
  Summary summary;
  summary.seed = options_.seed;
  summary.command = options_.Command();
  summary.seconds = static_cast<double>(sync::NowNs() - start_ns_) * 1e-9;
  summary.threads = options_.threads;
  std::vector<std::string> names;
  for (size_t i = 0; i < kOpKinds; ++i) names.emplace_back(OpName(i));
  std::vector<const WorkerStatistics*> workers;
  for (const auto& state : states_) {
    workers.push_back(&state->stats.operations());
    summary.transactions += state->stats.transactions();
  }
  summary.operations = paddock::Summarise(names, workers);
  summary.workloads = workloads_;
  summary.oracles = {
      oracles_.serializability.result(),
      oracles_.walker.result(),
      oracles_.tlb.result(),
      oracles_.ageing.result(),
      {std::string(kBooksOracle), oracles_.books_checks, oracles_.sink.count(kBooksOracle)}};
  if (options_.inject.MayExhaust()) {
    // Without memory there may be nothing to access.
    for (OracleResult& oracle : summary.oracles) {
      if (oracle.name == kTlbOracle) oracle.expected = Expected::kNothing;
    }
  }
  summary.violations = oracles_.sink.violations();
  for (const auto& [from, command] : reproductions_) {
    for (size_t i = from; i < summary.violations.size(); ++i) {
      summary.violations[i].reproduce = command;
    }
  }
  summary.violation_count = oracles_.sink.count();
  summary.locks = {totals_.locks.acquired, totals_.locks.contended, totals_.locks.stray_retries};
  summary.tlb = {totals_.tlb.issued, totals_.tlb.batches, totals_.tlb.interrupts,
                 totals_.tlb.interrupts_saved, totals_.tlb.full_flushes};
  summary.rcu = {totals_.rcu.grace_periods, totals_.rcu.longest_ns, totals_.rcu.peak_backlog};
  summary.frames = {totals_.frames_total, totals_.frames_peak, totals_.frames_leaked};
  summary.traces = traces_;
  return summary;
}

}  // namespace paddock

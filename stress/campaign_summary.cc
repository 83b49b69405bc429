// SPDX-License-Identifier: Apache-2.0
//
// What a campaign adds up to.

#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "paddock/stress/campaign.h"
#include "paddock/stress/report/statistics.h"

namespace paddock {
namespace {

// So few accesses may all have ended in a page fault.
constexpr uint64_t kFew = 100;

uint64_t CountOf(const Summary& summary, std::initializer_list<std::string_view> kinds) {
  uint64_t count = 0;
  for (const OperationSummary& operation : summary.operations) {
    for (const std::string_view kind : kinds) {
      if (operation.name == kind) count += operation.count;
    }
  }
  return count;
}

}  // namespace

uint64_t Campaign::SumOf(uint64_t OpStats::* counter) const {
  uint64_t sum = 0;
  for (const auto& state : states_) sum += state->stats.*counter;
  return sum;
}

Summary Campaign::Summarise() const {
  Summary summary;
  summary.seed = options_.seed;
  summary.command = options_.Command();
  summary.seconds = static_cast<double>(sync::NowNs() - start_ns_) * 1e-9;
  summary.threads = options_.threads;
  std::vector<std::string> names;
  names.reserve(kOpKinds);
  for (size_t i = 0; i < kOpKinds; ++i) names.emplace_back(OpName(i));
  std::vector<const WorkerStatistics*> workers;
  workers.reserve(states_.size());
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
      oracles_.memory.result(),
      oracles_.ageing.result(),
      {std::string(kBooksOracle), oracles_.books_checks, oracles_.sink.count(kBooksOracle)}};
  summary.not_run = not_run_;
  summary.interrupted = !not_run_.empty() && interrupted();
  for (OracleResult& oracle : summary.oracles) {
    // Without memory there may be nothing to access; without time, nothing at all; and a short run,
    // or a recording without page faults, may come to no access that says anything.
    const bool tlb = oracle.name == kTlbOracle;
    const bool memory = oracle.name == kMemoryOracle;
    const bool starved = options_.inject.MayExhaust() && (tlb || memory);
    const bool few = (tlb && CountOf(summary, {"access", "access_area"}) < kFew) ||
                     (memory && CountOf(summary, {"read_memory"}) < kFew);
    if (starved || (few && oracle.checks == 0) || summary.interrupted) {
      oracle.expected = Expected::kNothing;
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
  summary.tlb = {totals_.tlb.issued,           totals_.tlb.batches,      totals_.tlb.interrupts,
                 totals_.tlb.interrupts_saved, totals_.tlb.full_flushes, totals_.tlb.lazy_skips,
                 totals_.tlb.lazy_catchups};
  summary.rcu = {totals_.rcu.grace_periods, totals_.rcu.longest_ns, totals_.rcu.peak_backlog};
  summary.frames = {totals_.frames_total, totals_.frames_peak, totals_.frames_leaked};
  summary.traces = traces_;
  return summary;
}

Summary Campaign::SummariseHang() const {
  const std::lock_guard<std::mutex> lock(mark_mutex_);
  Summary summary = marked_;
  summary.seconds = static_cast<double>(sync::NowNs() - start_ns_) * 1e-9;
  const size_t known = summary.violations.size();
  std::vector<Violation> violations = oracles_.sink.violations();
  for (size_t i = known; i < violations.size(); ++i) {
    violations[i].reproduce = marked_command_;
    summary.violations.push_back(std::move(violations[i]));
  }
  summary.violation_count = oracles_.sink.count();
  // It was not done with any of them.
  for (OracleResult& oracle : summary.oracles) oracle.expected = Expected::kNothing;
  return summary;
}

}  // namespace paddock

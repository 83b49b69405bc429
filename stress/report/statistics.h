// SPDX-License-Identifier: Apache-2.0
//
// What each worker counts while it runs: operations and their latencies, by kind.
//
//   const std::vector<std::string> kNames = {"map", "unmap"};
//   WorkerStatistics mine(kNames.size());
//   mine.Record(kMap, end_ns - start_ns);   // timed
//   mine.Count(kMap, 1);                    // not timed
//   // another thread, for the progress line:
//   uint64_t done = mine.total();
//   // when all workers have stopped:
//   std::vector<OperationSummary> all = Summarise(kNames, workers);
//
// Thread safety: one writer; `total` may be read by anyone at any time, the rest when the writer
// has stopped. Cost: a few increments; memory 9.2 KiB per kind.

#ifndef PADDOCK_STRESS_REPORT_STATISTICS_H_
#define PADDOCK_STRESS_REPORT_STATISTICS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "paddock/stress/report/histogram.h"
#include "paddock/stress/report/summary.h"

namespace paddock {

class WorkerStatistics {
 public:
  explicit WorkerStatistics(size_t kinds) : kinds_(kinds) {}
  WorkerStatistics(const WorkerStatistics&) = delete;
  WorkerStatistics& operator=(const WorkerStatistics&) = delete;

  void Record(size_t kind, uint64_t ns) {
    kinds_[kind].latency.Record(ns);
    Count(kind, 1);
  }
  // Operations whose latency was not taken.
  void Count(size_t kind, uint64_t n = 1) {
    kinds_[kind].count += n;
    // order: relaxed; a statistic with one writer.
    total_.store(total_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  uint64_t total() const {
    // order: relaxed; a statistic.
    return total_.load(std::memory_order_relaxed);
  }
  uint64_t count(size_t kind) const { return kinds_[kind].count; }
  const LatencyHistogram& latency(size_t kind) const { return kinds_[kind].latency; }

 private:
  struct Kind {
    uint64_t count = 0;
    LatencyHistogram latency;
  };

  alignas(64) std::atomic<uint64_t> total_{0};
  std::vector<Kind> kinds_;
};

// One entry per name, in that order, without those that never happened.
std::vector<OperationSummary> Summarise(absl::Span<const std::string> names,
                                        absl::Span<const WorkerStatistics* const> workers);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_STATISTICS_H_

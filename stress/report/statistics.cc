// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/statistics.h"

namespace paddock {

std::vector<OperationSummary> Summarise(absl::Span<const std::string> names,
                                        absl::Span<const WorkerStatistics* const> workers) {
  std::vector<OperationSummary> summaries;
  for (size_t kind = 0; kind < names.size(); ++kind) {
    uint64_t count = 0;
    LatencyHistogram latency;
    for (const WorkerStatistics* worker : workers) {
      count += worker->count(kind);
      latency.Merge(worker->latency(kind));
    }
    if (count == 0) continue;
    summaries.push_back({.name = names[kind],
                         .count = count,
                         .p50_ns = latency.Percentile(0.50),
                         .p99_ns = latency.Percentile(0.99),
                         .max_ns = latency.max()});
  }
  return summaries;
}

}  // namespace paddock

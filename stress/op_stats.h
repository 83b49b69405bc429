// SPDX-License-Identifier: Apache-2.0
//
// What one stream counts: operations by kind with their latencies, and what came to nothing.
//
// Thread safety: one writer; `operations().total()` may be read at any time, the rest while the
// writer stands still.

#ifndef PADDOCK_STRESS_OP_STATS_H_
#define PADDOCK_STRESS_OP_STATS_H_

#include <cstdint>

#include "paddock/stress/ops.h"
#include "paddock/stress/report/statistics.h"

namespace paddock {

class OpStats {
 public:
  template <typename O>
  static constexpr size_t IndexOf() {
    return Op(O{}).index();
  }

  void Add(size_t kind, uint64_t ns) { operations_.Record(kind, ns); }

  const WorkerStatistics& operations() const { return operations_; }
  // Cursors that were opened and closed.
  uint64_t transactions() const { return operations_.count(IndexOf<CloseOp>()); }

  uint64_t not_opened = 0;  // try and deadline found the range taken
  uint64_t exhausted = 0;   // operations that found no memory
  uint64_t faults = 0;      // accesses that found nothing mapped, or no right to it

  // Of memory IO.
  uint64_t ordered_reads = 0;     // that had to give exactly what the last writer wrote
  uint64_t concurrent_reads = 0;  // that ran beside one write
  uint64_t unordered_reads = 0;   // of memory that all write
  uint64_t resolved = 0;          // page faults that mapped a page
  uint64_t refused_views = 0;     // readers and writers that were in the way of others

  // Of kernel areas.
  uint64_t reused_pages = 0;     // addresses that an earlier area had, of areas created
  uint64_t window_full = 0;      // areas that found no addresses
  uint64_t areas_abandoned = 0;  // destroyed by a thread without a CPU

 private:
  WorkerStatistics operations_{kOpKinds};
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_OP_STATS_H_

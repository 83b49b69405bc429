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

 private:
  WorkerStatistics operations_{kOpKinds};
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_OP_STATS_H_

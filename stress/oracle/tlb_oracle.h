// SPDX-License-Identifier: Apache-2.0
//
// The oracle of TLB coherence: an access through a CPU's TLB must not reach a frame that has been
// freed since the entry was filled.
//
//   TlbOracle oracle(workers, sink, history);
//   AccessResult access = *space.Load(pin, va);
//   oracle.CheckAccess(worker, {.frame = access.frame.value(), .generation_at_fill = ..., ...});
//
// Thread safety: any thread with its own worker index. Cost: a comparison and a counter.

#ifndef PADDOCK_STRESS_ORACLE_TLB_ORACLE_H_
#define PADDOCK_STRESS_ORACLE_TLB_ORACLE_H_

#include <cstdint>

#include "paddock/stress/oracle/check_counter.h"
#include "paddock/stress/oracle/frame_history.h"
#include "paddock/stress/oracle/violation.h"

namespace paddock {

struct ObservedAccess {
  uint64_t ns = 0;
  uint64_t frame = 0;  // physical address
  uint64_t va = 0;
  uint32_t generation_at_fill = 0;
  uint32_t generation_now = 0;
  uint32_t space = 0;
  uint32_t cpu = 0;
};

class TlbOracle {
 public:
  TlbOracle(uint32_t workers, ViolationSink& sink, const FrameHistory& history)
      : sink_(sink), history_(history), checks_(workers) {}

  // Returns whether the access was good.
  bool CheckAccess(uint32_t worker, const ObservedAccess& access) {
    checks_.Add(worker);
    if (access.generation_at_fill == access.generation_now) return true;
    Report(access);
    return false;
  }

  uint64_t checks() const { return checks_.Sum(); }
  OracleResult result() const;

 private:
  void Report(const ObservedAccess& access);

  ViolationSink& sink_;
  const FrameHistory& history_;
  CheckCounter checks_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_TLB_ORACLE_H_

// SPDX-License-Identifier: Apache-2.0
//
// The harness's oracle of TLB coherence, for accesses of kernel code in tests.

#ifndef PADDOCK_TESTS_CONFORMANCE_KERNEL_ORACLE_H_
#define PADDOCK_TESTS_CONFORMANCE_KERNEL_ORACLE_H_

#include <cstdint>

#include "paddock/concurrency/cpu.h"
#include "paddock/core/space/simulated_access.h"
#include "paddock/stress/oracle/frame_history.h"
#include "paddock/stress/oracle/tlb_oracle.h"
#include "paddock/stress/oracle/violation.h"

namespace paddock {

// For up to four CPUs.
class KernelOracle {
 public:
  // Whether the access reached no frame that was freed since the TLB was filled.
  bool CheckAccess(const CpuPin& cpu, VirtAddr va, const AccessResult& access) {
    return tlb_.CheckAccess(cpu.cpu().value, {.frame = access.frame.value(),
                                              .va = va.value(),
                                              .generation_at_fill = access.generation_at_fill,
                                              .generation_now = access.generation_now,
                                              .cpu = cpu.cpu().value});
  }
  uint64_t checks() const { return tlb_.checks(); }
  uint64_t violations() const { return sink_.count(kTlbOracle); }

 private:
  ViolationSink sink_{"run the test again"};
  FrameHistory history_{4, 16};
  TlbOracle tlb_{4, sink_, history_};
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_CONFORMANCE_KERNEL_ORACLE_H_

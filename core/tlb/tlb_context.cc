// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/tlb_context.h"

#include "paddock/concurrency/check.h"
#include "paddock/core/tlb/tlb_system.h"

namespace paddock {

TlbContext::TlbContext(TlbSystem& system, TlbScope scope)
    : system_(system),
      tag_(system.NextTag()),
      scope_(scope),
      holders_(system.cpus().size()),
      active_(system.cpus().size()) {
  if (scope_ == TlbScope::kMachine) system_.RegisterMachineContext(*this);
}

TlbContext::~TlbContext() {
  if (scope_ == TlbScope::kMachine) {
    system_.UnregisterMachineContext(*this);
  } else {
    PADDOCK_CHECK(active_.Load(sync::seq_cst).Empty(),
                  "a space is destroyed while it is active on a CPU");
  }
}

}  // namespace paddock

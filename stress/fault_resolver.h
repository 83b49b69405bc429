// SPDX-License-Identifier: Apache-2.0
//
// Who sees to the page faults of a CPU in a space of the workload `io`.
//
// Thread safety: called on the CPU that faulted, without locks.

#ifndef PADDOCK_STRESS_FAULT_RESOLVER_H_
#define PADDOCK_STRESS_FAULT_RESOLVER_H_

#include "absl/status/status.h"
#include "paddock/arch/address.h"
#include "paddock/core/page_table/access.h"

namespace paddock {

class FaultResolver {
 public:
  // OK: has mapped the page. Else what the access fails with.
  virtual absl::Status Resolve(VirtAddr va, Access access) = 0;

 protected:
  ~FaultResolver() = default;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_FAULT_RESOLVER_H_

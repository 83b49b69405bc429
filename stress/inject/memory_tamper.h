// SPDX-License-Identifier: Apache-2.0
//
// Of tests: something that damages user memory behind the harness's back, which must notice.
//
//   class LosesHalf final : public MemoryTamper { ... };
//   World::Options options{.tamper = &loses_half};
//
// Thread safety: AfterWrite is called from any CPU.

#ifndef PADDOCK_STRESS_INJECT_MEMORY_TAMPER_H_
#define PADDOCK_STRESS_INJECT_MEMORY_TAMPER_H_

#include <cstdint>

#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/space/vm_space.h"

namespace paddock {

class MemoryTamper {
 public:
  // The `bytes` from `va` on have just been written, through the calling CPU.
  virtual void AfterWrite(VmSpace& space, const CpuPin& pin, VirtAddr va, uint64_t bytes) = 0;

 protected:
  ~MemoryTamper() = default;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_INJECT_MEMORY_TAMPER_H_

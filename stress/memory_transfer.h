// SPDX-License-Identifier: Apache-2.0
//
// One read or write of user memory, in the way that the operation asks for, to or from frames of
// the kernel.
//
//   MemoryTransfer done = ReadMemory(space, pin, op, buffer);
//   if (!done.status.ok() && done.bytes) { /* done.bytes were done before */ }
//
// Thread safety: that of readers and writers. Precondition: the buffer holds op.bytes.

#ifndef PADDOCK_STRESS_MEMORY_TRANSFER_H_
#define PADDOCK_STRESS_MEMORY_TRANSFER_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/stress/ops.h"

namespace paddock {

struct MemoryTransfer {
  absl::Status status;
  std::optional<uint64_t> bytes = std::nullopt;  // if the way says so
  // Reader and writer stand where `bytes` says.
  bool cursors_agree = true;
};

MemoryTransfer ReadMemory(VmSpace& space, const CpuPin& pin, const ReadMemoryOp& op,
                          USegment& buffer);
MemoryTransfer WriteMemory(VmSpace& space, const CpuPin& pin, const WriteMemoryOp& op,
                           USegment& buffer);

}  // namespace paddock

#endif  // PADDOCK_STRESS_MEMORY_TRANSFER_H_

// SPDX-License-Identifier: Apache-2.0
//
// Machine: accesses of kernel code.

#include "absl/strings/str_format.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/vm_space.h"

namespace paddock {

absl::StatusOr<AccessResult> Machine::KernelLoad(const CpuPin& pin, VirtAddr va) {
  return KernelAccess(pin, va, std::nullopt);
}

absl::StatusOr<AccessResult> Machine::KernelStore(const CpuPin& pin, VirtAddr va, uint64_t value) {
  return KernelAccess(pin, va, value);
}

absl::StatusOr<AccessResult> Machine::KernelAccess(const CpuPin& pin, VirtAddr va,
                                                   std::optional<uint64_t> store) {
  if (!cpus_->Owns(pin)) return CpuRegistry::ForeignPinError(pin);
  if (!va.IsAligned(sizeof(uint64_t))) {
    return absl::InvalidArgumentError(
        absl::StrFormat("address %#x of an 8-byte access is not a multiple of 8", va.value()));
  }
  if (!kKernelRange.Contains(va)) {
    return absl::OutOfRangeError(
        absl::StrFormat("%#x is not an address of the kernel, which are [%#x, %#x)", va.value(),
                        kKernelRange.start.value(), kKernelRange.end.value()));
  }
  // As on hardware, through the tables of the space that runs here, which share the kernel's.
  TranslationRoot root{kernel_table().root(), kernel_table().tlb_context().tag()};
  if (VmSpace* space = active_.Get(pin).get()) root = {space->root(), space->tlb_context().tag()};
  const TlbFill filled = TranslateAccess(
      *this, pin, root, va, store ? Access::kWrite : Access::kRead, Privilege::kKernel);
  switch (filled.fault) {
    case WalkFault::kNone:
      break;
    case WalkFault::kNotPresent:
      return absl::NotFoundError(absl::StrFormat("nothing is mapped at %#x", va.value()));
    case WalkFault::kPermission:
      return absl::PermissionDeniedError(
          absl::StrFormat("the mapping at %#x forbids the access", va.value()));
  }
  if (!frames_->Contains(filled.entry->frame)) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%#x leads to physical address %#x, outside of the machine's memory",
                        va.value(), filled.entry->frame.value()));
  }
  AccessResult result = CompleteAccess(*frames_, *filled.entry, va, store);
  if (!KernelPtConfig::IsTracked(filled.entry->property)) {
    result.generation_at_fill = result.generation_now;
  }
  return result;
}

}  // namespace paddock

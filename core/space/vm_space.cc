// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/vm_space.h"

#include "absl/strings/str_format.h"

namespace paddock {
namespace {

// How often one access may fault, its handler saying each time that it has mapped the page.
constexpr int kMaxFaultsPerAccess = 64;

}  // namespace

absl::StatusOr<std::shared_ptr<VmSpace>> VmSpace::Create(Machine& machine, const CpuPin& pin) {
  auto table = PageTable<UserPtConfig>::Create(machine.page_tables(), pin);
  if (!table.ok()) return table.status();
  for (uint64_t i = KernelPtConfig::kTopLevelFirst; i <= KernelPtConfig::kTopLevelLast; ++i) {
    (*table)->ShareTopLevelEntry(i, machine.kernel_table().TopLevelEntry(i));
  }
  return std::shared_ptr<VmSpace>(new VmSpace(machine, *std::move(table)));
}

absl::Status VmSpace::CheckAccess(const CpuPin& pin, VirtAddr va) const {
  if (!va.IsAligned(sizeof(uint64_t))) {
    return absl::InvalidArgumentError(
        absl::StrFormat("address %#x of an 8-byte access is not a multiple of 8", va.value()));
  }
  if (va >= kUserEnd) {
    return absl::OutOfRangeError(absl::StrFormat("%#x is not a user address, which end at %#x",
                                                 va.value(), kUserEnd.value()));
  }
  if (!IsActiveOn(pin)) {
    return absl::PermissionDeniedError(
        absl::StrFormat("the space is not active on CPU %d", pin.cpu().value));
  }
  return absl::OkStatus();
}

absl::Status VmSpace::Fault(const CpuPin& pin, VirtAddr va, Access access, WalkFault fault) {
  if (fault_handler_) {
    // The handler may make another space active here, and with it let go of the last owner of this
    // one.
    const std::shared_ptr<VmSpace> self = shared_from_this();
    if (absl::Status status = fault_handler_(*this, pin, va, access); !status.ok()) return status;
    return CheckAccess(pin, va);
  }
  if (fault == WalkFault::kNotPresent) {
    return absl::NotFoundError(absl::StrFormat("nothing is mapped at %#x", va.value()));
  }
  return absl::PermissionDeniedError(
      absl::StrFormat("the mapping at %#x forbids the access", va.value()));
}

absl::StatusOr<TlbEntry> VmSpace::Translate(const CpuPin& pin, VirtAddr va, Access access) {
  for (int faults = 0; faults < kMaxFaultsPerAccess; ++faults) {
    const TlbFill filled =
        TranslateAccess(machine_, pin, {root(), tlb_context().tag()}, va, access, Privilege::kUser);
    if (filled.fault == WalkFault::kNone) return filled.entry;
    if (absl::Status status = Fault(pin, va, access, filled.fault); !status.ok()) return status;
  }
  return absl::AbortedError(
      absl::StrFormat("the access at %#x faulted %d times although its handler reported success",
                      va.value(), kMaxFaultsPerAccess));
}

absl::StatusOr<AccessResult> VmSpace::Load(const CpuPin& pin, VirtAddr va) {
  if (absl::Status status = CheckAccess(pin, va); !status.ok()) return status;
  absl::StatusOr<TlbEntry> entry = Translate(pin, va, Access::kRead);
  if (!entry.ok()) return entry.status();
  return CompleteAccess(machine_.frames(), *entry, va, std::nullopt);
}

absl::StatusOr<AccessResult> VmSpace::Store(const CpuPin& pin, VirtAddr va, uint64_t value) {
  if (absl::Status status = CheckAccess(pin, va); !status.ok()) return status;
  absl::StatusOr<TlbEntry> entry = Translate(pin, va, Access::kWrite);
  if (!entry.ok()) return entry.status();
  return CompleteAccess(machine_.frames(), *entry, va, value);
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/vm_space.h"

#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/page_table/hardware_walk.h"
#include "paddock/core/space/view_ledger.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/core/spec/mem_view.h"

namespace paddock {
namespace {

// The view of a space is one of addresses: each stands for itself. What it translates to is the
// table's business and may change under a reader, which then sees the new page, or faults.
std::unique_ptr<ViewLedger> NewLedger(const VmSpaceOptions& options) {
  if (options.views == ViewDiscipline::kOff) return nullptr;
  AbstractTable user;
  user.Map(VirtRange{VirtAddr(0), kUserEnd}, PhysAddr(0), PageProperty{});
  return std::make_unique<ViewLedger>(MemView(std::move(user)), options.readers);
}

}  // namespace

absl::StatusOr<std::shared_ptr<VmSpace>> VmSpace::Create(Machine& machine, const CpuPin& pin,
                                                         const VmSpaceOptions& options) {
  auto table = PageTable<UserPtConfig>::Create(machine.page_tables(), pin);
  if (!table.ok()) return table.status();
  for (uint64_t i = KernelPtConfig::kTopLevelFirst; i <= KernelPtConfig::kTopLevelLast; ++i) {
    (*table)->ShareTopLevelEntry(i, machine.kernel_table().TopLevelEntry(i));
  }
  return std::shared_ptr<VmSpace>(new VmSpace(machine, *std::move(table), options));
}

VmSpace::VmSpace(Machine& machine, std::unique_ptr<PageTable<UserPtConfig>> table,
                 const VmSpaceOptions& options)
    : machine_(machine),
      table_(std::move(table)),
      view_ledger_(NewLedger(options)),
      view_registry_(view_ledger_.get()) {}

VmSpace::~VmSpace() = default;

absl::Status VmSpace::CheckAccess(const CpuPin& pin, VirtAddr va) const {
  if (!va.IsAligned(sizeof(uint64_t))) {
    return absl::InvalidArgumentError(
        absl::StrFormat("address %#x of an 8-byte access is not a multiple of 8", va.value()));
  }
  if (va >= kUserEnd) {
    return absl::OutOfRangeError(absl::StrFormat("%#x is not a user address, which end at %#x",
                                                 va.value(), kUserEnd.value()));
  }
  return CheckActive(pin);
}

absl::Status VmSpace::CheckActive(const CpuPin& pin) const {
  if (!machine_.cpus().Owns(pin)) [[unlikely]]
    return CpuRegistry::ForeignPinError(pin);
  if (IsActiveOn(pin)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrFormat("the space is not active on CPU %d", pin.cpu().value));
}

absl::Status VmSpace::Resolve(const CpuPin& pin, VirtAddr va, Access access, WalkFault fault) {
  if (absl::Status status = CheckActive(pin); !status.ok()) return status;
  if (fault_handler_ != nullptr) {
    // The handler may set another one, or make another space active here and with it let go of the
    // last owner of this one.
    const std::shared_ptr<const FaultHandler> handler = fault_handler_;
    const std::shared_ptr<VmSpace> self = shared_from_this();
    if (absl::Status status = (*handler)(*this, pin, va, access); !status.ok()) return status;
    return CheckActive(pin);
  }
  if (fault == WalkFault::kNotPresent) {
    return absl::NotFoundError(absl::StrFormat("nothing is mapped at %#x", va.value()));
  }
  return absl::PermissionDeniedError(
      absl::StrFormat("the mapping at %#x forbids the access", va.value()));
}

absl::StatusOr<TlbEntry> VmSpace::Translate(const CpuPin& pin, VirtAddr va, Access access) {
  for (int faults = 0;; ++faults) {
    const TlbFill filled = TryTranslate(pin, va, access);
    if (filled.fault == WalkFault::kNone) return *filled.entry;
    if (faults == kMaxFaultsPerAccess) return FaultsWithoutEnd(va);
    if (absl::Status status = Resolve(pin, va, access, filled.fault); !status.ok()) return status;
  }
}

UserLookup VmSpace::Lookup(const CpuPin& pin, VirtAddr va, Access access) {
  UserLookup found;
  // Resolve says so, then.
  if (!IsActiveOn(pin)) return found;
  const TlbFill filled = TryTranslate(pin, va, access);
  found.fault = filled.fault;
  if (filled.fault != WalkFault::kNone) return found;
  const PhysAddr frame = filled.entry->frame;
  PADDOCK_DCHECK(machine_.frames().slot(frame).generation.load(sync::seq_cst) ==
                     filled.entry->frame_generation,
                 "a TLB holds a frame that was freed");
  found.data = machine_.frames().Data(frame) + va.value() % kPageSize;
  return found;
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

// SPDX-License-Identifier: Apache-2.0
//
// An address space of user code: a page table whose lower half is its own and whose upper half is
// the kernel's, the set of CPUs that use it, and simulated accesses through their TLBs.
//
//   absl::StatusOr<std::shared_ptr<VmSpace>> space = VmSpace::Create(machine, pin);
//   {
//     absl::StatusOr<VmSpace::CursorMut> cursor = (*space)->OpenCursorMut(pin, range);
//     RETURN_IF_ERROR(cursor->Map(MappedFrames(*std::move(frame), kReadWriteUser)));
//   }
//   (*space)->Activate(pin);
//   absl::StatusOr<AccessResult> loaded = (*space)->Load(pin, va);
//
// Thread safety: every function from any pinned thread. A space stays alive while it is active
// anywhere. Cost: see PageTable; switching spaces is two updates of a CPU set.

#ifndef PADDOCK_CORE_SPACE_VM_SPACE_H_
#define PADDOCK_CORE_SPACE_VM_SPACE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/core/page_table/hardware_walk.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/space/configs.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/simulated_access.h"
#include "paddock/core/tlb/soft_tlb.h"

namespace paddock {

class VmSpace : public std::enable_shared_from_this<VmSpace> {
 public:
  using Cursor = paddock::Cursor<UserPtConfig>;
  using CursorMut = paddock::CursorMut<UserPtConfig>;
  // Called on a page fault, without locks, on the CPU that faulted. May map; OK means try again.
  using FaultHandler = std::function<absl::Status(VmSpace&, const CpuPin&, VirtAddr, Access)>;

  // RESOURCE_EXHAUSTED: no frame for the root.
  static absl::StatusOr<std::shared_ptr<VmSpace>> Create(Machine& machine, const CpuPin& pin);
  VmSpace(const VmSpace&) = delete;
  VmSpace& operator=(const VmSpace&) = delete;

  // Makes this space current on the calling CPU; the one before is let go of.
  void Activate(const CpuPin& pin) { machine_.SwitchSpace(pin, shared_from_this()); }
  bool IsActiveOn(const CpuPin& pin) const {
    return machine_.tlb().current(pin) == &table_->tlb_context();
  }

  // Errors: see PageTable.
  absl::StatusOr<Cursor> OpenCursor(const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                    VirtRange range, const CursorOptions& options = {}) {
    return table_->OpenCursor(pin, range, options);
  }
  absl::StatusOr<CursorMut> OpenCursorMut(const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                          VirtRange range, const CursorOptions& options = {}) {
    return table_->OpenCursorMut(pin, range, options);
  }
  absl::StatusOr<CursorMut> TryOpenCursorMut(const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                             VirtRange range, const CursorOptions& options = {}) {
    return table_->TryOpenCursorMut(pin, range, options);
  }
  std::optional<Translation> Walk(const RcuReadGuard& guard, VirtAddr va) const {
    return table_->Walk(guard, va);
  }

  // Set before the space is used by more than one thread.
  void SetFaultHandler(FaultHandler handler) { fault_handler_ = std::move(handler); }

  // One 8-byte access at `va` as user code on this CPU makes it: through the TLB, on a miss through
  // the tables, setting accessed and dirty bits. INVALID_ARGUMENT: `va` is not a multiple of 8.
  // OUT_OF_RANGE: not a user address. PERMISSION_DENIED: the space is not active on this CPU, or
  // the mapping forbids the access. NOT_FOUND: nothing is mapped. The last two go to the fault
  // handler first, if there is one; ABORTED: it reported success 64 times and the access still
  // faults. Nothing is done on an error. Accesses are atomic and unordered.
  absl::StatusOr<AccessResult> Load(const CpuPin& pin, VirtAddr va);
  absl::StatusOr<AccessResult> Store(const CpuPin& pin, VirtAddr va, uint64_t value);

  Machine& machine() { return machine_; }
  PageTable<UserPtConfig>& table() { return *table_; }
  TlbContext& tlb_context() { return table_->tlb_context(); }
  PhysAddr root() const { return table_->root(); }

 private:
  VmSpace(Machine& machine, std::unique_ptr<PageTable<UserPtConfig>> table)
      : machine_(machine), table_(std::move(table)) {}

  absl::Status CheckAccess(const CpuPin& pin, VirtAddr va) const;
  // The TLB entry that allows `access` at `va`, filled if need be.
  absl::StatusOr<TlbEntry> Translate(const CpuPin& pin, VirtAddr va, Access access);
  absl::Status Fault(const CpuPin& pin, VirtAddr va, Access access, WalkFault fault);

  Machine& machine_;
  const std::unique_ptr<PageTable<UserPtConfig>> table_;
  FaultHandler fault_handler_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_VM_SPACE_H_

// SPDX-License-Identifier: Apache-2.0
//
// An address space of user code: a page table whose lower half is its own and whose last root
// entries are the kernel's (kKernelRange), the set of CPUs that use it, simulated accesses through
// their TLBs, and readers and writers of its memory.
//
//   absl::StatusOr<std::shared_ptr<VmSpace>> space = VmSpace::Create(machine, pin);
//   {
//     absl::StatusOr<VmSpace::CursorMut> cursor = (*space)->OpenCursorMut(pin, range);
//     RETURN_IF_ERROR(cursor->Map(MappedFrames(*std::move(frame), kReadWriteUser)));
//   }
//   (*space)->Activate(pin);
//   absl::StatusOr<AccessResult> loaded = (*space)->Load(pin, va);
//   absl::StatusOr<VmReader<Fallible>> reader = (*space)->Reader(pin, va, bytes);
//
// Thread safety: every function from any pinned thread. A space stays alive while it is active
// anywhere. Cost: see PageTable; switching spaces is two updates of a CPU set. Destroying one
// releases its frames without a delivery to the transport (core/tlb/transport.h): who caches
// translations by frame unmaps everything first.

#ifndef PADDOCK_CORE_SPACE_VM_SPACE_H_
#define PADDOCK_CORE_SPACE_VM_SPACE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/io/user_memory.h"
#include "paddock/core/io/vm_reader.h"
#include "paddock/core/io/vm_writer.h"
#include "paddock/core/page_table/access.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/space/configs.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/simulated_access.h"
#include "paddock/core/spec/view_owner.h"
#include "paddock/core/tlb/soft_tlb.h"

namespace paddock {

class ViewLedger;

// Whether readers and writers of a space keep the memory-view discipline (view_ledger.h): a writer
// overlaps nobody, readers overlap each other only where that is allowed.
enum class ViewDiscipline : uint8_t {
  kOff,      // the users agree among themselves who reads and writes what
  kEnforce,  // a reader or writer that would break it is refused
};

struct VmSpaceOptions {
  // Checked builds enforce it unless told otherwise.
  ViewDiscipline views = kContractsChecked ? ViewDiscipline::kEnforce : ViewDiscipline::kOff;
  ReaderSharing readers = ReaderSharing::kShared;
};

// A reader and a writer of the same range, registered as one view, which ends with this object.
class [[nodiscard]] UserReaderWriter {
 public:
  UserReaderWriter(UserView view, VmReader<Fallible> reader, VmWriter<Fallible> writer)
      : view_(std::move(view)), reader_(std::move(reader)), writer_(std::move(writer)) {}

  VmReader<Fallible>& reader() ABSL_ATTRIBUTE_LIFETIME_BOUND { return reader_; }
  VmWriter<Fallible>& writer() ABSL_ATTRIBUTE_LIFETIME_BOUND { return writer_; }

 private:
  UserView view_;
  VmReader<Fallible> reader_;
  VmWriter<Fallible> writer_;
};

// On lines of its own: every operation reads it, and its neighbours on the heap, like the count of
// its owners, are written by CPUs that switch spaces.
class alignas(kCpuStride) VmSpace final : public std::enable_shared_from_this<VmSpace>,
                                          private UserMemory {
 public:
  using Cursor = paddock::Cursor<UserPtConfig>;
  using CursorMut = paddock::CursorMut<UserPtConfig>;
  // Called on a page fault, without locks, on the CPU that faulted. May map; OK means try again.
  using FaultHandler = std::function<absl::Status(VmSpace&, const CpuPin&, VirtAddr, Access)>;

  // RESOURCE_EXHAUSTED: no frame for the root. INVALID_ARGUMENT: the pin of another machine.
  static absl::StatusOr<std::shared_ptr<VmSpace>> Create(Machine& machine, const CpuPin& pin,
                                                         const VmSpaceOptions& options = {});
  // No reader or writer may be left (checked, if the discipline is enforced).
  ~VmSpace();
  VmSpace(const VmSpace&) = delete;
  VmSpace& operator=(const VmSpace&) = delete;

  // Makes this space current on the calling CPU; the one before is let go of. Here and in
  // IsActiveOn the pin is one of this machine (checked).
  void Activate(const CpuPin& pin) { machine_.SwitchSpace(pin, shared_from_this()); }
  bool IsActiveOn(const CpuPin& pin) const {
    machine_.CheckPin(pin);
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

  // Before the space is used by more than one thread. A handler may set another one, or none, for
  // the faults after its own.
  void SetFaultHandler(FaultHandler handler) {
    fault_handler_ = handler ? std::make_shared<const FaultHandler>(std::move(handler)) : nullptr;
  }

  // One 8-byte access at `va` as user code on this CPU makes it: through the TLB, on a miss through
  // the tables, setting accessed and dirty bits. INVALID_ARGUMENT: `va` is not a multiple of 8; the
  // pin of another machine. OUT_OF_RANGE: not a user address. PERMISSION_DENIED: the space is not
  // active on this CPU, or the mapping forbids the access. NOT_FOUND: nothing is mapped. The last
  // two go to the fault handler first, if there is one; ABORTED: it reported success 64 times and
  // the access still faults. Nothing is done on an error. Accesses are atomic and unordered.
  absl::StatusOr<AccessResult> Load(const CpuPin& pin, VirtAddr va);
  absl::StatusOr<AccessResult> Store(const CpuPin& pin, VirtAddr va, uint64_t value);

  // Readers and writers of the `bytes` from `va` on, for the thread of `pin`, which all outlive
  // them. PERMISSION_DENIED: the space is not active on this CPU, or not all of the range are user
  // addresses (those of an empty range lie in front of it). FAILED_PRECONDITION: the discipline is
  // enforced, and the range overlaps a reader or writer that it must not overlap. A ReaderWriter
  // counts as a writer. Each access looks again whether the space is active; faults are handled as
  // those of Load and Store. After the reader() and writer() of the seeds (000).
  absl::StatusOr<VmReader<Fallible>> Reader(const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                            VirtAddr va,
                                            uint64_t bytes) ABSL_ATTRIBUTE_LIFETIME_BOUND;
  absl::StatusOr<VmWriter<Fallible>> Writer(const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                            VirtAddr va,
                                            uint64_t bytes) ABSL_ATTRIBUTE_LIFETIME_BOUND;
  absl::StatusOr<UserReaderWriter> ReaderWriter(const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                                VirtAddr va,
                                                uint64_t bytes) ABSL_ATTRIBUTE_LIFETIME_BOUND;
  // Who is asked when a reader or writer is created, instead of the space's own ledger, if it has
  // one; null: nobody. Set before the space is used by more than one thread; outlives the readers
  // and writers.
  void SetViewRegistry(ViewRegistry* registry) { view_registry_ = registry; }

  Machine& machine() { return machine_; }
  PageTable<UserPtConfig>& table() { return *table_; }
  TlbContext& tlb_context() { return table_->tlb_context(); }
  PhysAddr root() const { return table_->root(); }

 private:
  VmSpace(Machine& machine, std::unique_ptr<PageTable<UserPtConfig>> table,
          const VmSpaceOptions& options);

  absl::Status CheckAccess(const CpuPin& pin, VirtAddr va) const;
  absl::Status CheckActive(const CpuPin& pin) const;
  // The TLB entry that allows `access` at `va`, filled if need be. No interrupt point.
  TlbFill TryTranslate(const CpuPin& pin, VirtAddr va, Access access) {
    return TranslateAccess(machine_, pin, {root(), tlb_context().tag()}, va, access,
                           Privilege::kUser);
  }
  // The same, with the faults resolved.
  absl::StatusOr<TlbEntry> Translate(const CpuPin& pin, VirtAddr va, Access access);

  UserLookup Lookup(const CpuPin& pin, VirtAddr va, Access access) override;
  absl::Status Resolve(const CpuPin& pin, VirtAddr va, Access access, WalkFault fault) override;
  // Checks what Reader and its like promise, and registers the view if there is a registry.
  absl::Status BeginView(const CpuPin& pin, VirtAddr va, uint64_t bytes, ViewKind kind,
                         UserView& view) const;

  Machine& machine_;
  const std::unique_ptr<PageTable<UserPtConfig>> table_;
  std::shared_ptr<const FaultHandler> fault_handler_;  // null: none
  const std::unique_ptr<ViewLedger> view_ledger_;      // null: the discipline is off
  ViewRegistry* view_registry_;                        // null: nobody is asked
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_VM_SPACE_H_

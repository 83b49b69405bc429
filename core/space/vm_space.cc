// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/vm_space.h"

#include "absl/strings/str_format.h"
#include "paddock/concurrency/sync.h"

namespace paddock {
namespace {

// How often one access may fault, its handler saying each time that it has mapped the page.
constexpr int kMaxFaultsPerAccess = 64;

bool Allows(const TlbEntry& entry, Access access) {
  PageFlags needed = PageFlags::kUser | FlagsNeeded(access);
  // The first write through a clean entry walks again, to set the dirty bit in the table.
  if (access == Access::kWrite) needed = needed | PageFlags::kDirty;
  return HasAll(entry.property.flags, needed);
}

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
  SoftTlb& tlb = machine_.tlb().soft_tlb(pin);
  const uint64_t tag = tlb_context().tag();
  for (int faults = 0; faults < kMaxFaultsPerAccess; ++faults) {
    if (std::optional<TlbEntry> hit = tlb.Lookup(tag, va); hit && Allows(*hit, access)) return *hit;
    HardwareWalkResult walk;
    {
      RcuReadGuard section(machine_.rcu(), pin);
      walk = HardwareWalk(*table_, section, va, access);
      if (walk.fault == WalkFault::kNone) {
        const Translation& found = walk.translation;
        // A huge page enters the TLB in base pages, as on processors that break them up: each then
        // has the generation of its own frame to be checked against.
        TlbEntry entry;
        entry.page = va.AlignDown(kPageSize);
        entry.bytes = kPageSize;
        entry.frame = found.address.AlignDown(kPageSize);
        entry.property = found.item.property;
        // order: relaxed; the section keeps the frame, and with it its generation, as it is.
        entry.frame_generation = machine_.frames().slot(entry.frame).generation.load(sync::relaxed);
        tlb.Insert(tag, entry);
        return entry;
      }
    }
    if (absl::Status status = Fault(pin, va, access, walk.fault); !status.ok()) return status;
  }
  return absl::AbortedError(
      absl::StrFormat("the access at %#x faulted %d times although its handler reported success",
                      va.value(), kMaxFaultsPerAccess));
}

namespace {

AccessResult Complete(Machine& machine, const TlbEntry& entry, VirtAddr va,
                      std::optional<uint64_t> store) {
  auto* word =
      reinterpret_cast<uint64_t*>(machine.frames().Data(entry.frame) + va.value() % kPageSize);
  AccessResult result;
  result.frame = entry.frame;
  result.generation_at_fill = entry.frame_generation;
  // order: relaxed, both; user memory is shared as its users agree, and promises nothing by itself.
  if (store) {
    sync::AtomicRef<uint64_t>(*word).store(*store, sync::relaxed);
    result.value = *store;
  } else {
    result.value = sync::AtomicRef<uint64_t>(*word).load(sync::relaxed);
  }
  // order: acquire, so that the look follows the access; it pairs with the bump when a frame is
  // freed.
  result.generation_now = machine.frames().slot(entry.frame).generation.load(sync::acquire);
  return result;
}

}  // namespace

absl::StatusOr<AccessResult> VmSpace::Load(const CpuPin& pin, VirtAddr va) {
  if (absl::Status status = CheckAccess(pin, va); !status.ok()) return status;
  absl::StatusOr<TlbEntry> entry = Translate(pin, va, Access::kRead);
  if (!entry.ok()) return entry.status();
  return Complete(machine_, *entry, va, std::nullopt);
}

absl::StatusOr<AccessResult> VmSpace::Store(const CpuPin& pin, VirtAddr va, uint64_t value) {
  if (absl::Status status = CheckAccess(pin, va); !status.ok()) return status;
  absl::StatusOr<TlbEntry> entry = Translate(pin, va, Access::kWrite);
  if (!entry.ok()) return entry.status();
  return Complete(machine_, *entry, va, value);
}

}  // namespace paddock

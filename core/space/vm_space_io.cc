// SPDX-License-Identifier: Apache-2.0
//
// Readers and writers of a space.

#include <utility>

#include "absl/strings/str_format.h"
#include "absl/utility/utility.h"
#include "paddock/core/space/vm_space.h"

namespace paddock {

absl::Status VmSpace::BeginView(const CpuPin& pin, VirtAddr va, uint64_t bytes, ViewKind kind,
                                UserView& view) const {
  if (absl::Status status = CheckActive(pin); !status.ok()) return status;
  // Neither the sum nor the difference can overflow in this order.
  if (va > kUserEnd || bytes > kUserEnd.value() - va.value()) {
    return absl::PermissionDeniedError(
        absl::StrFormat("%u bytes at %#x are not user addresses, which end at %#x", bytes,
                        va.value(), kUserEnd.value()));
  }
  if (view_registry_ == nullptr) return absl::OkStatus();
  absl::StatusOr<uint64_t> begun = view_registry_->BeginView(VirtRange{va, va.Plus(bytes)}, kind);
  if (begun.ok()) view = UserView(*view_registry_, *begun);
  return begun.status();
}

absl::StatusOr<VmReader<Fallible>> VmSpace::Reader(const CpuPin& pin, VirtAddr va, uint64_t bytes) {
  UserView view;
  absl::Status status = BeginView(pin, va, bytes, ViewKind::kReader, view);
  if (!status.ok()) return status;
  return absl::StatusOr<VmReader<Fallible>>(absl::in_place, static_cast<UserMemory&>(*this), pin,
                                            VirtRange{va, va.Plus(bytes)}, std::move(view));
}

absl::StatusOr<VmWriter<Fallible>> VmSpace::Writer(const CpuPin& pin, VirtAddr va, uint64_t bytes) {
  UserView view;
  absl::Status status = BeginView(pin, va, bytes, ViewKind::kWriter, view);
  if (!status.ok()) return status;
  return absl::StatusOr<VmWriter<Fallible>>(absl::in_place, static_cast<UserMemory&>(*this), pin,
                                            VirtRange{va, va.Plus(bytes)}, std::move(view));
}

absl::StatusOr<UserReaderWriter> VmSpace::ReaderWriter(const CpuPin& pin, VirtAddr va,
                                                       uint64_t bytes) {
  UserView view;
  absl::Status status = BeginView(pin, va, bytes, ViewKind::kWriter, view);
  if (!status.ok()) return status;
  const VirtRange range{va, va.Plus(bytes)};
  return absl::StatusOr<UserReaderWriter>(absl::in_place, std::move(view),
                                          VmReader<Fallible>(*this, pin, range, UserView()),
                                          VmWriter<Fallible>(*this, pin, range, UserView()));
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Readers and writers of a space.

#include "absl/strings/str_format.h"
#include "paddock/core/space/vm_space.h"

namespace paddock {

absl::StatusOr<VirtRange> VmSpace::CheckView(const CpuPin& pin, VirtAddr va, uint64_t bytes) const {
  if (absl::Status status = CheckActive(pin); !status.ok()) return status;
  // Neither sum nor difference can overflow in this order.
  if (va > kUserEnd || bytes > kUserEnd.value() - va.value()) {
    return absl::PermissionDeniedError(
        absl::StrFormat("%u bytes at %#x are not user addresses, which end at %#x", bytes,
                        va.value(), kUserEnd.value()));
  }
  return VirtRange{va, va.Plus(bytes)};
}

absl::StatusOr<UserView> VmSpace::BeginView(VirtRange range, ViewKind kind) const {
  if (view_registry_ == nullptr) return UserView();
  absl::StatusOr<uint64_t> view = view_registry_->BeginView(range, kind);
  if (!view.ok()) return view.status();
  return UserView(*view_registry_, *view);
}

absl::StatusOr<VmReader<Fallible>> VmSpace::Reader(const CpuPin& pin, VirtAddr va, uint64_t bytes) {
  absl::StatusOr<VirtRange> range = CheckView(pin, va, bytes);
  if (!range.ok()) return range.status();
  absl::StatusOr<UserView> view = BeginView(*range, ViewKind::kReader);
  if (!view.ok()) return view.status();
  return VmReader<Fallible>(*this, pin, *range, *std::move(view));
}

absl::StatusOr<VmWriter<Fallible>> VmSpace::Writer(const CpuPin& pin, VirtAddr va, uint64_t bytes) {
  absl::StatusOr<VirtRange> range = CheckView(pin, va, bytes);
  if (!range.ok()) return range.status();
  absl::StatusOr<UserView> view = BeginView(*range, ViewKind::kWriter);
  if (!view.ok()) return view.status();
  return VmWriter<Fallible>(*this, pin, *range, *std::move(view));
}

absl::StatusOr<UserReaderWriter> VmSpace::ReaderWriter(const CpuPin& pin, VirtAddr va,
                                                       uint64_t bytes) {
  absl::StatusOr<VirtRange> range = CheckView(pin, va, bytes);
  if (!range.ok()) return range.status();
  absl::StatusOr<UserView> view = BeginView(*range, ViewKind::kWriter);
  if (!view.ok()) return view.status();
  return UserReaderWriter(*std::move(view), VmReader<Fallible>(*this, pin, *range, UserView()),
                          VmWriter<Fallible>(*this, pin, *range, UserView()));
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/view_ledger.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/spec/abstract_table.h"

namespace paddock {
namespace {

const char* NameOf(ViewKind kind) { return kind == ViewKind::kReader ? "reader" : "writer"; }

}  // namespace

ViewLedger::ViewLedger(MemView total, ReaderSharing sharing)
    : total_(std::move(total)), sharing_(sharing), remaining_(total_) {}

ViewLedger::~ViewLedger() {
  SpinLockGuard guard(lock_);
  for (const auto& [id, view] : views_) {
    PADDOCK_CHECK(!view.active, absl::StrCat(NameOf({id}, view), " outlives its space"));
  }
}

std::string ViewLedger::NameOf(ViewId id, const View& view) {
  return absl::StrFormat("%s %u of %s", paddock::NameOf(view.kind), id.value, Describe(view.range));
}

absl::StatusOr<ViewLedger::View*> ViewLedger::Find(ViewId id) {
  const auto it = views_.find(id.value);
  if (it != views_.end()) return &it->second;
  return absl::NotFoundError(absl::StrFormat("there is no view %u", id.value));
}

absl::Status ViewLedger::CheckFree(VirtRange range, ViewKind kind, ReaderSharing sharing) const {
  const bool among_readers = kind == ViewKind::kReader && sharing == ReaderSharing::kShared;
  const std::optional<uint64_t> other =
      active_.FirstOverlap(range, [&](uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
        return !among_readers || views_.at(id).kind == ViewKind::kWriter;
      });
  if (!other) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat("a %s of %s overlaps %s, which is active",
                                                       paddock::NameOf(kind), Describe(range),
                                                       NameOf({*other}, views_.at(*other))));
}

absl::StatusOr<ViewId> ViewLedger::CreateLocked(VirtRange range, ViewKind kind) {
  if (range.IsReversed()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("range %s of a %s is reversed", Describe(range), paddock::NameOf(kind)));
  }
  // The specification lets readers be created over each other, whether or not they may be active at
  // the same time.
  absl::Status free = CheckFree(range, kind, ReaderSharing::kShared);
  if (!free.ok()) return free;
  const ViewId id{++last_id_};
  views_.emplace(id.value, View{.range = range, .kind = kind});
  return id;
}

absl::Status ViewLedger::ActivateLocked(ViewId id) {
  absl::StatusOr<View*> found = Find(id);
  if (!found.ok()) return found.status();
  View& view = **found;
  if (view.active) {
    return absl::FailedPreconditionError(absl::StrCat(NameOf(id, view), " is active already"));
  }
  if (absl::Status free = CheckFree(view.range, view.kind, sharing_); !free.ok()) return free;
  if (const auto hole = remaining_.addresses().FirstAbsent(view.range)) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s cannot be active: the space's view has no %#x", NameOf(id, view), hole->value()));
  }
  view.held = view.kind == ViewKind::kWriter ? remaining_.TakeOut(view.range)
                                             : remaining_.Borrow(view.range);
  view.active = true;
  active_.Insert(view.range, id.value);
  CheckChanged();
  return absl::OkStatus();
}

absl::Status ViewLedger::DisposeLocked(ViewId id) {
  absl::StatusOr<View*> found = Find(id);
  if (!found.ok()) return found.status();
  View& view = **found;
  if (!view.active) {
    return absl::FailedPreconditionError(absl::StrCat(NameOf(id, view), " is not active"));
  }
  active_.Erase(view.range, id.value);
  const MemView given_back = std::exchange(view.held, MemView());
  if (view.kind == ViewKind::kWriter) remaining_.GiveBack(given_back);
  view.active = false;
  CheckChanged();
  return absl::OkStatus();
}

absl::Status ViewLedger::RemoveLocked(ViewId id) {
  absl::StatusOr<View*> found = Find(id);
  if (!found.ok()) return found.status();
  if ((*found)->active) {
    return absl::FailedPreconditionError(
        absl::StrCat(NameOf(id, **found), " is active and cannot be removed"));
  }
  views_.erase(id.value);
  return absl::OkStatus();
}

absl::StatusOr<ViewId> ViewLedger::Create(VirtRange range, ViewKind kind) {
  SpinLockGuard guard(lock_);
  return CreateLocked(range, kind);
}
absl::Status ViewLedger::Activate(ViewId id) {
  SpinLockGuard guard(lock_);
  return ActivateLocked(id);
}
absl::Status ViewLedger::Dispose(ViewId id) {
  SpinLockGuard guard(lock_);
  return DisposeLocked(id);
}
absl::Status ViewLedger::Remove(ViewId id) {
  SpinLockGuard guard(lock_);
  return RemoveLocked(id);
}

absl::StatusOr<uint64_t> ViewLedger::BeginView(VirtRange range, ViewKind kind) {
  SpinLockGuard guard(lock_);
  const absl::StatusOr<ViewId> id = CreateLocked(range, kind);
  if (!id.ok()) return id.status();
  if (absl::Status active = ActivateLocked(*id); !active.ok()) {
    views_.erase(id->value);
    return active;
  }
  return id->value;
}

void ViewLedger::EndView(uint64_t view) {
  SpinLockGuard guard(lock_);
  absl::Status ended = DisposeLocked(ViewId{view});
  if (ended.ok()) ended = RemoveLocked(ViewId{view});
  PADDOCK_CHECK(ended.ok(), ended.message());
}

ViewOwner ViewLedger::OwnerLocked() const {
  ViewOwner owner{.total = total_, .remaining = remaining_, .sharing = sharing_};
  for (const auto& [id, view] : views_) {
    if (!view.active) continue;
    auto& held = view.kind == ViewKind::kReader ? owner.readers : owner.writers;
    held.push_back({view.range, view.held});
  }
  return owner;
}

ViewOwner ViewLedger::Owner() const {
  SpinLockGuard guard(lock_);
  return OwnerLocked();
}

void ViewLedger::CheckChanged() const {
  if constexpr (kContractsChecked) {
    const absl::Status held = CheckViewOwner(OwnerLocked());
    PADDOCK_CHECK(held.ok(), held.message());
  }
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Who reads and who writes which part of a space, and the discipline that they keep: a writer
// overlaps nobody, readers overlap each other only where sharing is allowed. After VmSpaceOwner of
// the Asterinas address space (seed 003; core/spec/view_owner.h is the state it describes).
//
//   ViewLedger ledger(MemView(mappings), ReaderSharing::kShared);
//   absl::StatusOr<ViewId> writer = ledger.Create(range, ViewKind::kWriter);
//   RETURN_IF_ERROR(ledger.Activate(*writer));     // takes the view of `range` out of the ledger
//   RETURN_IF_ERROR(ledger.Dispose(*writer));      // gives it back; may be activated again
//   RETURN_IF_ERROR(ledger.Remove(*writer));
//
// The ledger starts with a total view: addresses, and what they translate to. An active writer has
// its part of it, an active reader borrows its part, and what no writer has remains. Only active
// views are in anybody's way; creating one looks whether it could be activated, as the
// specification's can_create_reader and can_create_writer do, and activating looks again.
//
// VmSpace keeps one over its user addresses if told to, and registers its readers and writers.
//
// Thread safety: every function from any thread. Failure: FAILED_PRECONDITION if a rule is broken,
// with both ranges named, or if the view is not in the state that the call needs; NOT_FOUND if it
// was removed or never created. Nothing has changed then. In checked builds every change checks the
// whole state (CheckViewOwner). Cost: a lock, logarithmic in the number of active views, plus
// linear in those that overlap and in the runs of the total view that the range touches.

#ifndef PADDOCK_CORE_SPACE_VIEW_LEDGER_H_
#define PADDOCK_CORE_SPACE_VIEW_LEDGER_H_

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/core/io/user_memory.h"
#include "paddock/core/space/range_index.h"
#include "paddock/core/spec/mem_view.h"
#include "paddock/core/spec/view_owner.h"

namespace paddock {

// Names a view in its ledger; never used again.
struct ViewId {
  uint64_t value = 0;

  friend bool operator==(ViewId, ViewId) = default;
};

class ViewLedger final : public ViewRegistry {
 public:
  ViewLedger(MemView total, ReaderSharing sharing);
  // No view may be active any more (checked).
  ~ViewLedger();
  ViewLedger(const ViewLedger&) = delete;
  ViewLedger& operator=(const ViewLedger&) = delete;

  // A new view of `range`, not active. INVALID_ARGUMENT: the range is reversed.
  // FAILED_PRECONDITION: it overlaps an active writer, or it is a writer and overlaps an active
  // reader.
  absl::StatusOr<ViewId> Create(VirtRange range, ViewKind kind);

  // Gives the view its part. FAILED_PRECONDITION: as Create; it is a reader, overlaps another one,
  // and sharing is not allowed; an address of its range is not in the total view; it is active.
  absl::Status Activate(ViewId id);

  // Takes the part back. FAILED_PRECONDITION: the view is not active.
  absl::Status Dispose(ViewId id);

  // Forgets the view. FAILED_PRECONDITION: it is active.
  absl::Status Remove(ViewId id);

  // The same for readers and writers that live only while they are active: Create and Activate, or
  // neither; Dispose and Remove, of a view that is active (checked).
  absl::StatusOr<uint64_t> BeginView(VirtRange range, ViewKind kind) override;
  void EndView(uint64_t view) override;

  // A copy of the state, at one moment.
  ViewOwner Owner() const;

 private:
  struct View {
    VirtRange range;
    ViewKind kind;
    bool active = false;
    MemView held = {};  // of nothing, unless active
  };
  using Views = absl::flat_hash_map<uint64_t, View>;

  absl::StatusOr<ViewId> CreateLocked(VirtRange range, ViewKind kind)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  absl::Status ActivateLocked(ViewId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  absl::Status DisposeLocked(ViewId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  absl::Status RemoveLocked(ViewId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  absl::StatusOr<View*> Find(ViewId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // FAILED_PRECONDITION: an active view is in the way of one of `kind`; readers are in the way of
  // readers if `sharing` is kExclusive.
  absl::Status CheckFree(VirtRange range, ViewKind kind, ReaderSharing sharing) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  ViewOwner OwnerLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // Checked builds: the discipline holds.
  void CheckChanged() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  static std::string NameOf(ViewId id, const View& view);

  const MemView total_;
  const ReaderSharing sharing_;

  mutable SpinLock lock_;
  MemView remaining_ ABSL_GUARDED_BY(lock_);
  Views views_ ABSL_GUARDED_BY(lock_);
  // invariant: the ranges of the active views.
  RangeIndex active_ ABSL_GUARDED_BY(lock_);
  uint64_t last_id_ ABSL_GUARDED_BY(lock_) = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_VIEW_LEDGER_H_

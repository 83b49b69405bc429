// SPDX-License-Identifier: Apache-2.0
//
// A cursor that logs what it does and sees, and when, for the serializability oracle.
//
//   RecordedCursor cursor(stream, space);
//   if (!cursor.Open({.range = range}).ok()) return;
//   cursor.Map(MappedFrames(*std::move(frame), kReadWriteUser));
//   cursor.Unmap(length);
//   // closed by the destructor
//
// Thread safety: as the cursor. Failure: the cursor's status; one that is not documented for the
// call is reported, and so is a lack of memory while there is some, or in a call that needs none.
// After a failure other than a refused opening the cursor stands where it stood.
// Cost: over the cursor's own: one reading of the clock and one log record per operation.

#ifndef PADDOCK_STRESS_RECORDED_CURSOR_H_
#define PADDOCK_STRESS_RECORDED_CURSOR_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/core/spec/property_edit.h"
#include "paddock/stress/ops.h"
#include "paddock/stress/stream.h"

namespace paddock {

// Whether a frame was mapped at another page of the space and may still be reached there.
enum class Provenance : uint8_t { kFresh, kMoved };

class RecordedCursor {
 public:
  // How long Wait::kDeadline waits.
  static constexpr uint64_t kDeadlineNs = 200'000;

  RecordedCursor(Stream& stream, const SpaceRef& space) : stream_(stream), space_(space) {}
  RecordedCursor(const RecordedCursor&) = delete;
  RecordedCursor& operator=(const RecordedCursor&) = delete;
  ~RecordedCursor() { Close(); }

  // `how.space` is not looked at.
  absl::Status Open(const OpenOp& how);
  void Close();
  bool open() const { return change_.has_value() || look_.has_value(); }

  // `item` is untouched on an error.
  absl::Status Map(MappedFrames&& item, Provenance provenance = Provenance::kFresh);
  absl::Status Unmap(uint64_t bytes);
  absl::Status Protect(uint64_t bytes, const PropertyEdit& edit);
  absl::Status ProtectNext(uint64_t bytes, const PropertyEdit& edit);
  absl::StatusOr<QueryResult> Query();
  absl::StatusOr<std::optional<VirtAddr>> FindNext(uint64_t bytes);
  absl::Status Jump(VirtAddr to);
  // The item is none if a whole table was taken.
  absl::StatusOr<std::optional<VmSpace::CursorMut::Taken>> TakeNext(uint64_t bytes);
  void Sync();

  VirtAddr virt_addr() { return base().virt_addr(); }
  uint64_t remaining() { return base().remaining(); }
  VirtRange range() { return base().range(); }

 private:
  VmSpace::Cursor& base() { return change_ ? *change_ : *look_; }
  VirtRange Ahead(uint64_t bytes) {
    const VirtAddr start = base().virt_addr();
    return VirtRange{start, VirtAddr(start.value() + bytes)};
  }
  // Whether an operation may have to make page tables.
  enum class Needs : uint8_t { kNothing, kTables };
  // Counts what found no memory for its tables, reports what is not documented; returns the status.
  absl::Status Judge(std::string_view what, Needs needs, VirtRange range, absl::Status status);

  Stream& stream_;
  const SpaceRef& space_;
  std::optional<VmSpace::CursorMut> change_;
  std::optional<VmSpace::Cursor> look_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_RECORDED_CURSOR_H_

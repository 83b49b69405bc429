// SPDX-License-Identifier: Apache-2.0
//
// A shared owner of one frame whose metadata type is known at run time only.
//
//   absl::StatusOr<AnyFrame> any = frames.FromInUse(address);
//   if (any.ok() && any->Is<Untyped>()) {
//     absl::StatusOr<UFrame> frame = std::move(*any).DowncastTo<Untyped>();
//   }
//
// Thread safety: a value; owners of one frame may be used and destroyed by different threads at
// once. Failure: see each function; a handle from which a conversion failed is unchanged. Cost: two
// words; no reference is counted for moves and conversions.

#ifndef PADDOCK_CORE_FRAME_ANY_FRAME_H_
#define PADDOCK_CORE_FRAME_ANY_FRAME_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/frame/frame_table.h"

namespace paddock {

class [[nodiscard]] AnyFrame {
 public:
  // Owns nothing, like a handle that was moved from. Only assignment, destruction and empty() are
  // allowed.
  AnyFrame() = default;
  // Takes the reference over. (Implicit: every typed frame is a frame.)
  template <FrameMeta M>
  AnyFrame(Frame<M>&& frame);  // NOLINT(google-explicit-constructor): defined in frame.h

  AnyFrame(AnyFrame&& other) noexcept
      : frames_(std::exchange(other.frames_, nullptr)), start_(other.start_) {}
  AnyFrame& operator=(AnyFrame&& other) noexcept {
    AnyFrame taken(std::move(other));
    std::swap(frames_, taken.frames_);
    std::swap(start_, taken.start_);
    return *this;
  }
  ~AnyFrame() {
    if (frames_ != nullptr) frames_->Release(FrameRun{start_, 1});
  }

  // Gives up or takes over one shared reference, without touching the count.
  PhysAddr IntoRaw() && {
    PADDOCK_DCHECK(!empty(), "an empty handle owns no reference");
    frames_ = nullptr;
    return start_;
  }
  static AnyFrame FromRaw(FrameTable& frames, PhysAddr start) { return AnyFrame(frames, start); }

  // A second owner. RESOURCE_EXHAUSTED: the count is saturated.
  absl::StatusOr<AnyFrame> Clone() const {
    if (absl::Status status = frames_->AddReference(start_); !status.ok()) return status;
    return AnyFrame(*frames_, start_);
  }

  bool empty() const { return frames_ == nullptr; }
  PhysAddr start() const { return start_; }
  FrameTable& table() const { return *frames_; }
  // order: relaxed; the count is a snapshot, and `kind` cannot change while an owner exists.
  uint32_t reference_count() const { return frames_->slot(start_).ref_count.load(sync::relaxed); }
  const MetaVtable& kind() const { return *frames_->slot(start_).kind.load(sync::relaxed); }

  template <FrameMeta M>
  bool Is() const {
    return &kind() == &MetaVtableOf<M>();
  }
  // FAILED_PRECONDITION: the frame's metadata is of another type.
  template <FrameMeta M>
  absl::StatusOr<Frame<M>> DowncastTo() && {
    if (!Is<M>()) {
      return absl::FailedPreconditionError(absl::StrFormat("frame %#x is used as %s, not as %s",
                                                           start_.value(), kind().name, M::kName));
    }
    FrameTable& frames = *frames_;
    return Frame<M>::FromRaw(frames, std::move(*this).IntoRaw());
  }

 private:
  AnyFrame(FrameTable& frames, PhysAddr start) : frames_(&frames), start_(start) {}

  FrameTable* frames_ = nullptr;
  PhysAddr start_;
};

inline absl::StatusOr<AnyFrame> FrameTable::FromInUse(PhysAddr address) {
  if (absl::Status status = AcquireInUse(address); !status.ok()) return status;
  return AnyFrame::FromRaw(*this, address);
}

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_ANY_FRAME_H_

// SPDX-License-Identifier: Apache-2.0
//
// The only owner of a frame: metadata and contents may be changed freely.
//
//   auto frame = frames.AllocateUnique(DmaBuffer{7}, Zeroing::kZero);
//   frame->meta().device = 8;
//   Frame<DmaBuffer> shared = std::move(*frame).IntoShared();
//   absl::StatusOr<UniqueFrame<DmaBuffer>> again = std::move(shared).IntoUnique();
//
// Thread safety: a value. Failure: see each function. Cost: two words; changing between unique and
// shared is one atomic operation.

#ifndef PADDOCK_CORE_FRAME_UNIQUE_FRAME_H_
#define PADDOCK_CORE_FRAME_UNIQUE_FRAME_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/frame_table.h"

namespace paddock {

template <FrameMeta M>
class [[nodiscard]] UniqueFrame {
 public:
  // Owns nothing, like a handle that was moved from. Only assignment, destruction and empty() are
  // allowed.
  UniqueFrame() = default;
  UniqueFrame(UniqueFrame&& other) noexcept
      : frames_(std::exchange(other.frames_, nullptr)), start_(other.start_) {}
  UniqueFrame& operator=(UniqueFrame&& other) noexcept {
    UniqueFrame taken(std::move(other));
    std::swap(frames_, taken.frames_);
    std::swap(start_, taken.start_);
    return *this;
  }
  ~UniqueFrame() {
    if (frames_ != nullptr) frames_->ReleaseUnique(start_);
  }

  // Gives up or takes over the unique ownership, without touching the count. Precondition of
  // FromRaw: the caller owns it, and the frame's metadata is of type M.
  PhysAddr IntoRaw() && {
    PADDOCK_DCHECK(!empty(), "an empty handle owns no frame");
    frames_ = nullptr;
    return start_;
  }
  static UniqueFrame FromRaw(FrameTable& frames, PhysAddr start) {
    return UniqueFrame(frames, start);
  }

  // The same frame with one shared owner.
  Frame<M> IntoShared() && {
    FrameTable& frames = *frames_;
    frames.MakeShared(start_);
    return Frame<M>::FromRaw(frames, std::move(*this).IntoRaw());
  }

  // The same frame used as something else: drops the metadata and makes new. Contents stay.
  template <FrameMeta N>
  UniqueFrame<N> Repurpose(N meta) && {
    FrameTable& frames = *frames_;
    frames.DropUnique(start_);
    std::construct_at(&MetaIn<N>(frames.slot(start_)), std::move(meta));
    frames.Publish(start_, MetaVtableOf<N>(), FrameTable::Ownership::kUnique);
    return UniqueFrame<N>::FromRaw(frames, std::move(*this).IntoRaw());
  }

  bool empty() const { return frames_ == nullptr; }
  PhysAddr start() const { return start_; }
  FrameTable& table() const { return *frames_; }
  M& meta() { return MetaIn<M>(frames_->slot(start_)); }
  const M& meta() const { return MetaIn<M>(frames_->slot(start_)); }
  // The 4 KiB of the frame, of whatever type: the owner is alone with them.
  std::byte* Data() { return frames_->Data(start_); }

 private:
  UniqueFrame(FrameTable& frames, PhysAddr start) : frames_(&frames), start_(start) {}

  FrameTable* frames_ = nullptr;
  PhysAddr start_;
};

template <FrameMeta M>
absl::StatusOr<UniqueFrame<M>> Frame<M>::IntoUnique() && {
  FrameTable& frames = table();
  if (absl::Status status = frames.MakeUnique(start()); !status.ok()) return status;
  return UniqueFrame<M>::FromRaw(frames, std::move(*this).IntoRaw());
}

template <FrameMeta M>
absl::StatusOr<UniqueFrame<M>> FrameTable::AllocateUnique(M meta, Zeroing zeroing) {
  const std::optional<PhysAddr> address = TakeFrame(zeroing);
  if (!address) return NoFrame(1);
  std::construct_at(&MetaIn<M>(slot(*address)), std::move(meta));
  Publish(*address, MetaVtableOf<M>(), Ownership::kUnique);
  return UniqueFrame<M>::FromRaw(*this, *address);
}

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_UNIQUE_FRAME_H_

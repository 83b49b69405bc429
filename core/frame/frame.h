// SPDX-License-Identifier: Apache-2.0
//
// A shared owner of one frame with metadata of type M.
//
//   absl::StatusOr<UFrame> frame = frames.Allocate(Untyped{}, Zeroing::kZero);
//   std::memcpy(frame->Data(), bytes, kPageSize);
//   absl::StatusOr<UFrame> second = frame->Clone();
//   PhysAddr raw = std::move(*second).IntoRaw();          // into a page-table entry, say
//   UFrame back = UFrame::FromRaw(frames, raw);           // and out of it
//
// Thread safety: a value; owners of one frame may be used and destroyed by different threads at
// once. Failure: see each function. Cost: two words; moves count nothing; the last owner's
// destructor frees the frame.

#ifndef PADDOCK_CORE_FRAME_FRAME_H_
#define PADDOCK_CORE_FRAME_FRAME_H_

#include <concepts>
#include <cstddef>
#include <memory>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/core/frame/any_frame.h"
#include "paddock/core/frame/frame_ref.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/untyped_meta.h"

namespace paddock {

template <FrameMeta M>
class [[nodiscard]] Frame {
 public:
  // Owns nothing, like a handle that was moved from. Only assignment, destruction, empty() and
  // BytesOf are allowed.
  Frame() = default;
  Frame(Frame&&) noexcept = default;
  Frame& operator=(Frame&&) noexcept = default;

  // Gives up or takes over one shared reference, without touching the count. Precondition of
  // FromRaw: the caller owns the reference, and the frame's metadata is of type M.
  PhysAddr IntoRaw() && { return std::move(any_).IntoRaw(); }
  static Frame FromRaw(FrameTable& frames, PhysAddr start) {
    AnyFrame any = AnyFrame::FromRaw(frames, start);
    PADDOCK_DCHECK(any.Is<M>(), "a frame is taken for one of another type");
    return Frame(std::move(any));
  }

  // A second owner. RESOURCE_EXHAUSTED: the count is saturated.
  absl::StatusOr<Frame> Clone() const {
    absl::StatusOr<AnyFrame> any = any_.Clone();
    if (!any.ok()) return any.status();
    return Frame(*std::move(any));
  }
  FrameRef<M> Borrow() const ABSL_ATTRIBUTE_LIFETIME_BOUND { return FrameRef<M>(table(), start()); }

  // Makes this the unique owner. FAILED_PRECONDITION: there are others; the handle is unchanged.
  // Defined in unique_frame.h.
  absl::StatusOr<UniqueFrame<M>> IntoUnique() &&;

  bool empty() const { return any_.empty(); }
  PhysAddr start() const { return any_.start(); }
  uint64_t pages() const { return 1; }
  FrameTable& table() const { return any_.table(); }
  uint32_t reference_count() const { return any_.reference_count(); }
  const M& meta() const { return MetaIn<M>(table().slot(start())); }
  // The 4 KiB of the frame. Owners share them: they agree among themselves who writes.
  std::byte* Data() const
    requires std::same_as<M, Untyped>
  {
    return table().Data(start());
  }

 private:
  friend class AnyFrame;
  explicit Frame(AnyFrame any) : any_(std::move(any)) {}

  AnyFrame any_;
};

template <FrameMeta M>
AnyFrame::AnyFrame(Frame<M>&& frame) : AnyFrame(std::move(frame.any_)) {}

template <FrameMeta M>
absl::StatusOr<Frame<M>> FrameTable::Allocate(M meta, Zeroing zeroing) {
  const std::optional<PhysAddr> address = TakeFrame(zeroing);
  if (!address) return NoFrame(1);
  std::construct_at(&MetaIn<M>(slot(*address)), std::move(meta));
  Publish(*address, MetaVtableOf<M>(), Ownership::kShared);
  return Frame<M>::FromRaw(*this, *address);
}

template <FrameMeta M>
absl::StatusOr<Frame<M>> FrameTable::FromUnused(PhysAddr address, M meta) {
  if (absl::Status status = TakeFrameAt(address); !status.ok()) return status;
  std::construct_at(&MetaIn<M>(slot(address)), std::move(meta));
  Publish(address, MetaVtableOf<M>(), Ownership::kShared);
  return Frame<M>::FromRaw(*this, address);
}

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_FRAME_H_

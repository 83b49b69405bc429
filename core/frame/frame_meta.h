// SPDX-License-Identifier: Apache-2.0
//
// Metadata types: what a frame is used as, and up to 8 bytes of data about it, stored in its slot.
//
//   struct DmaBuffer {
//     static constexpr const char* kName = "DMA buffer";
//     uint64_t device;
//     ~DmaBuffer();                       // runs once, when the last owner lets the frame go
//   };
//   static_assert(FrameMeta<DmaBuffer>);
//   absl::StatusOr<Frame<DmaBuffer>> frame = frames.Allocate(DmaBuffer{7}, Zeroing::kZero);
//
// A type whose frames own other things may declare `static void Drop(FrameTable&, PhysAddr,
// MetaSlot&)`; it runs right before the destructor. Both run on whatever thread released the last
// reference, possibly in a reclamation callback: they must not allocate frames and must not wait.
//
// Shared owners see the metadata as const; a type whose data changes under them uses atomics.

#ifndef PADDOCK_CORE_FRAME_FRAME_META_H_
#define PADDOCK_CORE_FRAME_FRAME_META_H_

#include <concepts>
#include <memory>
#include <new>
#include <type_traits>

#include "paddock/core/frame/meta_slot.h"

namespace paddock {

template <typename M>
concept FrameMeta =
    std::is_object_v<M> && sizeof(M) <= sizeof(MetaSlot::payload) && alignof(M) <= 8 &&
    std::is_nothrow_move_constructible_v<M> && std::is_nothrow_destructible_v<M> && requires {
      { M::kName } -> std::convertible_to<const char*>;
    };

// The metadata in a slot. Precondition: the slot's kind is M.
template <FrameMeta M>
M& MetaIn(MetaSlot& slot) {
  return *std::launder(reinterpret_cast<M*>(slot.payload));
}

namespace internal {

template <FrameMeta M>
void DropMeta(FrameTable& frames, PhysAddr address, MetaSlot& slot) {
  if constexpr (requires { M::Drop(frames, address, slot); }) M::Drop(frames, address, slot);
  std::destroy_at(&MetaIn<M>(slot));
}

// Null if dropping M does nothing.
template <FrameMeta M>
constexpr auto DropOf() -> decltype(MetaVtable::drop) {
  constexpr bool kHasDrop = requires(FrameTable& frames, PhysAddr address, MetaSlot& slot) {
    M::Drop(frames, address, slot);
  };
  return kHasDrop || !std::is_trivially_destructible_v<M> ? &DropMeta<M> : nullptr;
}

template <FrameMeta M>
inline constexpr MetaVtable kMetaVtable{M::kName, DropOf<M>()};

}  // namespace internal

// The object whose address identifies M.
template <FrameMeta M>
constexpr const MetaVtable& MetaVtableOf() {
  return internal::kMetaVtable<M>;
}

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_FRAME_META_H_

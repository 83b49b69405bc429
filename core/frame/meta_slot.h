// SPDX-License-Identifier: Apache-2.0
//
// What is known about one 4 KiB frame: 64 bytes, one cache line, in an array indexed by frame
// number.
//
//   MetaSlot& slot = frames.slot(address);
//   if (slot.ref_count.load(sync::acquire) != kRefUnused) { /* in use as slot.kind says */ }
//
// Slots are never freed: a slot may be looked at after its frame was recycled, if what was seen is
// then validated. Zeroed memory is an array of slots of unused frames, so an array for tens of GiB
// of physical memory costs only what is touched. Allocating a frame does not write `level`,
// `stray`, `lock`, `waiters`, `occupancy` and `identity`: whoever makes a page-table node
// initialises them, and a claim that still waits on a recycled slot finds its mark where it left
// it.
//
// Thread safety: each field says what protects it. Cost: one cache line per frame that is touched.

#ifndef PADDOCK_CORE_FRAME_META_SLOT_H_
#define PADDOCK_CORE_FRAME_META_SLOT_H_

#include <cstddef>
#include <cstdint>

#include "paddock/arch/address.h"
#include "paddock/concurrency/sync.h"

namespace paddock {

class FrameTable;
struct MetaSlot;

// What a frame is used as; one constant object per metadata type (`MetaVtableOf` in frame_meta.h),
// so its address identifies the type.
struct MetaVtable {
  const char* name;
  // Runs when the last reference is gone and before the frame is free, exactly once, with exclusive
  // access to slot and frame. May release other frames; must not allocate. Null: nothing to do.
  void (*drop)(FrameTable& frames, PhysAddr address, MetaSlot& slot);
};

// The states of `MetaSlot::ref_count`; everything between kRefUnused and kRefBusy counts shared
// owners.
inline constexpr uint32_t kRefUnused = 0;
inline constexpr uint32_t kRefBusy = 0xffff'fffe;  // being built or dropped
inline constexpr uint32_t kRefUnique = 0xffff'ffff;

// Bits of `MetaSlot::flags`.
inline constexpr uint8_t kSlotAccessed = 1;
inline constexpr uint8_t kSlotDirty = 2;

struct alignas(64) MetaSlot {
  // Written by anyone, with read-modify-write operations, or by the one owner in states kRefBusy
  // and kRefUnique. Who moves it from kRefUnused to kRefBusy was given the frame by the allocator,
  // or has dropped the last reference and not given the frame back yet.
  sync::Atomic<uint32_t> ref_count;

  // Page-table nodes: written by the creator before publication; read by anyone.
  sync::Atomic<uint8_t> level;
  // Page-table nodes: written by whoever holds every granule; read by a holder of any granule.
  sync::Atomic<uint8_t> stray;
  // Set by any owner, never cleared while the frame is in use; written 0 when it is allocated.
  sync::Atomic<uint8_t> flags;
  // 0, or 1 + the order of the free block that starts here. Protected by the buddy allocator's
  // lock.
  uint8_t order;

  // Null while unused. Written by who builds or drops the frame, published by the release that ends
  // building; read by owners.
  sync::Atomic<const MetaVtable*> kind;

  // Page-table nodes: a bit per claimed granule whose lock has not moved (granule_lock.h); changed
  // with read-modify-write operations by anyone.
  sync::Atomic<uint64_t> lock;
  // A bit per granule that somebody waits for; changed under the lock of the waiters' queue, read
  // by who releases granules (sequentially consistent against the granule's lock).
  sync::Atomic<uint64_t> waiters;
  // Page-table nodes: a bit per granule that may hold an entry; each written by its granule's
  // holder, read by anyone as a hint.
  sync::Atomic<uint64_t> occupancy;
  // Page-table nodes: written by the creator before publication; read by anyone.
  sync::Atomic<uint64_t> identity;

  // How often the frame became unused, modulo 2^32. Written by who drops it; read by
  // anyone.
  sync::Atomic<uint32_t> generation;
  uint32_t spare;

  // The metadata object while in use: written by owners as its type allows. Of page-table nodes: a
  // bit per granule whose lock has moved, set by its holder, read under a claim or in a section.
  // While the frame is the start of a free block, the block's links: protected by the buddy
  // allocator's lock.
  alignas(8) std::byte payload[8];
};

static_assert(sizeof(MetaSlot) == 64 && alignof(MetaSlot) == 64);

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_META_SLOT_H_

// SPDX-License-Identifier: Apache-2.0
//
// Where frames come from: blocks of 2^order frames of 4 KiB, aligned to their size.
// `BuddyAllocator` is the standard one; another one may wrap or replace it
// (`FrameTable::Options::wrap_allocator`).
//
//   if (std::optional<PhysAddr> block = allocator.Allocate(9)) {   // 2 MiB
//     allocator.Free(*block, 9);                                   // or in any aligned pieces
//   }
//
// Thread safety: every function from any thread. Failure: nullopt when there is no such block;
// never waits for memory to come back. A block's contents are left from its last use.

#ifndef PADDOCK_CORE_FRAME_FRAME_ALLOCATOR_H_
#define PADDOCK_CORE_FRAME_FRAME_ALLOCATOR_H_

#include <cstdint>
#include <optional>

#include "paddock/arch/address.h"

namespace paddock {

// The largest block: 1 GiB.
inline constexpr int kMaxFrameOrder = 18;

class FrameAllocator {
 public:
  virtual ~FrameAllocator() = default;

  // Precondition: 0 <= order <= kMaxFrameOrder.
  virtual std::optional<PhysAddr> Allocate(int order) = 0;

  // Takes the free frame at `address`. False if it is not free, or is where this allocator cannot
  // take single frames from (a per-CPU cache). Precondition: `address` is that of a frame of this
  // allocator.
  virtual bool AllocateAt(PhysAddr address) = 0;

  // Gives back an aligned block, all of whose frames were allocated, together or not.
  virtual void Free(PhysAddr block, int order) = 0;

  // Frames that could be allocated one by one. Exact when no call is in progress.
  virtual uint64_t free_pages() const = 0;

  // The most frames that were ever in use at once. Frames in per-CPU caches may be counted as used.
  virtual uint64_t peak_used_pages() const = 0;

  // Empties per-CPU caches, so that free neighbours become large blocks again. Precondition: no
  // other call is in progress, and what other threads did here happened before.
  virtual void DrainMagazines() {}
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_FRAME_ALLOCATOR_H_

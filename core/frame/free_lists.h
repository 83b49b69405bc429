// SPDX-License-Identifier: Apache-2.0
//
// The binary buddy system itself: free blocks of 2^order frames by order, split on demand and
// merged with their buddies when they return. A block's buddy is the other half of the aligned
// block of twice its size.
//
// Free blocks form doubly linked lists through the payloads of their first frames' slots;
// `MetaSlot::order` says that a free block starts there. Slots inside a block are not touched.
//
// Thread safety: none, the caller locks. Cost: O(orders) per call. Frames are counted from the
// first one of the memory, which need not be aligned to more than a frame; blocks are aligned by
// physical address.

#ifndef PADDOCK_CORE_FRAME_FREE_LISTS_H_
#define PADDOCK_CORE_FRAME_FREE_LISTS_H_

#include <array>
#include <cstdint>
#include <optional>

#include "paddock/core/frame/frame_allocator.h"
#include "paddock/core/frame/meta_slot.h"

namespace paddock {

class FreeLists {
 public:
  // `first_page` is the physical page number of frame 0; `slots` has one slot per frame.
  FreeLists(MetaSlot* slots, uint64_t first_page, uint32_t frames);

  // Puts every frame in, in the largest aligned blocks. To be called once.
  void InsertAll();

  // A block of 2^order frames, from the smallest free block that has one, at its low end.
  std::optional<uint32_t> Take(int order);
  // A block of at most `most` frames, above 0, from the smallest free block: as many of Take(0) at
  // once.
  struct Block {
    uint32_t start;
    int order;
  };
  std::optional<Block> TakeUpTo(uint32_t most);
  // The single frame, if it is inside a free block.
  bool TakeFrame(uint32_t frame);
  // Puts an aligned block in and merges it with free buddies. Stops the process if it is free
  // already.
  void Insert(uint32_t block, int order);

 private:
  static constexpr uint32_t kNone = 0xffff'ffff;
  struct Links {
    uint32_t next;
    uint32_t previous;
  };

  bool IsFreeBlock(uint32_t block, int order) const {
    return slots_[block].order == static_cast<uint8_t>(order + 1);
  }
  // The block's buddy; kNone if that is not wholly inside the memory.
  uint32_t Buddy(uint32_t block, int order) const;
  Links LinksOf(uint32_t block) const;
  void SetLinks(uint32_t block, Links links);
  void Push(uint32_t block, int order);
  void Remove(uint32_t block, int order);

  MetaSlot* const slots_;
  const uint64_t first_page_;
  const uint32_t frames_;
  std::array<uint32_t, kMaxFrameOrder + 1> heads_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_FREE_LISTS_H_

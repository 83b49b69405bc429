// SPDX-License-Identifier: Apache-2.0
//
// The free blocks of more than one frame that a CPU gave back last: it gets them again, and with
// them the slots that are in its cache.
//
// Thread safety: any thread, for the allocator takes from every CPU's shelf when it has nothing
// else. Cost: a lock that only the owner takes as a rule, and a look at up to kMaxBlocks blocks.

#ifndef PADDOCK_CORE_FRAME_BLOCK_SHELF_H_
#define PADDOCK_CORE_FRAME_BLOCK_SHELF_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/free_lists.h"

namespace paddock {

class BlockShelf {
 public:
  // What an unaligned run of 512 frames falls into.
  static constexpr uint32_t kMaxBlocks = 18;

  // order: relaxed; a statistic, and a hint whether the lock is worth its price. What was put in
  // before the caller's call is seen.
  uint32_t frames() const { return frames_.load(sync::relaxed); }

  // False if the block makes more than `most` frames, or more than kMaxBlocks blocks.
  bool Put(FreeLists::Block block, uint32_t most) {
    const uint32_t size = uint32_t{1} << block.order;
    SpinLockGuard guard(lock_);
    if (count_ == kMaxBlocks || frames() + size > most) return false;
    blocks_[count_++] = block;
    SetFrames(frames() + size);
    return true;
  }

  // The block of at most 2^`most` frames that was put in last, and of no fewer than 2^`least`.
  std::optional<FreeLists::Block> Take(int least, int most) {
    if (frames() == 0) return std::nullopt;
    SpinLockGuard guard(lock_);
    for (uint32_t i = count_; i-- > 0;) {
      const FreeLists::Block found = blocks_[i];
      if (found.order < least || found.order > most) continue;
      blocks_[i] = blocks_[--count_];
      SetFrames(frames() - (uint32_t{1} << found.order));
      return found;
    }
    return std::nullopt;
  }

  // Empties the shelf into `lists`. Returns the number of frames.
  uint32_t MoveTo(FreeLists& lists) {
    if (frames() == 0) return 0;
    SpinLockGuard guard(lock_);
    while (count_ > 0) {
      const FreeLists::Block block = blocks_[--count_];
      lists.Insert(block.start, block.order);
    }
    const uint32_t moved = frames();
    SetFrames(0);
    return moved;
  }

 private:
  // order: relaxed, as in frames().
  void SetFrames(uint32_t frames) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    frames_.store(frames, sync::relaxed);
  }

  SpinLock lock_;
  // invariant: written under `lock_`; read by anyone.
  sync::Atomic<uint32_t> frames_{0};
  uint32_t count_ ABSL_GUARDED_BY(lock_) = 0;
  std::array<FreeLists::Block, kMaxBlocks> blocks_ ABSL_GUARDED_BY(lock_);
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_BLOCK_SHELF_H_

// SPDX-License-Identifier: Apache-2.0
//
// The free blocks of more than one frame that a CPU gave back last: it gets them again, and with
// them the slots that are in its cache. Buddies merge, so that a run that was taken in pieces does
// not stay in pieces (of two frames and more).
//
// Thread safety: any thread, for the allocator takes from every CPU's shelf when it has nothing
// else. Cost: a lock that only the owner takes as a rule, and a look at up to kMaxBlocks blocks,
// once more for each merge.

#ifndef PADDOCK_CORE_FRAME_BLOCK_SHELF_H_
#define PADDOCK_CORE_FRAME_BLOCK_SHELF_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"

namespace paddock {

class BlockShelf {
 public:
  // A run of 512 frames falls into ten blocks at most, of which eight have more than one frame.
  static constexpr uint32_t kMaxBlocks = 16;

  // 2^order frames, aligned to their size.
  struct Block {
    PhysAddr start;
    int order = 0;

    uint32_t frames() const { return uint32_t{1} << order; }
    friend bool operator==(const Block&, const Block&) = default;
  };

  // order: relaxed; a statistic, and a hint whether the lock is worth its price. What was put in
  // before the caller's call is seen.
  uint32_t frames() const { return frames_.load(sync::relaxed); }

  // Puts the block in and merges it with buddies, up to blocks of `largest` frames. False if there
  // would be more than twice as many frames, or if there are kMaxBlocks blocks.
  bool Put(Block block, uint32_t largest) {
    SpinLockGuard guard(lock_);
    if (count_ == kMaxBlocks || frames() + block.frames() > 2 * largest) return false;
    SetFrames(frames() + block.frames());
    while (2 * block.frames() <= largest) {
      const Block buddy{PhysAddr(block.start.value() ^ (kPageSize << block.order)), block.order};
      if (!TakeOut(buddy)) break;
      block = Block{std::min(block.start, buddy.start), block.order + 1};
    }
    blocks_[count_++] = block;
    return true;
  }

  // One of the smallest blocks of order `least` to `most`.
  std::optional<Block> Take(int least, int most) {
    if (frames() == 0) return std::nullopt;
    SpinLockGuard guard(lock_);
    uint32_t best = count_;
    for (uint32_t i = 0; i < count_; ++i) {
      const int order = blocks_[i].order;
      if (order < least || order > most) continue;
      if (best == count_ || order <= blocks_[best].order) best = i;
    }
    if (best == count_) return std::nullopt;
    const Block found = blocks_[best];
    blocks_[best] = blocks_[--count_];
    SetFrames(frames() - found.frames());
    return found;
  }

  // Copies all blocks to `blocks` and forgets them. Returns how many there were.
  uint32_t TakeAll(std::array<Block, kMaxBlocks>& blocks) {
    if (frames() == 0) return 0;
    SpinLockGuard guard(lock_);
    blocks = blocks_;
    SetFrames(0);
    return std::exchange(count_, 0);
  }

 private:
  // Whether it was there.
  bool TakeOut(Block block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    for (uint32_t i = 0; i < count_; ++i) {
      if (blocks_[i] != block) continue;
      blocks_[i] = blocks_[--count_];
      return true;
    }
    return false;
  }
  // order: relaxed, as in frames().
  void SetFrames(uint32_t frames) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    frames_.store(frames, sync::relaxed);
  }

  SpinLock lock_;
  // invariant: written under `lock_`; read by anyone.
  sync::Atomic<uint32_t> frames_{0};
  uint32_t count_ ABSL_GUARDED_BY(lock_) = 0;
  std::array<Block, kMaxBlocks> blocks_ ABSL_GUARDED_BY(lock_);
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_BLOCK_SHELF_H_

// SPDX-License-Identifier: Apache-2.0
//
// The standard frame allocator: a binary buddy system under one lock, with caches of single frames
// and of blocks per CPU in front of it.
//
//   BuddyAllocator allocator(slots, memory.range(), cpus);
//   std::optional<PhysAddr> frame = allocator.Allocate(0);
//
// The cache of single frames is a pair of magazines per CPU, used by the thread that is pinned
// there, without a lock: single frames come from the loaded one and return to it; the pair is
// exchanged when one is empty or full, and only then does a whole magazine come from or go to the
// buddy system. Two of them, so that a thread that allocates and frees in turn at the border does
// not take the lock each time (J. Bonwick, J. Adams, "Magazines and Vmem", USENIX 2001). Threads
// without a CPU use the buddy system directly.
//
// Blocks of more frames, up to a magazine full, wait on the CPU's shelf for the next request of
// that size, or fill a magazine. So a CPU that maps and unmaps goes on using the frames, and the
// slots, that it has in its cache. A shelf has a lock: whoever finds too little in the buddy system
// empties one shelf after the other into it, where blocks merge, so that no allocation fails for
// what lies on a shelf all the while.
//
// Free blocks are linked through the slots of their first frames; no other memory is written, and
// creating the allocator touches one slot per block.
//
// Thread safety: every function from any thread; DrainMagazines needs quiet. Failure: nullopt.
// Frames in the magazines of other CPUs are not found: at most an eighth of the memory, usually
// 1,024 frames per CPU. Frames in those of the calling CPU are given back before an allocation
// fails. Cost: a few nanoseconds for a single frame on a pinned CPU, an uncontended lock for a
// block from its shelf, all of it on lines of that CPU; otherwise the lock that all share and up to
// kMaxFrameOrder splits or merges; under that lock a look at the shelf of every CPU before an
// allocation fails.

#ifndef PADDOCK_CORE_FRAME_BUDDY_ALLOCATOR_H_
#define PADDOCK_CORE_FRAME_BUDDY_ALLOCATOR_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/block_shelf.h"
#include "paddock/core/frame/frame_allocator.h"
#include "paddock/core/frame/free_lists.h"
#include "paddock/core/frame/magazine.h"
#include "paddock/core/frame/meta_slot.h"

namespace paddock {

class BuddyAllocator final : public FrameAllocator {
 public:
  // All frames of `memory`, which is aligned to 4 KiB, are free; `slots` describes them, is zero,
  // and outlives the allocator, as does `cpus`. Precondition: at most 2^32 - 2 frames.
  BuddyAllocator(MetaSlot* slots, PhysRange memory, CpuRegistry& cpus);
  BuddyAllocator(const BuddyAllocator&) = delete;
  BuddyAllocator& operator=(const BuddyAllocator&) = delete;

  std::optional<PhysAddr> Allocate(int order) override;
  bool AllocateAt(PhysAddr address) override;
  void Free(PhysAddr block, int order) override;
  uint64_t free_pages() const override;
  uint64_t peak_used_pages() const override;
  void DrainMagazines() override;

 private:
  // A number that changes under the lock and is read without it as a statistic.
  class Gauge {
   public:
    // order: relaxed, both; writers are ordered by the lock, readers rely on nothing else.
    uint64_t Get() const { return value_.load(sync::relaxed); }
    void Set(uint64_t value) { value_.store(value, sync::relaxed); }

   private:
    sync::Atomic<uint64_t> value_{0};
  };

  // All but the usual cases, which thus need no stack frame.
  std::optional<PhysAddr> AllocateSlow(int order);
  void FreeBlock(PhysAddr block, int order);
  void FreeShared(PhysAddr block, int order);
  // Loads a magazine that is not full. Precondition: the loaded one is.
  void MakeRoom(MagazinePair& pair);
  enum class Shelves : uint8_t { kLeave, kEmpty };
  std::optional<PhysAddr> AllocateShared(int order, Shelves shelves);
  // How many frames a CPU takes at once. When memory runs short, the last ones are not hidden in
  // one CPU's magazine.
  uint32_t Wanted() const;
  void Refill(CpuId cpu, Magazine& magazine);
  // Returns the number of frames.
  uint32_t RefillFromShelf(CpuId cpu, Magazine& magazine, uint32_t wanted);
  void Flush(Magazine& magazine);
  void Reclaim(CpuId cpu);
  // Empties shelves into the lists, from that of the CPU `next` on, until there was anything in
  // one; `next` is then the one behind it. False: in none.
  bool ClearNextShelf(uint32_t& next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool Clear(BlockShelf& shelf) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void CountTaken(uint64_t frames) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void CountReturned(uint64_t frames) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  PhysAddr AddressOf(uint32_t frame) const {
    return memory_.start.Plus(uint64_t{frame} << kPageBits);
  }
  uint32_t FrameOf(PhysAddr address) const {
    return static_cast<uint32_t>((address.value() - memory_.start.value()) >> kPageBits);
  }

  const PhysRange memory_;
  const CpuRegistry& cpus_;
  const uint32_t total_;
  const uint32_t magazine_capacity_;
  CpuLocal<MagazinePair> magazines_;
  CpuLocal<BlockShelf> shelves_;

  // Apart from what every allocation reads: who exchanges a magazine disturbs nobody else.
  alignas(kCpuStride) SpinLock lock_;
  FreeLists free_ ABSL_GUARDED_BY(lock_);
  // invariant: written under `lock_`; read by anyone.
  Gauge shared_free_;
  Gauge peak_used_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_BUDDY_ALLOCATOR_H_

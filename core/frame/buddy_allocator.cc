// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/frame/buddy_allocator.h"

#include <algorithm>
#include <bit>

#include "paddock/concurrency/check.h"

namespace paddock {
namespace {

// Two magazines per CPU hold at most an eighth of the memory together.
uint32_t MagazineCapacity(uint32_t frames, uint32_t cpus) {
  return std::min(Magazine::kMaxCapacity, frames / 16 / cpus);
}

// Neighbours come out in ascending order, as they are mostly mapped.
void Fill(Magazine& magazine, uint32_t start, uint32_t frames) {
  while (frames-- > 0) magazine.Push(start + frames);
}

}  // namespace

BuddyAllocator::BuddyAllocator(MetaSlot* slots, PhysRange memory, CpuRegistry& cpus)
    : memory_(memory),
      cpus_(cpus),
      total_(static_cast<uint32_t>(memory.size() >> kPageBits)),
      magazine_capacity_(MagazineCapacity(total_, cpus.size())),
      magazines_(cpus),
      shelves_(cpus),
      free_(slots, memory.start.PageNumber(), total_) {
  SpinLockGuard guard(lock_);
  free_.InsertAll();
  shared_free_.Set(total_);
}

std::optional<PhysAddr> BuddyAllocator::Allocate(int order) {
  PADDOCK_DCHECK(order >= 0 && order <= kMaxFrameOrder, "no such block order");
  if (order != 0) return AllocateSlow(order);
  const std::optional<CpuId> cpu = cpus_.CurrentCpu();
  if (!cpu) return AllocateSlow(order);
  Magazine& magazine = magazines_.At(*cpu).loaded();
  if (magazine.count() == 0) [[unlikely]]
    return AllocateSlow(order);
  return AddressOf(magazine.Pop());
}

std::optional<PhysAddr> BuddyAllocator::AllocateSlow(int order) {
  const std::optional<CpuId> cpu = cpus_.CurrentCpu();
  if (order == 0 && cpu && magazine_capacity_ > 0) {
    MagazinePair& pair = magazines_.At(*cpu);
    pair.Exchange();
    if (pair.loaded().count() == 0) Refill(*cpu, pair.loaded());
    if (pair.loaded().count() == 0) return std::nullopt;
    return AddressOf(pair.loaded().Pop());
  }
  if (cpu) {
    if (const auto kept = shelves_.At(*cpu).Take(order, order)) return kept->start;
  }
  if (const auto block = AllocateShared(order, Shelves::kLeave)) return block;
  if (cpu) Reclaim(*cpu);
  return AllocateShared(order, Shelves::kEmpty);
}

std::optional<PhysAddr> BuddyAllocator::AllocateShared(int order, Shelves shelves) {
  SpinLockGuard guard(lock_);
  std::optional<uint32_t> block = free_.Take(order);
  for (uint32_t next = 0; !block && shelves == Shelves::kEmpty && ClearNextShelf(next);) {
    block = free_.Take(order);
  }
  if (!block) return std::nullopt;
  CountTaken(uint64_t{1} << order);
  return AddressOf(*block);
}

bool BuddyAllocator::AllocateAt(PhysAddr address) {
  SpinLockGuard guard(lock_);
  const uint32_t frame = FrameOf(address);
  bool taken = free_.TakeFrame(frame);
  for (uint32_t next = 0; !taken && ClearNextShelf(next);) taken = free_.TakeFrame(frame);
  if (taken) CountTaken(1);
  return taken;
}

void BuddyAllocator::Free(PhysAddr block, int order) {
  PADDOCK_DCHECK(order >= 0 && order <= kMaxFrameOrder, "no such block order");
  PADDOCK_DCHECK(block.IsAligned(kPageSize << order), "a freed block is not aligned to its size");
  PADDOCK_DCHECK(memory_.Contains(PhysRange{block, block.Plus(kPageSize << order)}),
                 "a freed block is not in the memory");
  if (order != 0) return FreeBlock(block, order);
  const std::optional<CpuId> cpu = cpus_.CurrentCpu();
  if (!cpu || magazine_capacity_ == 0) return FreeShared(block, order);
  MagazinePair& pair = magazines_.At(*cpu);
  if (pair.loaded().count() >= magazine_capacity_) [[unlikely]]
    MakeRoom(pair);
  pair.loaded().Push(FrameOf(block));
}

void BuddyAllocator::FreeBlock(PhysAddr block, int order) {
  const std::optional<CpuId> cpu = cpus_.CurrentCpu();
  if (!cpu || uint64_t{1} << order > magazine_capacity_) return FreeShared(block, order);
  BlockShelf& shelf = shelves_.At(*cpu);
  while (!shelf.Put({block, order}, magazine_capacity_)) {
    SpinLockGuard guard(lock_);
    Clear(shelf);
  }
}

void BuddyAllocator::FreeShared(PhysAddr block, int order) {
  SpinLockGuard guard(lock_);
  free_.Insert(FrameOf(block), order);
  CountReturned(uint64_t{1} << order);
}

void BuddyAllocator::MakeRoom(MagazinePair& pair) {
  if (pair.previous().count() >= magazine_capacity_) Flush(pair.previous());
  pair.Exchange();
}

uint32_t BuddyAllocator::Wanted() const {
  const uint64_t share = shared_free_.Get() / (uint64_t{2} * cpus_.size()) + 1;
  return static_cast<uint32_t>(std::min<uint64_t>(magazine_capacity_, share));
}

void BuddyAllocator::Refill(CpuId cpu, Magazine& magazine) {
  if (RefillFromShelf(cpu, magazine, Wanted()) != 0) return;
  SpinLockGuard guard(lock_);
  uint32_t taken = 0;
  for (uint32_t next = 0, wanted = Wanted(); taken < wanted;) {
    const std::optional<FreeLists::Block> block = free_.TakeUpTo(wanted - taken);
    if (!block) {
      if (taken > 0 || !ClearNextShelf(next)) break;
      wanted = Wanted();
      continue;
    }
    const uint32_t frames = uint32_t{1} << block->order;
    Fill(magazine, block->start, frames);
    taken += frames;
  }
  CountTaken(taken);
}

uint32_t BuddyAllocator::RefillFromShelf(CpuId cpu, Magazine& magazine, uint32_t wanted) {
  uint32_t taken = 0;
  while (taken < wanted) {
    const int most = std::bit_width(wanted - taken) - 1;
    const std::optional<BlockShelf::Block> block = shelves_.At(cpu).Take(0, most);
    if (!block) break;
    Fill(magazine, FrameOf(block->start), block->frames());
    taken += block->frames();
  }
  return taken;
}

void BuddyAllocator::Flush(Magazine& magazine) {
  SpinLockGuard guard(lock_);
  const uint32_t count = magazine.count();
  while (magazine.count() > 0) free_.Insert(magazine.Pop(), 0);
  CountReturned(count);
}

void BuddyAllocator::Reclaim(CpuId cpu) {
  MagazinePair& pair = magazines_.At(cpu);
  if (pair.count() == 0) return;
  Flush(pair.loaded());
  Flush(pair.previous());
}

bool BuddyAllocator::ClearNextShelf(uint32_t& next) {
  while (next < shelves_.size()) {
    if (Clear(shelves_.At(CpuId{next++}))) return true;
  }
  return false;
}

bool BuddyAllocator::Clear(BlockShelf& shelf) {
  std::array<BlockShelf::Block, BlockShelf::kMaxBlocks> blocks;
  const uint32_t count = shelf.TakeAll(blocks);
  uint32_t frames = 0;
  for (uint32_t i = 0; i < count; ++i) {
    free_.Insert(FrameOf(blocks[i].start), blocks[i].order);
    frames += blocks[i].frames();
  }
  CountReturned(frames);
  return count != 0;
}

void BuddyAllocator::CountTaken(uint64_t frames) {
  const uint64_t free = shared_free_.Get() - frames;
  shared_free_.Set(free);
  if (const uint64_t used = total_ - free; used > peak_used_.Get()) {
    peak_used_.Set(used);
  }
}

void BuddyAllocator::CountReturned(uint64_t frames) {
  shared_free_.Set(shared_free_.Get() + frames);
}

uint64_t BuddyAllocator::free_pages() const {
  uint64_t free = shared_free_.Get();
  for (uint32_t cpu = 0; cpu < magazines_.size(); ++cpu) {
    free += magazines_.At(CpuId{cpu}).count() + shelves_.At(CpuId{cpu}).frames();
  }
  return free;
}

uint64_t BuddyAllocator::peak_used_pages() const { return peak_used_.Get(); }

void BuddyAllocator::DrainMagazines() {
  for (uint32_t cpu = 0; cpu < magazines_.size(); ++cpu) Reclaim(CpuId{cpu});
  SpinLockGuard guard(lock_);
  for (uint32_t next = 0; ClearNextShelf(next);) {
  }
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/frame/buddy_allocator.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/concurrency/cpu.h"

namespace paddock {
namespace {

struct Buddy {
  explicit Buddy(uint32_t pages, uint32_t cpu_count = 2, uint64_t base = 0)
      : slots(std::make_unique<MetaSlot[]>(pages)),
        cpus(cpu_count),
        allocator(slots.get(), PhysRange{PhysAddr(base), PhysAddr(base + pages * kPageSize)},
                  cpus) {}

  CpuPin Pin(uint32_t cpu) { return *cpus.Pin(CpuId{cpu}); }
  std::vector<PhysAddr> TakeAll() {
    std::vector<PhysAddr> taken;
    while (std::optional<PhysAddr> frame = allocator.Allocate(0)) taken.push_back(*frame);
    return taken;
  }

  std::unique_ptr<MetaSlot[]> slots;
  CpuRegistry cpus;
  BuddyAllocator allocator;
};

TEST(BuddyAllocatorTest, EveryFrameIsHandedOutOnce) {
  Buddy buddy(1000, 2, 0x5000);
  const std::vector<PhysAddr> taken = buddy.TakeAll();
  EXPECT_EQ(std::set<PhysAddr>(taken.begin(), taken.end()).size(), 1000u);
  EXPECT_EQ(taken.size(), 1000u);
  EXPECT_EQ(buddy.allocator.free_pages(), 0u);
  EXPECT_EQ(buddy.allocator.peak_used_pages(), 1000u);
}

TEST(BuddyAllocatorTest, APinnedCpuCanTakeEveryFrameToo) {
  Buddy buddy(1000);
  const CpuPin pin = buddy.Pin(1);
  const std::vector<PhysAddr> taken = buddy.TakeAll();
  EXPECT_EQ(std::set<PhysAddr>(taken.begin(), taken.end()).size(), 1000u);
  for (PhysAddr frame : taken) buddy.allocator.Free(frame, 0);
  EXPECT_EQ(buddy.allocator.free_pages(), 1000u);
}

TEST(BuddyAllocatorTest, BlocksAreAlignedByPhysicalAddress) {
  Buddy buddy(1024, 2, 0x3000);
  for (int order = 0; order <= 9; ++order) {
    const std::optional<PhysAddr> block = buddy.allocator.Allocate(order);
    if (order == 9) {
      // [0x3000, 0x403000) has one aligned block of 512 frames, at 0x200000.
      ASSERT_TRUE(block.has_value());
    }
    ASSERT_TRUE(block.has_value()) << "order " << order;
    EXPECT_TRUE(block->IsAligned(kPageSize << order)) << std::hex << block->value();
  }
}

TEST(BuddyAllocatorTest, AFreedFrameIsReusedByItsCpu) {
  Buddy buddy(4096);
  const CpuPin pin = buddy.Pin(0);
  const std::optional<PhysAddr> frame = buddy.allocator.Allocate(0);
  buddy.allocator.Free(*frame, 0);
  EXPECT_EQ(buddy.allocator.Allocate(0), frame);
}

TEST(BuddyAllocatorTest, SteadyUseOfOneCpuLeavesTheSharedListsAlone) {
  Buddy buddy(4096);
  const CpuPin pin = buddy.Pin(0);
  std::vector<PhysAddr> held;
  held.reserve(32);
  for (int i = 0; i < 32; ++i) held.push_back(*buddy.allocator.Allocate(0));
  // The peak counts what left the shared lists: a second refill would raise it.
  const uint64_t peak = buddy.allocator.peak_used_pages();
  for (int round = 0; round < 1000; ++round) {
    for (PhysAddr& frame : held) buddy.allocator.Free(frame, 0);
    for (PhysAddr& frame : held) frame = *buddy.allocator.Allocate(0);
  }
  EXPECT_EQ(buddy.allocator.peak_used_pages(), peak);
}

TEST(BuddyAllocatorTest, ALargeBlockIsMadeFromTheCallersMagazines) {
  Buddy buddy(1024);
  const CpuPin pin = buddy.Pin(0);
  const std::optional<PhysAddr> frame = buddy.allocator.Allocate(0);
  buddy.allocator.Free(*frame, 0);
  const std::optional<PhysAddr> all = buddy.allocator.Allocate(10);
  ASSERT_TRUE(all.has_value());
  buddy.allocator.Free(*all, 10);
}

TEST(BuddyAllocatorTest, ALargeBlockHeldUpByAnotherCpuNeedsADrain) {
  Buddy buddy(1024);
  {
    const CpuPin pin = buddy.Pin(1);
    const std::optional<PhysAddr> frame = buddy.allocator.Allocate(0);
    buddy.allocator.Free(*frame, 0);
  }
  {
    const CpuPin pin = buddy.Pin(0);
    EXPECT_EQ(buddy.allocator.Allocate(10), std::nullopt);
  }
  EXPECT_EQ(buddy.allocator.free_pages(), 1024u);
  buddy.allocator.DrainMagazines();
  EXPECT_TRUE(buddy.allocator.Allocate(10).has_value());
}

TEST(BuddyAllocatorTest, AFreedBlockIsReusedByItsCpu) {
  Buddy buddy(4096);
  std::optional<PhysAddr> block;
  {
    const CpuPin pin = buddy.Pin(0);
    block = buddy.allocator.Allocate(4);
    buddy.allocator.Free(*block, 4);
  }
  {
    const CpuPin pin = buddy.Pin(1);
    EXPECT_NE(buddy.allocator.Allocate(4), block);
  }
  const CpuPin pin = buddy.Pin(0);
  EXPECT_EQ(buddy.allocator.Allocate(4), block);
}

TEST(BuddyAllocatorTest, AFreedBlockServesSingleFramesOfItsCpu) {
  Buddy buddy(4096);
  const CpuPin pin = buddy.Pin(0);
  const std::optional<PhysAddr> block = buddy.allocator.Allocate(4);
  buddy.allocator.Free(*block, 4);
  const uint64_t peak = buddy.allocator.peak_used_pages();
  for (uint64_t page = 0; page < 16; ++page) {
    EXPECT_EQ(buddy.allocator.Allocate(0), block->Plus(page * kPageSize));
  }
  EXPECT_EQ(buddy.allocator.peak_used_pages(), peak);
}

TEST(BuddyAllocatorTest, SteadyUseOfBlocksLeavesTheSharedListsAlone) {
  Buddy buddy(4096);
  const CpuPin pin = buddy.Pin(0);
  const std::optional<PhysAddr> block = buddy.allocator.Allocate(5);
  const uint64_t peak = buddy.allocator.peak_used_pages();
  for (int round = 0; round < 100; ++round) {
    buddy.allocator.Free(*block, 5);
    EXPECT_EQ(buddy.allocator.Allocate(5), block);
  }
  EXPECT_EQ(buddy.allocator.peak_used_pages(), peak);
}

TEST(BuddyAllocatorTest, PiecesOfABlockThatACpuKeepsMerge) {
  // The memory begins where no block of 16 frames does.
  Buddy buddy(4096, 2, 0x3000);
  const CpuPin pin = buddy.Pin(0);
  const std::optional<PhysAddr> block = buddy.allocator.Allocate(4);
  const uint64_t peak = buddy.allocator.peak_used_pages();
  for (const uint64_t page : {8u, 2u, 4u, 12u, 0u, 6u, 10u, 14u}) {
    buddy.allocator.Free(block->Plus(page * kPageSize), 1);
  }
  EXPECT_EQ(buddy.allocator.Allocate(4), block);
  EXPECT_EQ(buddy.allocator.peak_used_pages(), peak);
}

TEST(BuddyAllocatorTest, BlocksKeptByAnotherCpuAreFound) {
  constexpr uint32_t kPages = 4096;
  Buddy buddy(kPages);
  const auto keep_some = [&] {
    const CpuPin pin = buddy.Pin(1);
    std::vector<PhysAddr> blocks(4);
    for (PhysAddr& block : blocks) block = *buddy.allocator.Allocate(5);
    for (PhysAddr block : blocks) buddy.allocator.Free(block, 5);
    EXPECT_EQ(buddy.allocator.free_pages(), kPages);
  };
  keep_some();
  {
    const CpuPin pin = buddy.Pin(0);
    const std::optional<PhysAddr> all = buddy.allocator.Allocate(12);
    ASSERT_TRUE(all.has_value()) << "a large block, which they are a part of";
    buddy.allocator.Free(*all, 12);
  }
  keep_some();
  {
    const CpuPin pin = buddy.Pin(0);
    const std::vector<PhysAddr> taken = buddy.TakeAll();
    EXPECT_EQ(taken.size(), kPages) << "single frames";
    for (PhysAddr frame : taken) buddy.allocator.Free(frame, 0);
  }
  buddy.allocator.DrainMagazines();
  keep_some();
  for (uint64_t page = 0; page < kPages; ++page) {
    EXPECT_TRUE(buddy.allocator.AllocateAt(PhysAddr(page * kPageSize))) << "a chosen frame";
  }
}

TEST(BuddyAllocatorTest, MoreBlocksThanACpuKeepsGoBack) {
  Buddy buddy(4096);
  const CpuPin pin = buddy.Pin(0);
  for (const int order : {1, 3, 7}) {
    std::vector<PhysAddr> blocks(24);
    for (PhysAddr& block : blocks) block = *buddy.allocator.Allocate(order);
    for (PhysAddr block : blocks) buddy.allocator.Free(block, order);
    EXPECT_EQ(buddy.allocator.free_pages(), 4096u);
  }
  EXPECT_TRUE(buddy.allocator.Allocate(12).has_value());
}

TEST(BuddyAllocatorTest, MagazinesOfOneCpuHideAtMostAnEighthOfTheMemory) {
  for (const uint32_t pages : {8u, 64u, 1024u, 65536u}) {
    for (const uint32_t cpus : {1u, 4u, 64u}) {
      Buddy buddy(pages, cpus);
      for (uint32_t cpu = 0; cpu < cpus; ++cpu) {
        const CpuPin pin = buddy.Pin(cpu);
        std::vector<PhysAddr> held(pages / cpus / 2);
        for (PhysAddr& frame : held) frame = *buddy.allocator.Allocate(0);
        for (PhysAddr frame : held) buddy.allocator.Free(frame, 0);
      }
      EXPECT_EQ(buddy.allocator.free_pages(), pages);
      EXPECT_GE(buddy.TakeAll().size(), pages - pages / 8)
          << pages << " pages, " << cpus << " CPUs";
    }
  }
}

TEST(BuddyAllocatorTest, AChosenFrameIsCutOutOfItsBlock) {
  Buddy buddy(1024);
  EXPECT_TRUE(buddy.allocator.AllocateAt(PhysAddr(0x123000)));
  EXPECT_FALSE(buddy.allocator.AllocateAt(PhysAddr(0x123000)));
  EXPECT_EQ(buddy.allocator.free_pages(), 1023u);
  EXPECT_EQ(buddy.allocator.Allocate(10), std::nullopt);
  buddy.allocator.Free(PhysAddr(0x123000), 0);
  EXPECT_TRUE(buddy.allocator.Allocate(10).has_value());
}

}  // namespace
}  // namespace paddock

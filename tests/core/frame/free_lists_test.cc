// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/frame/free_lists.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/core/frame/frame_world.h"

namespace paddock {
namespace {

struct Lists {
  Lists(uint64_t first_page, uint32_t frames)
      : slots(std::make_unique<MetaSlot[]>(frames)), lists(slots.get(), first_page, frames) {
    lists.InsertAll();
  }
  std::unique_ptr<MetaSlot[]> slots;
  FreeLists lists;
};

// Frees and allocates blocks at random and compares every step with a map of which frames are free.
class Model {
 public:
  Model(uint64_t first_page, uint32_t frames)
      : first_page_(first_page), free_(frames, true), lists_(first_page, frames) {}

  void Take(int order) {
    const std::optional<uint32_t> block = lists_.lists.Take(order);
    ASSERT_EQ(block.has_value(), HasFreeBlock(order)) << "order " << order;
    if (block) Own(*block, order);
  }
  void TakeUpTo(uint32_t most) {
    const std::optional<FreeLists::Block> block = lists_.lists.TakeUpTo(most);
    ASSERT_EQ(block.has_value(), HasFreeBlock(0)) << "at most " << most;
    if (!block) return;
    ASSERT_LE(uint64_t{1} << block->order, most);
    Own(block->start, block->order);
  }
  void TakeFrame(uint32_t frame) {
    ASSERT_EQ(lists_.lists.TakeFrame(frame), free_[frame]) << "frame " << frame;
    if (free_[frame]) Own(frame, 0);
  }
  // Gives back all of an owned block, or one half of it.
  void GiveBack(std::mt19937_64& random) {
    if (owned_.empty()) return;
    std::swap(owned_[random() % owned_.size()], owned_.back());
    auto [block, order] = owned_.back();
    owned_.pop_back();
    if (order > 0 && random() % 3 == 0) {
      --order;
      owned_.push_back({block, order});
      block += uint32_t{1} << order;
    }
    lists_.lists.Insert(block, order);
    std::fill_n(free_.begin() + block, uint32_t{1} << order, true);
  }
  void GiveBackAll(std::mt19937_64& random) {
    while (!owned_.empty()) GiveBack(random);
  }
  // Every maximal aligned free block is one free block: nothing stays split.
  void ExpectMerged() {
    for (int order = kMaxFrameOrder; order >= 0; --order) {
      ASSERT_EQ(HeadsOf(order), MaximalBlocks(order)) << "order " << order;
    }
  }

 private:
  struct Block {
    uint32_t start;
    int order;
  };

  bool IsFree(uint64_t page, int order) const {
    const uint64_t size = uint64_t{1} << order;
    if (page < first_page_ || page + size > first_page_ + free_.size()) return false;
    const auto from = free_.begin() + static_cast<std::ptrdiff_t>(page - first_page_);
    return std::all_of(from, from + static_cast<std::ptrdiff_t>(size),
                       [](bool free) { return free; });
  }
  template <typename Visit>
  void ForEachAligned(int order, Visit visit) const {
    const uint64_t size = uint64_t{1} << order;
    const uint64_t end = first_page_ + free_.size();
    for (uint64_t page = first_page_ / size * size; page < end; page += size) visit(page);
  }
  bool HasFreeBlock(int order) const {
    bool found = false;
    ForEachAligned(order, [&](uint64_t page) { found = found || IsFree(page, order); });
    return found;
  }
  std::vector<uint64_t> MaximalBlocks(int order) const {
    std::vector<uint64_t> blocks;
    ForEachAligned(order, [&](uint64_t page) {
      const uint64_t parent = page & ~((uint64_t{2} << order) - 1);
      const bool maximal = order == kMaxFrameOrder || !IsFree(parent, order + 1);
      if (IsFree(page, order) && maximal) blocks.push_back(page);
    });
    return blocks;
  }
  std::vector<uint64_t> HeadsOf(int order) const {
    std::vector<uint64_t> blocks;
    for (uint64_t frame = 0; frame < free_.size(); ++frame) {
      if (lists_.slots[frame].order == order + 1) blocks.push_back(first_page_ + frame);
    }
    return blocks;
  }
  void Own(uint32_t block, int order) {
    ASSERT_EQ((first_page_ + block) % (uint64_t{1} << order), 0u) << "not aligned to its size";
    ASSERT_TRUE(IsFree(first_page_ + block, order)) << "handed out twice, or out of bounds";
    std::fill_n(free_.begin() + block, uint32_t{1} << order, false);
    owned_.push_back({block, order});
  }

  const uint64_t first_page_;
  std::vector<bool> free_;
  std::vector<Block> owned_;
  Lists lists_;
};

struct Shape {
  uint64_t first_page;
  uint32_t frames;
};

class FreeListsRandomTest : public ::testing::TestWithParam<Shape> {};

TEST_P(FreeListsRandomTest, AgreesWithAMapOfFreeFrames) {
  const auto [first_page, frames] = GetParam();
  std::mt19937_64 random(TestSeed());
  Model model(first_page, frames);
  ASSERT_NO_FATAL_FAILURE(model.ExpectMerged());
  for (int step = 0; step < 3000; ++step) {
    switch (random() % 6) {
      case 0:
        ASSERT_NO_FATAL_FAILURE(model.TakeFrame(static_cast<uint32_t>(random() % frames)));
        break;
      case 1:
      case 2:
        ASSERT_NO_FATAL_FAILURE(model.Take(static_cast<int>(random() % (random() % 8 + 1))));
        break;
      case 3:
        ASSERT_NO_FATAL_FAILURE(model.TakeUpTo(static_cast<uint32_t>(random() % 40) + 1));
        break;
      default:
        model.GiveBack(random);
    }
    if (step % 100 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(model.ExpectMerged());
  }
  model.GiveBackAll(random);
  ASSERT_NO_FATAL_FAILURE(model.ExpectMerged());
}

INSTANTIATE_TEST_SUITE_P(Shapes, FreeListsRandomTest,
                         ::testing::Values(Shape{0, 256}, Shape{0, 1}, Shape{0, 301}, Shape{1, 255},
                                           Shape{0x80000, 777}, Shape{0x12345, 1000}));

TEST(FreeListsTest, LowAddressesAreUsedFirst) {
  Lists lists(0, 768);
  EXPECT_EQ(lists.lists.Take(8), 512u) << "the smallest block that fits comes before lower ones";
  EXPECT_EQ(lists.lists.Take(0), 0u);
  EXPECT_EQ(lists.lists.Take(0), 1u);
}

TEST(FreeListsTest, FirstBlocksOfHugeMemoryAreTheOnlyOnesTouched) {
  Lists lists(0, (1u << kMaxFrameOrder) * 3);
  uint32_t heads = 0;
  for (uint32_t frame = 0; frame < (1u << kMaxFrameOrder) * 3; ++frame) {
    heads += lists.slots[frame].order != 0;
  }
  EXPECT_EQ(heads, 3u);
}

TEST(FreeListsDeathTest, FreeingAFreeBlockStops) {
  Lists lists(0, 16);
  EXPECT_DEATH(lists.lists.Insert(0, 4), "freed again");
}

}  // namespace
}  // namespace paddock

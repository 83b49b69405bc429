// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/frame/segment.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/core/frame/frame_world.h"
#include "paddock/tests/support/moved_from.h"

namespace paddock {
namespace {

struct Numbered {
  static constexpr const char* kName = "numbered";
  uint64_t number;
};

PhysAddr Page(const USegment& segment, uint64_t index) {
  return segment.start().Plus(index * kPageSize);
}

class SegmentTest : public ::testing::Test {
 protected:
  USegment Allocate(uint64_t pages) {
    return *world_.frames().AllocateSegment(pages, 1, Untyped{}, Zeroing::kLeave);
  }
  FrameWorld world_{{.pages = 2048}};
};

TEST_F(SegmentTest, HasExactlyTheFramesAskedFor) {
  for (const uint64_t pages : {1u, 2u, 3u, 7u, 511u, 512u, 513u}) {
    USegment segment = Allocate(pages);
    EXPECT_EQ(segment.pages(), pages);
    EXPECT_EQ(world_.frames().used_pages(), pages);
    for (uint64_t i = 0; i < pages; ++i) EXPECT_EQ(world_.count(Page(segment, i)), 1u);
  }
  EXPECT_EQ(world_.frames().used_pages(), 0u);
}

TEST_F(SegmentTest, IsAlignedAsAsked) {
  UFrame hole = *world_.frames().Allocate(Untyped{}, Zeroing::kLeave);
  for (const uint64_t align : {1u, 4u, 512u}) {
    USegment segment = *world_.frames().AllocateSegment(3, align, Untyped{}, Zeroing::kLeave);
    EXPECT_TRUE(segment.start().IsAligned(align * kPageSize));
    EXPECT_EQ(world_.frames().used_pages(), 4u);
  }
}

TEST_F(SegmentTest, MetadataIsMadePerFrame) {
  Segment<Numbered> segment = *world_.frames().AllocateSegment<Numbered>(
      4, 1, [](PhysAddr address) { return Numbered{address.value()}; }, Zeroing::kLeave);
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(segment.meta(i).number, segment.start().value() + i * kPageSize);
  }
}

TEST_F(SegmentTest, ZeroedSegmentsAreZero) {
  {
    USegment segment = Allocate(8);
    std::fill_n(segment.Data(), 8 * kPageSize, std::byte{1});
  }
  USegment segment = *world_.frames().AllocateSegment(8, 1, Untyped{}, Zeroing::kZero);
  for (uint64_t i = 0; i < 8 * kPageSize; ++i) ASSERT_EQ(segment.Data()[i], std::byte{0}) << i;
}

TEST_F(SegmentTest, BadRequestsAreRefused) {
  const auto code = [this](uint64_t pages, uint64_t align) {
    return world_.frames()
        .AllocateSegment(pages, align, Untyped{}, Zeroing::kLeave)
        .status()
        .code();
  };
  EXPECT_EQ(code(0, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(1, 0), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(1, 3), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code((1u << 18) + 1, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(1, 1u << 19), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(4096, 1), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(world_.frames().used_pages(), 0u);
}

TEST_F(SegmentTest, SliceSharesItsFrames) {
  USegment segment = Allocate(8);
  {
    USegment slice = *segment.Slice(2, 3);
    EXPECT_EQ(slice.start(), Page(segment, 2));
    EXPECT_EQ(slice.pages(), 3u);
    for (uint64_t i = 0; i < 8; ++i) {
      EXPECT_EQ(world_.count(Page(segment, i)), i >= 2 && i < 5 ? 2u : 1u) << i;
    }
    segment = USegment();
    EXPECT_EQ(world_.frames().used_pages(), 3u);
  }
  EXPECT_EQ(world_.frames().used_pages(), 0u);
}

TEST_F(SegmentTest, SliceOutsideIsRefused) {
  USegment segment = Allocate(8);
  EXPECT_TRUE(segment.Slice(0, 8).ok());
  EXPECT_EQ(segment.Slice(0, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(segment.Slice(8, 1).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(segment.Slice(0, 9).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(segment.Slice(7, ~uint64_t{0}).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(SegmentTest, SplitMovesReferences) {
  USegment segment = Allocate(8);
  const PhysAddr start = segment.start();
  auto [low, high] = *Offer(segment).SplitAt(3);
  EXPECT_TRUE(segment.empty());
  EXPECT_EQ(low.run(), (FrameRun{start, 3}));
  EXPECT_EQ(high.run(), (FrameRun{start.Plus(3 * kPageSize), 5}));
  EXPECT_EQ(world_.count(start), 1u);
  low = USegment();
  EXPECT_EQ(world_.frames().used_pages(), 5u);
}

TEST_F(SegmentTest, SplitThatLeavesNothingIsRefusedAndKeepsTheSegment) {
  USegment segment = Allocate(8);
  EXPECT_EQ(Offer(segment).SplitAt(0).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Offer(segment).SplitAt(8).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(segment.pages(), 8u);
}

TEST_F(SegmentTest, TakingFramesOneByOneYieldsCountedFrames) {
  USegment segment = Allocate(5);
  const PhysAddr start = segment.start();
  std::vector<UFrame> frames;
  while (std::optional<UFrame> frame = segment.TakeFirst()) frames.push_back(*std::move(frame));
  ASSERT_EQ(frames.size(), 5u);
  EXPECT_TRUE(segment.empty());
  for (uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(frames[i].start(), start.Plus(i * kPageSize));
    EXPECT_EQ(frames[i].reference_count(), 1u);
  }
}

TEST_F(SegmentTest, IterationBorrowsFramesThatCanBeCloned) {
  USegment segment = Allocate(4);
  std::vector<UFrame> kept;
  uint64_t index = 0;
  for (FrameRef<Untyped> frame : segment) {
    EXPECT_EQ(frame.start(), Page(segment, index));
    EXPECT_EQ(frame.Data(), segment.Data() + index * kPageSize);
    if (index++ % 2 == 0) kept.push_back(*frame.Clone());
  }
  EXPECT_EQ(index, 4u);
  segment = USegment();
  EXPECT_EQ(world_.frames().used_pages(), 2u);
}

TEST_F(SegmentTest, DropInPartKeepsTheRest) {
  USegment segment = Allocate(8);
  {
    USegment first = *segment.TakeFirst(6);
  }
  EXPECT_EQ(segment.pages(), 2u);
  EXPECT_EQ(world_.frames().used_pages(), 2u);
  EXPECT_EQ(segment.TakeFirst(3).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(segment.TakeFirst(0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(segment.pages(), 2u);
}

TEST_F(SegmentTest, AFrameIsASegmentOfOne) {
  UFrame frame = *world_.frames().Allocate(Untyped{}, Zeroing::kLeave);
  const PhysAddr start = frame.start();
  USegment segment(Offer(frame));
  EXPECT_TRUE(frame.empty());
  EXPECT_EQ(segment.run(), (FrameRun{start, 1}));
  EXPECT_EQ(world_.count(start), 1u);
}

TEST_F(SegmentTest, RawAndBackIsExact) {
  USegment segment = Allocate(5);
  const FrameRun run = Offer(segment).IntoRaw();
  EXPECT_TRUE(segment.empty());
  EXPECT_EQ(world_.frames().used_pages(), 5u);
  USegment back = USegment::FromRaw(world_.frames(), run);
  EXPECT_EQ(back.run(), run);
}

// Remembers what is given back.
class RecordingAllocator final : public FrameAllocator {
 public:
  explicit RecordingAllocator(std::unique_ptr<FrameAllocator> inner) : inner_(std::move(inner)) {}
  std::optional<PhysAddr> Allocate(int order) override { return inner_->Allocate(order); }
  bool AllocateAt(PhysAddr address) override { return inner_->AllocateAt(address); }
  void Free(PhysAddr block, int order) override {
    freed.emplace_back(block.PageNumber(), order);
    inner_->Free(block, order);
  }
  uint64_t free_pages() const override { return inner_->free_pages(); }
  uint64_t peak_used_pages() const override { return inner_->peak_used_pages(); }

  std::vector<std::pair<uint64_t, int>> freed;

 private:
  std::unique_ptr<FrameAllocator> inner_;
};

class SegmentReleaseTest : public ::testing::Test {
 protected:
  SegmentReleaseTest()
      : world_({.pages = 2048, .frames = {.wrap_allocator = [this](auto inner) {
                                 auto recording =
                                     std::make_unique<RecordingAllocator>(std::move(inner));
                                 recording_ = recording.get();
                                 return recording;
                               }}}) {}

  using Freed = std::vector<std::pair<uint64_t, int>>;

  RecordingAllocator* recording_ = nullptr;
  FrameWorld world_;
};

TEST_F(SegmentReleaseTest, AHugeRunGoesBackAsOneBlock) {
  USegment segment = *world_.frames().AllocateSegment(512, 512, Untyped{}, Zeroing::kLeave);
  const uint64_t page = segment.start().PageNumber();
  segment = USegment();
  EXPECT_EQ(recording_->freed, (Freed{{page, 9}}));
}

TEST_F(SegmentReleaseTest, AnUnalignedRunGoesBackInTheLargestAlignedBlocks) {
  USegment segment = *world_.frames().AllocateSegment(16, 16, Untyped{}, Zeroing::kLeave);
  const uint64_t page = segment.start().PageNumber();
  USegment tail = *segment.Slice(13, 3);
  {
    USegment first = *segment.TakeFirst(1);
  }
  recording_->freed.clear();
  segment = USegment();
  EXPECT_EQ(recording_->freed,
            (Freed{{page + 1, 0}, {page + 2, 1}, {page + 4, 2}, {page + 8, 2}, {page + 12, 0}}));
}

TEST_F(SegmentReleaseTest, AFrameThatLivesOnSplitsWhatGoesBack) {
  USegment segment = *world_.frames().AllocateSegment(8, 8, Untyped{}, Zeroing::kLeave);
  const uint64_t page = segment.start().PageNumber();
  UFrame kept = *segment.FrameAt(4);
  segment = USegment();
  EXPECT_EQ(recording_->freed, (Freed{{page, 2}, {page + 5, 0}, {page + 6, 1}}));
}

TEST_F(SegmentReleaseTest, TheTailOfAnOddRequestGoesBackAtOnce) {
  USegment segment = *world_.frames().AllocateSegment(5, 1, Untyped{}, Zeroing::kLeave);
  const uint64_t page = segment.start().PageNumber();
  EXPECT_EQ(recording_->freed, (Freed{{page + 5, 0}, {page + 6, 1}}));
}

}  // namespace
}  // namespace paddock

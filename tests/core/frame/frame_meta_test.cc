// SPDX-License-Identifier: Apache-2.0
//
// Metadata: constructed once per frame, destroyed once, before the frame is free.

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/tests/core/frame/frame_world.h"
#include "paddock/tests/support/moved_from.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;

// Counts the destructions of objects that still own their counter; a moved-from one does not.
struct Counted {
  static constexpr const char* kName = "counted";
  int* destroyed;

  explicit Counted(int* counter) : destroyed(counter) {}
  Counted(Counted&& other) noexcept : destroyed(std::exchange(other.destroyed, nullptr)) {}
  ~Counted() {
    if (destroyed != nullptr) ++*destroyed;
  }
};

// Owns another frame.
struct Parent {
  static constexpr const char* kName = "parent";
  PhysAddr child;
  static inline uint32_t count_in_drop = 0;

  static void Drop(FrameTable& frames, PhysAddr, MetaSlot& slot) {
    count_in_drop = slot.ref_count.load(sync::seq_cst);
    frames.Release(FrameRun{MetaIn<Parent>(slot).child, 1});
  }
};

static_assert(FrameMeta<Counted> && FrameMeta<Parent>);

struct TooLarge {
  [[maybe_unused]] static constexpr const char* kName = "too large";
  uint64_t words[2];
};
struct Nameless {};
struct ThrowingMove {
  [[maybe_unused]] static constexpr const char* kName = "throwing move";
  ThrowingMove(ThrowingMove&&) noexcept(false);
};
static_assert(!FrameMeta<TooLarge> && !FrameMeta<Nameless> && !FrameMeta<ThrowingMove>);

TEST(FrameMetaTest, IsDestroyedOnceByTheLastOwner) {
  FrameWorld world;
  int destroyed = 0;
  {
    Frame<Counted> first = *world.frames().Allocate(Counted(&destroyed), Zeroing::kLeave);
    Frame<Counted> second = *first.Clone();
    {
      AnyFrame third = *world.frames().FromInUse(first.start());
    }
    EXPECT_EQ(destroyed, 0);
  }
  EXPECT_EQ(destroyed, 1);
}

TEST(FrameMetaTest, IsDestroyedOnceThroughEveryKindOfHandle) {
  FrameWorld world;
  int destroyed = 0;
  {
    auto unique = *world.frames().AllocateUnique(Counted(&destroyed), Zeroing::kLeave);
  }
  EXPECT_EQ(destroyed, 1);
  {
    AnyFrame any = *world.frames().Allocate(Counted(&destroyed), Zeroing::kLeave);
  }
  EXPECT_EQ(destroyed, 2);
  {
    auto unique = *world.frames().AllocateUnique(Counted(&destroyed), Zeroing::kLeave);
    Frame<Counted> shared = std::move(unique).IntoShared();
    unique = *std::move(shared).IntoUnique();
    EXPECT_EQ(destroyed, 2);
  }
  EXPECT_EQ(destroyed, 3);
  {
    auto meta_of = [&destroyed](PhysAddr) { return Counted(&destroyed); };
    Segment<Counted> segment =
        *world.frames().AllocateSegment<Counted>(5, 1, meta_of, Zeroing::kLeave);
  }
  EXPECT_EQ(destroyed, 8);
}

TEST(FrameMetaTest, IsDestroyedOnceIfThereIsNoFrame) {
  FrameWorld world({.pages = 1, .cpus = 1});
  int destroyed = 0;
  UFrame only = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  EXPECT_FALSE(world.frames().Allocate(Counted(&destroyed), Zeroing::kLeave).ok());
  EXPECT_EQ(destroyed, 1);
  EXPECT_FALSE(world.frames().AllocateUnique(Counted(&destroyed), Zeroing::kLeave).ok());
  EXPECT_EQ(destroyed, 2);
}

TEST(FrameMetaTest, RepurposingDestroysTheOldMetadataAndKeepsContents) {
  FrameWorld world;
  int destroyed = 0;
  auto counted = *world.frames().AllocateUnique(Counted(&destroyed), Zeroing::kZero);
  counted.Data()[7] = std::byte{9};
  UniqueFrame<Untyped> untyped = Offer(counted).Repurpose(Untyped{});
  EXPECT_EQ(destroyed, 1);
  EXPECT_TRUE(counted.empty());
  EXPECT_EQ(untyped.Data()[7], std::byte{9});
  UFrame shared = std::move(untyped).IntoShared();
  EXPECT_EQ(shared.Data()[7], std::byte{9});
  EXPECT_EQ(destroyed, 1);
}

TEST(FrameMetaTest, IsReachableThroughHandles) {
  FrameWorld world;
  int destroyed = 0;
  int other = 0;
  auto unique = *world.frames().AllocateUnique(Counted(&destroyed), Zeroing::kLeave);
  unique.meta().destroyed = &other;
  Frame<Counted> shared = std::move(unique).IntoShared();
  EXPECT_EQ(shared.meta().destroyed, &other);
  EXPECT_EQ(shared.Borrow().meta().destroyed, &other);
}

TEST(FrameMetaTest, DropMayReleaseOtherFramesWhileTheSlotIsBusy) {
  FrameWorld world;
  UFrame child = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  UFrame clone = *child.Clone();
  {
    Frame<Parent> parent =
        *world.frames().Allocate(Parent{std::move(child).IntoRaw()}, Zeroing::kLeave);
    EXPECT_EQ(clone.reference_count(), 2u);
  }
  EXPECT_EQ(clone.reference_count(), 1u);
  EXPECT_EQ(Parent::count_in_drop, kRefBusy);
}

TEST(FrameMetaTest, AChainOfParentsIsDroppedWhole) {
  FrameWorld world;
  AnyFrame last = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  for (int i = 0; i < 4; ++i) {
    last = *world.frames().Allocate(Parent{std::move(last).IntoRaw()}, Zeroing::kLeave);
  }
  EXPECT_EQ(world.frames().used_pages(), 5u);
  last = AnyFrame();
  EXPECT_EQ(world.frames().used_pages(), 0u);
}

TEST(FrameMetaTest, DowncastToAnotherTypeIsRefusedAndChangesNothing) {
  FrameWorld world;
  int destroyed = 0;
  AnyFrame any = *world.frames().Allocate(Counted(&destroyed), Zeroing::kLeave);
  EXPECT_FALSE(any.Is<Untyped>());
  const absl::Status status = Offer(any).DowncastTo<Untyped>().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("counted"));
  EXPECT_THAT(status.message(), HasSubstr("untyped"));
  EXPECT_FALSE(any.empty());
  EXPECT_EQ(std::move(any).DowncastTo<Counted>()->meta().destroyed, &destroyed);
  EXPECT_EQ(destroyed, 1);
}

TEST(FrameMetaTest, RawFramesStartWithMetadataOfZeros) {
  FrameWorld world({.pages = 1, .cpus = 1});
  int destroyed = 0;
  {
    auto dirty = *world.frames().Allocate(Counted(&destroyed), Zeroing::kLeave);
  }
  const PhysAddr raw = *world.frames().AllocateRaw(MetaVtableOf<Counted>(), Zeroing::kZero);
  EXPECT_EQ(MetaIn<Counted>(world.frames().slot(raw)).destroyed, nullptr);
  EXPECT_EQ(world.count(raw), 1u);
  world.frames().Release(FrameRun{raw, 1});
  EXPECT_EQ(world.frames().slot(raw).kind.load(sync::seq_cst), nullptr);
}

}  // namespace
}  // namespace paddock

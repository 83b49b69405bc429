// SPDX-License-Identifier: Apache-2.0
//
// The count of owners and its transitions: unused, unique, shared, and back.

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/tests/core/frame/frame_world.h"
#include "paddock/tests/support/moved_from.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;

TEST(FrameCountTest, ANewFrameHasOneSharedOwner) {
  FrameWorld world;
  UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  EXPECT_EQ(frame.reference_count(), 1u);
  EXPECT_EQ(world.frames().used_pages(), 1u);
}

TEST(FrameCountTest, ClonesCountAndTheLastOwnerFrees) {
  FrameWorld world;
  UFrame first = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  const PhysAddr address = first.start();
  {
    UFrame second = *first.Clone();
    EXPECT_EQ(second.start(), address);
    EXPECT_EQ(world.count(address), 2u);
    first = UFrame();
    EXPECT_EQ(world.count(address), 1u);
    EXPECT_EQ(world.frames().used_pages(), 1u);
  }
  EXPECT_EQ(world.count(address), kRefUnused);
  EXPECT_EQ(world.frames().used_pages(), 0u);
}

TEST(FrameCountTest, MovesDoNotCount) {
  FrameWorld world;
  UFrame first = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  UFrame second = Offer(first);
  AnyFrame third = Offer(second);
  UFrame fourth = *Offer(third).DowncastTo<Untyped>();
  EXPECT_EQ(fourth.reference_count(), 1u);
  EXPECT_TRUE(first.empty() && second.empty() && third.empty());
}

TEST(FrameCountTest, AssignmentReleasesAtOnceAndEmptiesItsSource) {
  FrameWorld world;
  UFrame first = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  UFrame second = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  first = Offer(second);
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(world.frames().used_pages(), 1u);
}

TEST(FrameCountTest, RawAndBackIsExact) {
  FrameWorld world;
  UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  const PhysAddr raw = Offer(frame).IntoRaw();
  EXPECT_TRUE(frame.empty());
  EXPECT_EQ(world.count(raw), 1u);
  UFrame back = UFrame::FromRaw(world.frames(), raw);
  EXPECT_EQ(back.start(), raw);
  EXPECT_EQ(world.count(raw), 1u);
}

TEST(FrameCountTest, UniqueToSharedAndBack) {
  FrameWorld world;
  UniqueFrame<Untyped> unique = *world.frames().AllocateUnique(Untyped{}, Zeroing::kLeave);
  const PhysAddr address = unique.start();
  EXPECT_EQ(world.count(address), kRefUnique);
  UFrame shared = std::move(unique).IntoShared();
  EXPECT_EQ(world.count(address), 1u);
  UniqueFrame<Untyped> again = *std::move(shared).IntoUnique();
  EXPECT_EQ(world.count(address), kRefUnique);
  EXPECT_EQ(world.frames().used_pages(), 1u);
}

TEST(FrameCountTest, AFrameWithTwoOwnersCannotBecomeUnique) {
  FrameWorld world;
  UFrame first = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  UFrame second = *first.Clone();
  const absl::Status status = Offer(first).IntoUnique().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("2 owners"));
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first.reference_count(), 2u);
}

TEST(FrameCountTest, AUniqueOrUnusedFrameHasNoSecondOwner) {
  FrameWorld world;
  UniqueFrame<Untyped> unique = *world.frames().AllocateUnique(Untyped{}, Zeroing::kLeave);
  EXPECT_EQ(world.frames().FromInUse(unique.start()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(world.count(unique.start()), kRefUnique);
  const PhysAddr unused = unique.start().Plus(kPageSize);
  EXPECT_EQ(world.frames().FromInUse(unused).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(world.count(unused), kRefUnused);
}

TEST(FrameCountTest, FromInUseAddsAnOwner) {
  FrameWorld world;
  UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  AnyFrame any = *world.frames().FromInUse(frame.start());
  EXPECT_EQ(frame.reference_count(), 2u);
  EXPECT_TRUE(any.Is<Untyped>());
}

TEST(FrameCountTest, FromInUseRefusesBadAddresses) {
  FrameWorld world({.pages = 16, .base = PhysAddr(0x10000)});
  EXPECT_EQ(world.frames().FromInUse(PhysAddr(0x10800)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world.frames().FromInUse(PhysAddr(0xf000)).status().code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(world.frames().FromInUse(PhysAddr(0x20000)).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(FrameCountTest, SaturationIsAnErrorThatNamesFrameAndLimit) {
  FrameWorld world({.frames = {.max_references = 3}});
  UFrame first = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  UFrame second = *first.Clone();
  UFrame third = *first.Clone();
  const absl::Status status = first.Clone().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr(absl::StrFormat("%#x", first.start().value())));
  EXPECT_THAT(status.message(), HasSubstr("3"));
  EXPECT_EQ(world.frames().FromInUse(first.start()).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(first.Borrow().Clone().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(first.reference_count(), 3u);
  second = UFrame();
  EXPECT_TRUE(first.Clone().ok());
}

TEST(FrameCountTest, ReferencesToARunAreAddedToAllOrNone) {
  FrameWorld world({.frames = {.max_references = 3}});
  USegment segment = *world.frames().AllocateSegment(8, 1, Untyped{}, Zeroing::kLeave);
  UFrame fifth_twice = *segment.FrameAt(5);
  UFrame fifth_thrice = *segment.FrameAt(5);
  EXPECT_EQ(world.frames().AddReferences(segment.run()).code(),
            absl::StatusCode::kResourceExhausted);
  for (uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(world.count(segment.start().Plus(i * kPageSize)), i == 5 ? 3u : 1u) << i;
  }
  fifth_thrice = UFrame();
  ASSERT_TRUE(world.frames().AddReferences(segment.run()).ok());
  EXPECT_EQ(world.count(segment.start()), 2u);
  world.frames().Release(segment.run());
}

TEST(FrameCountTest, GenerationCountsReuses) {
  FrameWorld world;
  UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  MetaSlot& slot = world.frames().slot(frame.start());
  EXPECT_EQ(slot.generation.load(sync::seq_cst), 0u);
  UFrame clone = *frame.Clone();
  frame = UFrame();
  EXPECT_EQ(slot.generation.load(sync::seq_cst), 0u);
  clone = UFrame();
  EXPECT_EQ(slot.generation.load(sync::seq_cst), 1u);
  {
    auto unique = *world.frames().AllocateUnique(Untyped{}, Zeroing::kLeave);
  }
  EXPECT_EQ(slot.generation.load(sync::seq_cst), 2u);
}

TEST(FrameCountTest, AllocationLeavesTheFieldsOfPageTablesAlone) {
  FrameWorld world;
  PhysAddr address;
  {
    UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
    address = frame.start();
  }
  MetaSlot& slot = world.frames().slot(address);
  slot.lock.store(1, sync::seq_cst);
  slot.waiters.store(2, sync::seq_cst);
  slot.occupancy.store(3, sync::seq_cst);
  slot.identity.store(4, sync::seq_cst);
  UFrame again = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  ASSERT_EQ(again.start(), address);
  EXPECT_EQ(slot.lock.load(sync::seq_cst), 1u);
  EXPECT_EQ(slot.waiters.load(sync::seq_cst), 2u);
  EXPECT_EQ(slot.occupancy.load(sync::seq_cst), 3u);
  EXPECT_EQ(slot.identity.load(sync::seq_cst), 4u);
}

TEST(FrameCountTest, AccessedAndDirtyStickUntilTheFrameIsFree) {
  FrameWorld world;
  USegment segment = *world.frames().AllocateSegment(2, 1, Untyped{}, Zeroing::kLeave);
  MetaSlot& slot = world.frames().slot(segment.start().Plus(kPageSize));
  world.frames().MarkAccessedDirty(segment.run(), PageFlags::kRead);
  EXPECT_EQ(slot.flags.load(sync::seq_cst), 0);
  world.frames().MarkAccessedDirty(segment.run(), PageFlags::kDirty | PageFlags::kRead);
  world.frames().MarkAccessedDirty(segment.run(), PageFlags::kAccessed);
  EXPECT_EQ(slot.flags.load(sync::seq_cst), kSlotAccessed | kSlotDirty);
  segment = USegment();
  USegment again = *world.frames().AllocateSegment(2, 1, Untyped{}, Zeroing::kLeave);
  EXPECT_EQ(slot.flags.load(sync::seq_cst), 0);
}

TEST(FrameCountTest, ZeroedFramesAreZeroAfterTheyHeldSomethingElse) {
  FrameWorld world({.pages = 1, .cpus = 1});
  {
    UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
    std::memset(frame.Data(), 0xa5, kPageSize);
  }
  {
    UFrame left = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
    EXPECT_EQ(left.Data()[kPageSize - 1], std::byte{0xa5});
  }
  UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kZero);
  const std::vector<std::byte> zeros(kPageSize);
  EXPECT_EQ(std::memcmp(frame.Data(), zeros.data(), kPageSize), 0);
}

TEST(FrameCountTest, AFrameInUseIsNeverHandedOutAgain) {
  FrameWorld world({.pages = 64});
  std::vector<UFrame> held;
  held.reserve(64);
  for (int i = 0; i < 64; ++i) held.push_back(*world.frames().Allocate(Untyped{}, Zeroing::kLeave));
  EXPECT_EQ(world.frames().Allocate(Untyped{}, Zeroing::kLeave).status().code(),
            absl::StatusCode::kResourceExhausted);
  std::vector<PhysAddr> starts;
  starts.reserve(held.size());
  for (const UFrame& frame : held) starts.push_back(frame.start());
  std::sort(starts.begin(), starts.end());
  EXPECT_EQ(std::adjacent_find(starts.begin(), starts.end()), starts.end());
}

TEST(FrameCountTest, FramesInUseAreEnumerated) {
  FrameWorld world;
  UFrame one = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  UniqueFrame<Untyped> two = *world.frames().AllocateUnique(Untyped{}, Zeroing::kLeave);
  std::vector<PhysAddr> seen;
  world.frames().ForEachInUse([&](PhysAddr address, const MetaSlot& slot) {
    seen.push_back(address);
    EXPECT_EQ(world.frames().address(slot), address);
  });
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(one.start(), two.start()));
}

TEST(FrameCountTest, TheLimitItselfIsChecked) {
  CpuRegistry cpus(1);
  auto memory = *PhysicalMemory::Anonymous(kPageSize);
  for (const uint32_t limit : {0u, 0x8000'0000u}) {
    FrameTable::Options options;
    options.max_references = limit;
    EXPECT_EQ(FrameTable::Create(*memory, cpus, options).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(FrameCountDeathTest, ReleasingWhatNobodyOwnsStops) {
  FrameWorld world;
  EXPECT_DEATH(world.frames().Release(FrameRun{PhysAddr(0), 1}), "nobody owns");
}

}  // namespace
}  // namespace paddock

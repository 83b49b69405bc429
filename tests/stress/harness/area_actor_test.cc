// SPDX-License-Identifier: Apache-2.0
//
// What a stream does with kernel areas is judged: an access must reach the frame that its area maps
// there, and nothing where the area maps nothing.

#include <cstdint>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/stress/kernel_areas.h"
#include "paddock/tests/stress/harness/one_stream.h"

namespace paddock {
namespace {

using testing::HasSubstr;

World::Options WithAreas() { return {.kernel_areas = 8}; }

TEST(AreaFacts, SplitAnywhereKeepsWhatEachPageMaps) {
  const AreaFacts whole{.start = VirtAddr(0x10000),
                        .pages = 6,
                        .first = 1,
                        .mapped = 3,
                        .id = 9,
                        .kind = AreaKind::kDevice,
                        .physical = PhysAddr(0x5000)};
  for (uint64_t border = 1; border < whole.pages; ++border) {
    AreaFacts before = whole;
    const AreaFacts rest = before.Split(border);
    EXPECT_EQ(before.pages + rest.pages, whole.pages);
    EXPECT_EQ(rest.start, whole.Page(border));
    for (uint64_t page = 0; page < whole.pages; ++page) {
      const AreaFacts& part = page < border ? before : rest;
      const uint64_t there = page < border ? page : page - border;
      ASSERT_EQ(part.Maps(there), whole.Maps(page)) << border << " " << page;
      if (!whole.Maps(page)) continue;
      EXPECT_EQ(part.StampOf(there), whole.StampOf(page)) << border << " " << page;
      EXPECT_EQ(part.PhysicalOf(there), whole.PhysicalOf(page)) << border << " " << page;
    }
  }
}

TEST(AreaActor, EveryKindOfAreaIsAccessedQueriedAndSplit) {
  OneStream one(WithAreas());
  for (const AreaKind kind : {AreaKind::kNothing, AreaKind::kFrames, AreaKind::kSegment,
                              AreaKind::kDevice, AreaKind::kOutside}) {
    for (const AccessKind rights : {AccessKind::kLoad, AccessKind::kStore}) {
      one.Run({CreateAreaOp{.kind = kind, .before = 1, .pages = 3, .behind = 1, .rights = rights}});
      for (uint32_t page = 0; page < 5; ++page) {
        one.Run({AccessAreaOp{0, page, AccessKind::kStore}, AccessAreaOp{0, page},
                 QueryAreaOp{0, page}});
      }
      one.Run({SplitAreaOp{.area = 0, .rest = 1, .page = 1}});
      ASSERT_EQ(one.world().areas().slot(1).facts().pages, 3u);
      for (uint32_t page = 0; page < 3; ++page) {
        for (uint32_t area = 0; area < 2; ++area) {
          one.Run({AccessAreaOp{area, page}, QueryAreaOp{area, page}});
        }
      }
      one.Run({DestroyAreaOp{0, AreaEnd::kDestroy}, DestroyAreaOp{1, AreaEnd::kDestructorOnIdleCpu},
               CheckAreasOp{}});
    }
  }
  one.Close();
  EXPECT_EQ(one.Violations(), "");
}

TEST(AreaActor, AHugePageIsSplitUnderItsArea) {
  OneStream one(WithAreas());
  one.Run({CreateAreaOp{.kind = AreaKind::kSegment, .pages = 512}, QueryAreaOp{0, 100},
           SplitAreaOp{.area = 0, .rest = 1, .page = 99}, AccessAreaOp{0, 99}, AccessAreaOp{1, 0},
           AccessAreaOp{1, 411}, QueryAreaOp{1, 411}, DestroyAreaOp{}});
  one.Close();
  EXPECT_EQ(one.Violations(), "");
}

TEST(AreaActor, AFullWindowIsAnAnswerAndAddressesAreUsedAgain) {
  OneStream one(WithAreas());
  const CreateAreaOp big{.kind = AreaKind::kNothing, .pages = KernelAreas::kWindowPages};
  CreateAreaOp other = big;
  other.area = 1;
  one.Run({big, other});
  EXPECT_EQ(one.stats().window_full, 1u);
  one.Run({DestroyAreaOp{0}, other});
  EXPECT_EQ(one.stats().window_full, 1u);
  EXPECT_EQ(one.stats().reused_pages, KernelAreas::kWindowPages);
  one.Close();
  EXPECT_EQ(one.Violations(), "");
}

TEST(AreaActor, AnAccessThatReachesAFrameOfAnotherAreaIsSeen) {
  OneStream one(WithAreas());
  one.Run({CreateAreaOp{.pages = 2}, AccessAreaOp{0, 1}});
  EXPECT_EQ(one.Violations(), "");
  // As if the CPU had kept the translation that the address had for an area before.
  const AreaFacts facts = one.world().areas().slot(0).facts();
  const absl::StatusOr<AccessResult> loaded =
      one.world().machine().KernelLoad(one.stream().pin(), facts.Page(1));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  one.world().stamps().Write(loaded->frame, MakeStamp(facts.id - 1, VirtAddr(kPageSize)));
  one.Run({AccessAreaOp{0, 1}});
  ASSERT_EQ(one.oracles().sink.count(kTlbOracle), 1u);
  EXPECT_THAT(one.Violations(), HasSubstr("page 1 of a kernel area of 2 pages"));
  EXPECT_THAT(one.Violations(), HasSubstr("which was mapped for page 0x1000 of space "));
  one.Run({QueryAreaOp{0, 1}});
  EXPECT_EQ(one.oracles().sink.count(kSerializabilityOracle), 1u) << "a query sees it as well";
}

TEST(AreaActor, AGuardThatIsReachableIsSeen) {
  OneStream one(WithAreas());
  one.Run({CreateAreaOp{.pages = 2}, AccessAreaOp{0, 1}});
  AreaSlot& slot = one.world().areas().slot(0);
  // The area is said to map one page less than it does.
  AreaFacts facts = slot.facts();
  facts.mapped = 1;
  slot.BeginChange();
  slot.Publish(facts);
  one.Run({AccessAreaOp{0, 1}});
  EXPECT_EQ(one.oracles().sink.count(kTlbOracle), 1u);
  EXPECT_THAT(one.Violations(), HasSubstr("expected NOT_FOUND"));
}

TEST(AreaActor, AnAreaThatNobodyKnowsOfDisturbsTheBooks) {
  OneStream one(WithAreas());
  absl::StatusOr<KVirtArea> kept = KVirtArea::MapUntracked(
      one.world().machine(), one.stream().pin(), kPageSize, 0,
      one.world().areas().Uncounted(AreaKind::kOutside, 1), kReadWriteKernel);
  ASSERT_TRUE(kept.ok()) << kept.status();
  AreaSlot hidden;
  hidden.area = *std::move(kept);
  one.Run({CheckAreasOp{}});
  EXPECT_EQ(one.Violations(), "") << "the store is sound";
  ASSERT_TRUE(hidden.area.Destroy(one.stream().pin()).ok());
  one.Close();
  EXPECT_THAT(one.Violations(), HasSubstr("books: cursors opened")) << "one that no stream counted";
}

}  // namespace
}  // namespace paddock

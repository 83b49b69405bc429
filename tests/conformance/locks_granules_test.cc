// SPDX-License-Identifier: Apache-2.0
//
// "Locks and cursors": who may be inside at the same time, and who may not.

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <random>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

constexpr uint64_t kMiB2 = uint64_t{2} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

class Granules : public TableTest<BareConfig<x86_64::Format4>> {
 protected:
  // Whether cursors over both ranges can be open at once, shown by a meeting inside both.
  bool MeetInside(VirtRange first, VirtRange second) {
    Rendezvous inside(2);
    std::atomic<int> met{0};
    CpuThreads threads(world().cpus());
    const auto visit = [&](const CpuPin& cpu, VirtRange range) {
      const auto cursor = table().OpenCursorMut(
          cpu, range, {.wait = Wait::kDeadline, .deadline_ns = PatienceDeadlineNs()});
      EXPECT_TRUE(IsOk(cursor));
      if (cursor.ok() && inside.Meet()) ++met;
    };
    threads.Run(1, [&](const CpuPin& cpu) { visit(cpu, first); });
    threads.Run(2, [&](const CpuPin& cpu) { visit(cpu, second); });
    threads.Join();
    return met == 2;
  }
  // Whether a cursor over `second` is kept out by one over `first`.
  bool Excludes(VirtRange first, VirtRange second) {
    const CursorMut<Config> cursor = Open(first);
    bool excluded = false;
    CpuThreads threads(world().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      const auto other = table().TryOpenCursorMut(cpu, second);
      excluded = other.status().code() == absl::StatusCode::kUnavailable;
      EXPECT_TRUE(excluded || other.ok()) << other.status();
    });
    threads.Join();
    return excluded;
  }
  // Whether another CPU gets cursors over these ranges, one after the other.
  void ExpectFree(std::initializer_list<VirtRange> ranges) {
    CpuThreads threads(world().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      for (const VirtRange range : ranges) {
        EXPECT_TRUE(IsOk(table().TryOpenCursorMut(cpu, range))) << Describe(range);
      }
    });
  }
  void ExpectBlocked(std::initializer_list<VirtRange> ranges) {
    CpuThreads threads(world().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      for (const VirtRange range : ranges) {
        EXPECT_TRUE(Refused(table().TryOpenCursorMut(cpu, range), absl::StatusCode::kUnavailable,
                            {"locked by another cursor"}))
            << Describe(range);
      }
    });
  }
};

TEST_F(Granules, DisjointOnesOfOneLeafTableAreHeldTogether) {
  EXPECT_TRUE(MeetInside(Pages(0, 8), Pages(8, 8)));
  EXPECT_TRUE(MeetInside(Pages(7, 1), Pages(8, 1)));
  EXPECT_TRUE(MeetInside(Pages(0, 16), Pages(16, 496)));
}

TEST_F(Granules, CursorsThatEachCrossABorderUnderOneUpperNodeAreHeldTogether) {
  const auto crossing = [](uint64_t span, uint64_t entry) {
    return Bytes((entry + 1) * span - kPageSize, 2 * kPageSize);
  };
  EXPECT_TRUE(MeetInside(crossing(kMiB2, 0), crossing(kMiB2, 8)));
  EXPECT_TRUE(MeetInside(crossing(kMiB2, 6), crossing(kMiB2, 8)));
  EXPECT_TRUE(MeetInside(crossing(kGiB, 0), crossing(kGiB, 8)));
}

TEST_F(Granules, ANarrowCursorPassesAWideOneThatOnlyCrossesElsewhere) {
  MapRun(Bytes(kMiB2 / 2, kPageSize),
         1);  // a missing table would have to be made where the wide one is
  EXPECT_TRUE(MeetInside(Bytes(kMiB2 - kPageSize, 2 * kPageSize), Bytes(kMiB2 / 2, kPageSize)));
}

TEST_F(Granules, AHugeEntryAndItsNeighbourGranuleAreHeldTogether) {
  EXPECT_TRUE(MeetInside(Bytes(0, 8 * kMiB2), Bytes(8 * kMiB2, kMiB2)));
}

TEST_F(Granules, OverlappingRangesExcludeEachOtherAtEveryLevel) {
  for (const uint64_t span : {8 * kPageSize, kMiB2, kGiB}) {
    SCOPED_TRACE(span);
    EXPECT_TRUE(Excludes(Bytes(0, 2 * span), Bytes(span, 2 * span)));
    EXPECT_TRUE(Excludes(Bytes(span, 2 * span), Bytes(0, 2 * span)));
    EXPECT_TRUE(Excludes(Bytes(0, 4 * span), Bytes(span, kPageSize)));
    EXPECT_TRUE(Excludes(Bytes(span, kPageSize), Bytes(0, 4 * span)));
  }
}

TEST_F(Granules, RangesThatShareACacheLineOfEntriesExcludeEachOther) {
  EXPECT_TRUE(Excludes(Pages(0, 1), Pages(7, 1)));
  EXPECT_FALSE(Excludes(Pages(0, 1), Pages(8, 1)));
}

TEST_F(Granules, ReadingCursorsExcludeToo) {
  const Cursor<Config> reader = Must(table().OpenCursor(pin(), Pages(0, 4)));
  CpuThreads threads(world().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    EXPECT_TRUE(Refused(table().OpenCursor(cpu, Pages(3, 1), {.wait = Wait::kTry}),
                        absl::StatusCode::kUnavailable));
  });
}

TEST_F(Granules, AStoppedCursorBlocksOnlyItsOwnGranules) {
  // In a leaf table, which the cursor made or found.
  for (const bool with_table : {false, true}) {
    SCOPED_TRACE(with_table);
    if (with_table) MapRun(Pages(512, 4), 1);
    const CursorMut<Config> stopped = Open(Pages(512, 4));
    ExpectBlocked({Pages(515, 1), Pages(511, 2), Bytes(0, kGiB), Bytes(0, 4 * kGiB)});
    ExpectFree({Pages(0, 512), Pages(520, 8), Pages(1024, 1), Bytes(kGiB, kGiB),
                Bytes(8 * kGiB, 4 * kGiB)});
  }
}

// One that maps nothing makes no tables: it stands at the hole, here an entry of the root, and has
// the eight entries of that granule, 512 GiB each.
TEST_F(Granules, ACursorStoppedAboveAHoleBlocksTheGranuleOfTheHole) {
  constexpr uint64_t kTiB = kGiB << 10;
  const CursorMut<Config> stopped = Open(Pages(512, 4), {.intent = Intent::kNoMap});
  ExpectBlocked({Pages(515, 1), Pages(0, 1), Bytes(kGiB, kGiB), Bytes(kTiB, kPageSize),
                 Bytes(4 * kTiB - kPageSize, kPageSize)});
  ExpectFree({Bytes(4 * kTiB, kPageSize), Bytes(8 * kTiB, kTiB)});
}

// Each writer maps all pages of the range to its own round; whoever comes later finds one round,
// whole, and what the writer noted beside it. The note is plain memory: the cursors alone order it.
TEST_F(Granules, ALaterCursorSeesAllThatTheEarlierOnesDid) {
  constexpr uint64_t kPages = 12;
  constexpr uint64_t kRounds = 300;
  const VirtRange range = Bytes(kMiB2 - 6 * kPageSize, kPages * kPageSize);
  uint64_t note = 0;
  CpuThreads threads(world().cpus());
  for (uint32_t id = 1; id <= 3; ++id) {
    threads.Run(id, [&, id](const CpuPin& cpu) {
      for (uint64_t round = 1; round <= kRounds; ++round) {
        if (id == 3) {
          Cursor<Config> reader = Must(table().OpenCursor(cpu, range));
          for (uint64_t i = 0; i < kPages; ++i) {
            Must(reader.Jump(range.start.Plus(i * kPageSize)));
            const std::optional<RawItem> item = Must(reader.Query()).item;
            ASSERT_EQ(item.has_value(), note != 0);
            if (item) {
              ASSERT_EQ(item->frame.PageNumber(), note * kPages + i);
            }
          }
          continue;
        }
        CursorMut<Config> cursor = Must(table().OpenCursorMut(cpu, range));
        note = 2 * round + id;
        for (uint64_t i = 0; i < kPages; ++i) {
          Must(cursor.Map(RawItem{PhysAddr((note * kPages + i) * kPageSize), 1, kReadUser}));
        }
      }
    });
  }
}

// Ranges that meet at every level, cut level-2 tables, map and split; nobody may find anybody
// inside.
template <typename F>
class Exclusion : public TableTest<BareConfig<F>> {};
using Formats = testing::Types<tiny::Format2x2, tiny::Format<3, 1>, tiny::Format<3, 1, 2>,
                               tiny::Format<3, 2, 2>, tiny::Format<4, 1>, x86_64::Format4>;
TYPED_TEST_SUITE(Exclusion, Formats);

TYPED_TEST(Exclusion, OverlappingCursorsNeverCoexist) {
  using Geo = Geometry<TypeParam>;
  using Config = BareConfig<TypeParam>;
  // In units of an eighth of a 2 MiB entry where tables are large, so that ranges cut whole tables.
  constexpr bool kLarge = Geo::Entries(1) > 64;
  constexpr uint64_t kUnit = kLarge ? 64 * kPageSize : kPageSize;
  constexpr uint64_t kUnits = kLarge ? 64 : Geo::kSpan / kUnit;
  const uint64_t seed = TestSeed();
  std::array<std::atomic<uint32_t>, kUnits> owner{};
  std::atomic<int> violations{0};
  CpuThreads threads(this->world().cpus());
  for (uint32_t id = 0; id < 3; ++id) {
    threads.Run(id + 1, [&, id](const CpuPin& cpu) {
      std::mt19937_64 random(seed + id);
      for (int round = 0; round < 1500; ++round) {
        const uint64_t first = random() % kUnits;
        const uint64_t count = 1 + random() % (kUnits - first);
        const VirtRange range = this->Bytes(first * kUnit, count * kUnit);
        const CursorOptions options{.intent = random() % 2 ? Intent::kMap : Intent::kNoMap,
                                    .anchor = random() % 2 ? Anchor::kHigh : Anchor::kLow,
                                    .wait = random() % 4 == 0 ? Wait::kTry : Wait::kForever};
        absl::StatusOr<CursorMut<Config>> cursor = this->table().OpenCursorMut(cpu, range, options);
        if (!cursor.ok()) {
          EXPECT_TRUE(Refused(cursor, absl::StatusCode::kUnavailable));
          continue;
        }
        for (uint64_t i = first; i < first + count; ++i) {
          if (owner[i].exchange(id + 1, std::memory_order_relaxed) != 0) ++violations;
        }
        const uint64_t frame = (id * 1000 + 1) * Geo::kSpan;
        const uint64_t at = first * kUnit;
        if (random() % 2 == 0) {
          const PhysAddr where(frame % (uint64_t{1} << 38) + at);
          EXPECT_TRUE(IsOk(cursor->Map(RawItem{where, 1, kReadWriteUser})));
        }
        EXPECT_TRUE(IsOk(cursor->Jump(range.start)));
        if (random() % 2 == 0) {
          EXPECT_TRUE(IsOk(cursor->Unmap(range.size())));
        }
        for (uint64_t i = first; i < first + count; ++i) {
          if (owner[i].exchange(0, std::memory_order_relaxed) != id + 1) ++violations;
        }
      }
    });
  }
  threads.Join();
  EXPECT_EQ(violations.load(), 0);
}

}  // namespace
}  // namespace paddock

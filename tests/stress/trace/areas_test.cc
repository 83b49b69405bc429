// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/areas.h"

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace paddock {
namespace {

VirtRange Range(uint64_t start, uint64_t end) { return {VirtAddr(start), VirtAddr(end)}; }

TraceOperation Operation(TraceOpKind kind, VirtRange range, TraceAccess access = 0) {
  TraceOperation operation;
  operation.kind = kind;
  operation.range = range;
  operation.access = access;
  return operation;
}

TEST(TraceAreas, KnowsNothingAtFirst) {
  TraceAreas areas;
  EXPECT_EQ(areas.At(VirtAddr(0x1000)), std::nullopt);
  areas.Clear(Range(0x1000, 0x9000));
  EXPECT_EQ(areas.size(), 0u);
}

TEST(TraceAreas, SplitsAnAreaThatChangesInItsMiddle) {
  TraceAreas areas;
  areas.Set(Range(0x1000, 0x9000), kTraceRead);
  areas.Set(Range(0x3000, 0x4000), 0);
  areas.Clear(Range(0x5000, 0x6000));
  EXPECT_EQ(areas.At(VirtAddr(0xfff)), std::nullopt);
  EXPECT_EQ(areas.At(VirtAddr(0x2fff)), kTraceRead);
  EXPECT_EQ(areas.At(VirtAddr(0x3000)), TraceAccess{0});
  EXPECT_EQ(areas.At(VirtAddr(0x4000)), kTraceRead);
  EXPECT_EQ(areas.At(VirtAddr(0x5000)), std::nullopt);
  EXPECT_EQ(areas.At(VirtAddr(0x8fff)), kTraceRead);
  EXPECT_EQ(areas.At(VirtAddr(0x9000)), std::nullopt);
}

TEST(TraceAreas, AgreesWithAListOfPages) {
  const char* text = std::getenv("TEST_RANDOM_SEED");
  const uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 0) : std::random_device()();
  std::cout << "TEST_RANDOM_SEED=" << seed << "\n";
  SCOPED_TRACE("TEST_RANDOM_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  TraceAreas areas;
  std::map<uint64_t, TraceAccess> pages;
  for (int step = 0; step < 2000; ++step) {
    const uint64_t first = random() % 60;
    const uint64_t last = first + 1 + random() % 12;
    const VirtRange range = Range(first * kPageSize, last * kPageSize);
    const auto access = static_cast<TraceAccess>(random() % 8);
    const bool set = random() % 3 != 0;
    if (set) {
      areas.Set(range, access);
    } else {
      areas.Clear(range);
    }
    for (uint64_t page = first; page < last; ++page) {
      pages.erase(page);
      if (set) pages[page] = access;
    }
    for (uint64_t page = 0; page < 80; ++page) {
      const auto known = pages.find(page);
      ASSERT_EQ(areas.At(VirtAddr(page * kPageSize)),
                known == pages.end() ? std::nullopt : std::optional(known->second))
          << "page " << page << " after step " << step;
    }
  }
}

TEST(TraceAreas, GivesAFaultTheAccessOfItsArea) {
  TraceAreas areas;
  TraceOperation reserve = Operation(TraceOpKind::kReserve, Range(0x1000, 0x3000), kTraceRead);
  areas.Apply(reserve);
  TraceOperation known = Operation(TraceOpKind::kFault, Range(0x2000, 0x3000));
  areas.Apply(known);
  EXPECT_EQ(known.access, kTraceRead);
  TraceOperation unknown = Operation(TraceOpKind::kFault, Range(0x3000, 0x4000));
  areas.Apply(unknown);
  EXPECT_EQ(unknown.access, kTraceRead | kTraceWrite);
}

TEST(TraceAreas, MovesAndGrowsAnAreaWithItsAccess) {
  TraceAreas areas;
  areas.Set(Range(0x1000, 0x3000), kTraceRead);
  TraceOperation grow = Operation(TraceOpKind::kGrow, Range(0x3000, 0x4000));
  areas.Apply(grow);
  EXPECT_EQ(grow.access, kTraceRead);
  EXPECT_EQ(areas.At(VirtAddr(0x3000)), kTraceRead);
  TraceOperation move = Operation(TraceOpKind::kMove, Range(0x8000, 0xc000));
  move.source = Range(0x1000, 0x4000);
  areas.Apply(move);
  EXPECT_EQ(move.access, kTraceRead);
  EXPECT_EQ(areas.At(VirtAddr(0x1000)), std::nullopt);
  EXPECT_EQ(areas.At(VirtAddr(0xb000)), kTraceRead);
}

}  // namespace
}  // namespace paddock

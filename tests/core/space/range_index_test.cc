// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/range_index.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

VirtRange Bytes(uint64_t first, uint64_t end) { return {VirtAddr(first), VirtAddr(end)}; }

bool All(uint64_t) { return true; }

TEST(RangeIndex, FindsWhatOverlapsByAddress) {
  RangeIndex index;
  index.Insert(Bytes(0x20, 0x30), 1);
  index.Insert(Bytes(0x28, 0x40), 2);
  EXPECT_EQ(index.FirstOverlap(Bytes(0, 0x20), All), std::nullopt);
  EXPECT_EQ(index.FirstOverlap(Bytes(0, 0x21), All), 1u);
  EXPECT_EQ(index.FirstOverlap(Bytes(0x2f, 0x50), All), 1u);
  EXPECT_EQ(index.FirstOverlap(Bytes(0x30, 0x50), All), 2u);
  EXPECT_EQ(index.FirstOverlap(Bytes(0, 0x50), [](uint64_t id) { return id == 2; }), 2u);
  EXPECT_EQ(index.FirstOverlap(Bytes(0x40, 0x50), All), std::nullopt);
}

TEST(RangeIndex, EmptyRangesOverlapNothing) {
  RangeIndex index;
  index.Insert(Bytes(0x20, 0x20), 1);
  EXPECT_TRUE(index.empty());
  index.Insert(Bytes(0x10, 0x30), 2);
  EXPECT_EQ(index.FirstOverlap(Bytes(0x20, 0x20), All), std::nullopt);
  index.Erase(Bytes(0x20, 0x20), 1);
  EXPECT_EQ(index.FirstOverlap(Bytes(0x20, 0x21), All), 2u);
}

TEST(RangeIndex, ReachesTheTop) {
  RangeIndex index;
  index.Insert(Bytes(~uint64_t{0xf}, 0), 1);
  index.Insert(Bytes(~uint64_t{0x7}, 0), 2);
  EXPECT_EQ(index.FirstOverlap(Bytes(~uint64_t{0}, 0), [](uint64_t id) { return id == 2; }), 2u);
  index.Erase(Bytes(~uint64_t{0xf}, 0), 1);
  EXPECT_EQ(index.FirstOverlap(Bytes(~uint64_t{0xf}, ~uint64_t{0x7}), All), std::nullopt);
  index.Erase(Bytes(~uint64_t{0x7}, 0), 2);
  EXPECT_TRUE(index.empty());
}

TEST(RangeIndex, AgreesWithAListUnderRandomOperations) {
  constexpr uint64_t kBytes = 64;
  struct Entry {
    uint64_t id;
    VirtRange range;
  };
  std::mt19937_64 random(TestSeed());
  const auto random_range = [&] {
    const uint64_t first = random() % kBytes;
    return Bytes(first, first + random() % (kBytes - first + 1));
  };
  RangeIndex index;
  std::vector<Entry> list;
  uint64_t last_id = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (list.size() < 12 && random() % 2 == 0) {
      list.push_back({++last_id, random_range()});
      index.Insert(list.back().range, last_id);
    } else if (!list.empty()) {
      const size_t i = random() % list.size();
      index.Erase(list[i].range, list[i].id);
      list.erase(list.begin() + static_cast<ptrdiff_t>(i));
    }
    const VirtRange asked = random_range();
    const uint64_t parity = random() % 2;
    const auto counts = [&](uint64_t id) { return id % 2 == parity; };
    const std::optional<uint64_t> found = index.FirstOverlap(asked, counts);
    std::optional<VirtAddr> first;
    bool is_among = false;
    for (const Entry& entry : list) {
      if (!counts(entry.id) || !entry.range.Intersects(asked)) continue;
      const VirtAddr va = entry.range.Intersection(asked).start;
      if (!first || va < *first) first = va;
    }
    for (const Entry& entry : list) {
      if (found == entry.id) is_among = entry.range.Intersection(asked).start == first;
    }
    ASSERT_EQ(found.has_value(), first.has_value());
    ASSERT_EQ(found.has_value(), is_among) << "not the first one";
    bool is_empty = true;
    for (const Entry& entry : list) is_empty = is_empty && entry.range.IsEmpty();
    ASSERT_EQ(index.empty(), is_empty);
  }
}

}  // namespace
}  // namespace paddock

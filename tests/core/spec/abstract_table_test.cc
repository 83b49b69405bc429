// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/spec/abstract_table.h"

#include <map>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/spec/property_edit.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

constexpr uint64_t kWindow = 96;  // pages; small, so that operations meet each other

VirtRange Pages(uint64_t first, uint64_t pages) {
  return {VirtAddr(first * kPageSize), VirtAddr((first + pages) * kPageSize)};
}
PhysAddr Frame(uint64_t number) { return PhysAddr(number * kPageSize); }

// The same meaning, one entry per page.
struct BruteForce {
  struct Page {
    uint64_t frame;
    PageProperty property;
  };
  std::map<uint64_t, Page> pages;

  uint64_t Erase(uint64_t first, uint64_t count) {
    uint64_t erased = 0;
    for (uint64_t page = first; page < first + count; ++page) erased += pages.erase(page);
    return erased;
  }
  std::optional<uint64_t> Next(uint64_t first, uint64_t count) const {
    const auto it = pages.lower_bound(first);
    if (it == pages.end() || it->first >= first + count) return std::nullopt;
    return it->first;
  }
};

void ExpectSame(const BruteForce& model, const AbstractTable& table, uint64_t base) {
  ASSERT_EQ(table.mapped_pages(), model.pages.size());
  for (uint64_t page = base; page < base + kWindow; ++page) {
    const auto expected = model.pages.find(page);
    const std::optional<MappedRun> actual = table.Query(VirtAddr(page * kPageSize + 8));
    ASSERT_EQ(actual.has_value(), expected != model.pages.end()) << "page " << page;
    if (!actual) continue;
    ASSERT_EQ(actual->range, Pages(page, 1));
    ASSERT_EQ(actual->frame, Frame(expected->second.frame)) << "page " << page;
    ASSERT_EQ(actual->property, expected->second.property) << "page " << page;
  }
}

void RandomOperations(uint64_t base) {
  std::mt19937_64 random(TestSeed());
  AbstractTable table;
  BruteForce model;
  const PageProperty properties[] = {kReadUser, kReadWriteUser, kReadExecuteUser};
  for (int step = 0; step < 4000; ++step) {
    SCOPED_TRACE(step);
    const uint64_t first = base + random() % kWindow;
    const uint64_t count = 1 + random() % std::min<uint64_t>(20, base + kWindow - first);
    switch (random() % 6) {
      case 0:
      case 1: {
        // Equal frames and properties often enough for runs to grow together.
        const uint64_t frame = random() % 2 ? first - base : random() % 1000;
        const PageProperty property = properties[random() % 3];
        table.Map(Pages(first, count), Frame(frame), property);
        for (uint64_t i = 0; i < count; ++i) model.pages[first + i] = {frame + i, property};
        break;
      }
      case 2:
        ASSERT_EQ(table.Unmap(Pages(first, count)), model.Erase(first, count));
        break;
      case 3: {
        const PropertyEdit edit{.set = random() % 2 ? PageFlags::kDirty : PageFlags::kNone,
                                .clear = random() % 2 ? PageFlags::kWrite : PageFlags::kDirty,
                                .software_set = static_cast<uint8_t>(random() % 2)};
        uint64_t touched = 0;
        for (uint64_t i = 0; i < count; ++i) {
          const auto it = model.pages.find(first + i);
          if (it == model.pages.end()) continue;
          it->second.property = edit.Apply(it->second.property);
          ++touched;
        }
        ASSERT_EQ(table.Protect(Pages(first, count), edit), touched);
        break;
      }
      case 4: {
        const std::optional<uint64_t> next = model.Next(first, count);
        const std::optional<VirtAddr> found = table.FindNext(Pages(first, count));
        ASSERT_EQ(found.has_value(), next.has_value());
        if (next) {
          ASSERT_EQ(*found, VirtAddr(*next * kPageSize));
        }
        break;
      }
      default: {
        const std::optional<uint64_t> next = model.Next(first, count);
        const std::optional<MappedRun> taken = table.TakeNext(Pages(first, count));
        ASSERT_EQ(taken.has_value(), next.has_value());
        if (!next) break;
        ASSERT_EQ(taken->range.start, VirtAddr(*next * kPageSize));
        ASSERT_EQ(taken->frame, Frame(model.pages[*next].frame));
        const uint64_t pages = taken->range.size() / kPageSize;
        ASSERT_EQ(model.Erase(*next, pages), pages);
        break;
      }
    }
    ASSERT_NO_FATAL_FAILURE(ExpectSame(model, table, base));
    uint64_t in_range = 0;
    for (uint64_t i = 0; i < count; ++i) in_range += model.pages.count(first + i);
    ASSERT_EQ(table.CountMapped(Pages(first, count)), in_range);
    ASSERT_EQ(table.Slice(Pages(first, count)).mapped_pages(), in_range);
  }
}

TEST(AbstractTable, RandomOperationsMeanTheSameAsAPageMap) { RandomOperations(1000); }

TEST(AbstractTable, RandomOperationsMeanTheSameAtTheVeryTop) {
  RandomOperations((uint64_t{1} << 52) - kWindow);
}

TEST(AbstractTable, RandomOperationsMeanTheSameFromAddressZero) { RandomOperations(0); }

TEST(AbstractTable, HugeRangesAreOneRun) {
  AbstractTable table;
  table.Map(Pages(0, uint64_t{1} << 30), Frame(0), kReadUser);
  EXPECT_EQ(table.run_count(), 1u);
  EXPECT_EQ(table.Unmap(Pages(512, 1)), 1u);
  EXPECT_EQ(table.run_count(), 2u);
  EXPECT_EQ(table.Query(VirtAddr(513 * kPageSize))->frame, Frame(513));
}

TEST(AbstractTable, PagesMappedOneByOneMeanTheSameAsOneRun) {
  AbstractTable pieces;
  for (uint64_t i : {3, 0, 2, 1}) pieces.Map(Pages(i, 1), Frame(10 + i), kReadUser);
  AbstractTable whole;
  whole.Map(Pages(0, 4), Frame(10), kReadUser);
  EXPECT_TRUE(SameMeaning(whole, pieces, HardwareBits::kExact));
  EXPECT_EQ(pieces.run_count(), 1u);
}

TEST(AbstractTable, RunsCutDifferentlyMeanTheSame) {
  AbstractTable whole;
  whole.Map(Pages(0, 8), Frame(0), kReadUser);
  AbstractTable cut = whole;
  cut.Protect(Pages(2, 3), PropertyEdit{.set = PageFlags::kWrite});
  EXPECT_FALSE(SameMeaning(whole, cut, HardwareBits::kExact));
  cut.Protect(Pages(2, 3), PropertyEdit{.clear = PageFlags::kWrite});
  EXPECT_GT(cut.run_count(), 1u);
  EXPECT_TRUE(SameMeaning(whole, cut, HardwareBits::kExact));
  EXPECT_TRUE(SameMeaning(cut, whole, HardwareBits::kExact));
}

TEST(AbstractTable, EmptyRangesDoNothing) {
  AbstractTable table;
  table.Map(Pages(0, 4), Frame(0), kReadUser);
  table.Map(Pages(2, 0), Frame(9), kReadUser);
  EXPECT_EQ(table.Unmap(Pages(2, 0)), 0u);
  EXPECT_EQ(table.Protect(Pages(2, 0), PropertyEdit{.clear = PageFlags::kRead}), 0u);
  EXPECT_FALSE(table.FindNext(Pages(2, 0)));
  EXPECT_EQ(table.mapped_pages(), 4u);
  EXPECT_EQ(table.run_count(), 1u);
}

TEST(AbstractTable, TheFirstDifferenceNamesTheAddressAndBothSides) {
  AbstractTable expected;
  expected.Map(Pages(16, 8), Frame(1), kReadUser);
  AbstractTable actual = expected;
  actual.Map(Pages(20, 1), Frame(9), kReadWriteUser);
  const std::optional<ViewDifference> difference =
      FirstDifference(expected, actual, HardwareBits::kExact);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->va, VirtAddr(20 * kPageSize));
  EXPECT_EQ(Describe(*difference),
            "0x14000: expected frame 0x5000 r--u--- wb sw=00, found frame 0x9000 rw-u--- wb sw=00");
}

TEST(AbstractTable, DifferencesAreFoundInBothHalvesAndAtTheLastPage) {
  const VirtRange last{VirtAddr(~uint64_t{0xfff}), VirtAddr(0)};
  const VirtRange across{VirtAddr((uint64_t{1} << 63) - kPageSize),
                         VirtAddr((uint64_t{1} << 63) + kPageSize)};
  AbstractTable empty;
  for (const VirtRange range : {last, across, Pages(0, 1)}) {
    AbstractTable table;
    table.Map(range, Frame(4), kReadKernel);
    EXPECT_TRUE(SameMeaning(table, table, HardwareBits::kExact));
    EXPECT_EQ(FirstDifference(empty, table, HardwareBits::kExact)->va, range.start);
    EXPECT_EQ(FirstDifference(table, empty, HardwareBits::kExact)->va, range.start);
    AbstractTable other = table;
    other.Map({range.last().AlignDown(kPageSize), range.end}, Frame(9), kReadKernel);
    EXPECT_EQ(FirstDifference(table, other, HardwareBits::kExact)->va,
              range.last().AlignDown(kPageSize));
  }
}

TEST(AbstractTable, HardwareBitsMayBeAddedButNotLost) {
  AbstractTable clean;
  clean.Map(Pages(0, 4), Frame(0), kReadWriteUser);
  AbstractTable dirty = clean;
  dirty.Protect(Pages(1, 1), PropertyEdit{.set = PageFlags::kDirty | PageFlags::kAccessed});
  EXPECT_FALSE(SameMeaning(clean, dirty, HardwareBits::kExact));
  EXPECT_TRUE(SameMeaning(clean, dirty, HardwareBits::kMayBeSet));
  EXPECT_FALSE(SameMeaning(dirty, clean, HardwareBits::kMayBeSet));
  EXPECT_TRUE(SameMeaning(dirty, clean, HardwareBits::kIgnore));
  AbstractTable read_only = dirty;
  read_only.Protect(Pages(0, 4), PropertyEdit{.clear = PageFlags::kWrite});
  EXPECT_FALSE(SameMeaning(dirty, read_only, HardwareBits::kIgnore));
}

}  // namespace
}  // namespace paddock

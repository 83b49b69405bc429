// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/soft_tlb.h"

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

constexpr uint64_t kTag = 1;
constexpr uint64_t kOtherTag = 2;
constexpr uint64_t kHuge = 512 * kPageSize;
constexpr PageProperty kGlobal{PageFlags::kRead | PageFlags::kGlobal};

VirtAddr Page(uint64_t number) { return VirtAddr(number * kPageSize); }

TlbEntry Entry(uint64_t page, uint64_t frame, PageProperty property = kReadWriteUser) {
  return TlbEntry{Page(page), kPageSize, PhysAddr(frame * kPageSize), property, 7};
}
TlbEntry HugeEntry(uint64_t index, uint64_t frame) {
  return TlbEntry{VirtAddr(index * kHuge), kHuge, PhysAddr(frame * kPageSize), kReadWriteUser, 7};
}

TEST(SoftTlbTest, ReturnsWhatWasInsertedForEveryAddressOfThePage) {
  SoftTlb tlb(4, 2);
  EXPECT_FALSE(tlb.Lookup(kTag, Page(5)).has_value());
  tlb.Insert(kTag, Entry(5, 50));
  EXPECT_EQ(tlb.Lookup(kTag, Page(5)), Entry(5, 50));
  EXPECT_EQ(tlb.Lookup(kTag, VirtAddr(Page(6).value() - 1)), Entry(5, 50));
  EXPECT_FALSE(tlb.Lookup(kTag, Page(6)).has_value());
  EXPECT_EQ(tlb.stats().hits, 2u);
  EXPECT_EQ(tlb.stats().misses, 2u);
}

TEST(SoftTlbTest, TranslatesTheLastPageOfTheAddressSpace) {
  SoftTlb tlb(4, 2);
  const VirtAddr top(~uint64_t{0} - kPageSize + 1);
  tlb.Insert(kTag, TlbEntry{top, kPageSize, PhysAddr(0x1000), kReadKernel, 0});
  EXPECT_TRUE(tlb.Lookup(kTag, VirtAddr(~uint64_t{0})).has_value());
  tlb.FlushRange(kTag, VirtRange{top, VirtAddr(0)});
  EXPECT_FALSE(tlb.Lookup(kTag, VirtAddr(~uint64_t{0})).has_value());
}

TEST(SoftTlbTest, KeepsTagsApart) {
  SoftTlb tlb(4, 2);
  tlb.Insert(kTag, Entry(5, 50));
  EXPECT_FALSE(tlb.Lookup(kOtherTag, Page(5)).has_value());
  tlb.Insert(kOtherTag, Entry(5, 51));
  EXPECT_EQ(tlb.Lookup(kTag, Page(5)), Entry(5, 50));
  EXPECT_EQ(tlb.Lookup(kOtherTag, Page(5)), Entry(5, 51));
  tlb.FlushRange(kTag, VirtRange{Page(5), Page(6)});
  EXPECT_FALSE(tlb.Lookup(kTag, Page(5)).has_value());
  EXPECT_TRUE(tlb.Lookup(kOtherTag, Page(5)).has_value());
}

TEST(SoftTlbTest, FindsGlobalEntriesUnderEveryTag) {
  SoftTlb tlb(4, 2);
  tlb.Insert(kTag, Entry(5, 50, kGlobal));
  EXPECT_TRUE(tlb.Lookup(kOtherTag, Page(5)).has_value());
  tlb.FlushTag(kOtherTag);
  tlb.FlushNonGlobal();
  EXPECT_TRUE(tlb.Lookup(kOtherTag, Page(5)).has_value());
  tlb.FlushRange(kOtherTag, VirtRange{Page(5), Page(6)});
  EXPECT_FALSE(tlb.Lookup(kTag, Page(5)).has_value());
}

TEST(SoftTlbTest, FlushOfATagDropsTheGlobalEntriesFilledForIt) {
  SoftTlb tlb(4, 2);
  tlb.Insert(kTag, Entry(5, 50, kGlobal));
  tlb.Insert(kOtherTag, Entry(6, 60));
  tlb.FlushTag(kTag);
  EXPECT_FALSE(tlb.Lookup(kTag, Page(5)).has_value());
  EXPECT_TRUE(tlb.Lookup(kOtherTag, Page(6)).has_value());
}

TEST(SoftTlbTest, AnEntryInsertedTwiceHasTheNewTranslation) {
  SoftTlb tlb(1, 2);
  tlb.Insert(kTag, Entry(5, 50));
  tlb.Insert(kTag, Entry(5, 51));
  EXPECT_EQ(tlb.size(), 1u);
  EXPECT_EQ(tlb.Lookup(kTag, Page(5)), Entry(5, 51));
}

TEST(SoftTlbTest, FlushOfOnePageDropsTheHugeEntryThatContainsIt) {
  SoftTlb tlb(4, 2);
  tlb.Insert(kTag, HugeEntry(3, 512));
  tlb.Insert(kTag, HugeEntry(4, 1024));
  EXPECT_TRUE(tlb.Lookup(kTag, VirtAddr(3 * kHuge + 77 * kPageSize)).has_value());
  tlb.FlushRange(
      kTag, VirtRange{VirtAddr(3 * kHuge + 5 * kPageSize), VirtAddr(3 * kHuge + 6 * kPageSize)});
  EXPECT_FALSE(tlb.Lookup(kTag, VirtAddr(3 * kHuge)).has_value());
  EXPECT_TRUE(tlb.Lookup(kTag, VirtAddr(4 * kHuge)).has_value());
}

TEST(SoftTlbTest, FlushOfALongRangeDropsWhatIsInsideAndNothingElse) {
  SoftTlb tlb(8, 4);
  for (uint64_t page = 0; page < 32; ++page) tlb.Insert(kTag, Entry(page, page));
  tlb.Insert(kTag, HugeEntry(1, 512));
  tlb.FlushRange(kTag, VirtRange{Page(3), Page(30)});
  for (uint64_t page = 0; page < 32; ++page) {
    EXPECT_EQ(tlb.Lookup(kTag, Page(page)).has_value(), page < 3 || page >= 30) << page;
  }
  EXPECT_TRUE(tlb.Lookup(kTag, VirtAddr(kHuge)).has_value());
}

TEST(SoftTlbTest, SixPageSizesInAnyOrder) {
  SoftTlb tlb(4, 2);
  const int orders[] = {18, 0, 9, 4, 1, 22};
  for (const int order : orders) {
    const uint64_t bytes = kPageSize << order;
    tlb.Insert(kTag, TlbEntry{VirtAddr(bytes), bytes, PhysAddr(bytes), kReadUser, 0});
  }
  for (const int order : orders) {
    const uint64_t bytes = kPageSize << order;
    EXPECT_EQ(tlb.Lookup(kTag, VirtAddr(bytes + 1))->bytes, bytes);
  }
  EXPECT_EQ(tlb.size(), 6u);
  tlb.FlushAll();
  EXPECT_EQ(tlb.size(), 0u);
}

TEST(SoftTlbTest, ReplacesRoundRobinWithinTheSet) {
  SoftTlb tlb(2, 2);
  tlb.Insert(kTag, Entry(0, 0));
  tlb.Insert(kTag, Entry(2, 2));
  tlb.Insert(kTag, Entry(1, 1));
  tlb.Insert(kTag, Entry(4, 4));
  EXPECT_FALSE(tlb.Lookup(kTag, Page(0)).has_value());
  EXPECT_TRUE(tlb.Lookup(kTag, Page(2)).has_value());
  EXPECT_TRUE(tlb.Lookup(kTag, Page(1)).has_value());
  tlb.Insert(kTag, Entry(6, 6));
  EXPECT_FALSE(tlb.Lookup(kTag, Page(2)).has_value());
  EXPECT_TRUE(tlb.Lookup(kTag, Page(4)).has_value());
  EXPECT_EQ(tlb.stats().evictions, 2u);
}

// A cache may forget at any time, so the comparison is with the set of entries that may still be
// there.
TEST(SoftTlbTest, NeverReturnsWhatWasFlushed) {
  std::mt19937_64 random(TestSeed());
  struct Held {
    uint64_t tag;
    TlbEntry entry;
  };
  std::vector<Held> model;
  SoftTlb tlb(4, 2);
  const uint64_t sizes[] = {kPageSize, 4 * kPageSize, 32 * kPageSize};
  const auto global = [](const Held& held) {
    return HasAny(held.entry.property.flags, PageFlags::kGlobal);
  };
  for (int step = 0; step < 50'000; ++step) {
    const uint64_t tag = random() % 3 + 1;
    const VirtAddr va(random() % (128 * kPageSize));
    switch (random() % 12) {
      default: {
        const uint64_t bytes = sizes[random() % 3];
        const TlbEntry entry{va.AlignDown(bytes), bytes, PhysAddr(kPageSize * (random() % 1000)),
                             random() % 4 == 0 ? kGlobal : kReadUser, static_cast<uint32_t>(step)};
        std::erase_if(model, [&](const Held& held) {
          return held.tag == tag && held.entry.page == entry.page && held.entry.bytes == bytes;
        });
        model.push_back({tag, entry});
        tlb.Insert(tag, entry);
        break;
      }
      case 0: {
        const VirtRange range{va, VirtAddr(va.value() + 1 + random() % (40 * kPageSize))};
        tlb.FlushRange(tag, range);
        std::erase_if(model, [&](const Held& held) {
          const VirtRange page{held.entry.page, held.entry.page.Plus(held.entry.bytes)};
          return page.Intersects(range) && (held.tag == tag || global(held));
        });
        break;
      }
      case 1:
        tlb.FlushTag(tag);
        std::erase_if(model, [&](const Held& held) { return held.tag == tag; });
        break;
      case 2:
        tlb.FlushNonGlobal();
        std::erase_if(model, [&](const Held& held) { return !global(held); });
        break;
    }
    const uint64_t asked = random() % 3 + 1;
    if (const std::optional<TlbEntry> hit = tlb.Lookup(asked, va)) {
      bool known = false;
      for (const Held& held : model) {
        known |= held.entry == *hit && (held.tag == asked || global(held)) &&
                 va.AlignDown(hit->bytes) == hit->page;
      }
      ASSERT_TRUE(known) << "step " << step;
    }
  }
  EXPECT_GT(tlb.stats().hits, 1000u);
}

}  // namespace
}  // namespace paddock

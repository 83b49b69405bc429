// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/walker.h"

#include <cstdint>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/arch/x86_64.h"
#include "paddock/core/spec/abstract_table.h"

namespace paddock {
namespace {

using testing::HasSubstr;
using F = x86_64::Format4;

constexpr uint64_t kMemoryPages = 1024;

// Tables at 0x1000 .. 0x4000, filled with the encodings of the format under test.
class WalkerTest : public testing::Test {
 protected:
  WalkerTest() : memory_(kMemoryPages * 512) {
    Entry(0x1000, 0) = F::EncodeTable(PhysAddr(0x2000));
    Entry(0x2000, 0) = F::EncodeTable(PhysAddr(0x3000));
    Entry(0x3000, 0) = F::EncodeTable(PhysAddr(0x4000));
  }

  uint64_t& Entry(uint64_t table, uint64_t index) { return memory_[table / 8 + index]; }
  SoftMmu Mmu() {
    return SoftMmu(
        {.data = reinterpret_cast<const std::byte*>(memory_.data()), .size = kMemoryPages * 4096});
  }
  static bool IsNode(uint64_t frame, int level) {
    return frame >= 0x1000 && frame <= 0x4000 && frame / 0x1000 + level == 5;
  }

  std::vector<uint64_t> memory_;
  ViolationSink sink_{"rerun"};
  WalkerOracle oracle_{1, sink_};
};

TEST_F(WalkerTest, UnderstandsEveryPropertyAsTheFormatEncodedIt) {
  int count = 0;
  for (int flags = 0; flags < 128; ++flags) {
    for (int cache = 0; cache < kCachePolicyCount; ++cache) {
      for (int level = 1; level <= 2; ++level) {
        const PageProperty property{.flags = static_cast<PageFlags>(flags) | PageFlags::kRead,
                                    .cache = static_cast<CachePolicy>(cache),
                                    .software = static_cast<uint8_t>(37 * ++count)};
        const EncodeResult leaf = F::EncodeLeaf(PhysAddr(0x20'0000), property, level);
        Entry(0x3000, 0) = level == 2 ? leaf.pte : F::EncodeTable(PhysAddr(0x4000));
        Entry(0x4000, 0) = leaf.pte;
        const MmuWalk walk = oracle_.CheckWalk(
            0, "a table", Mmu(), 0x1000, VirtAddr(0x123), IsNode,
            [&](const MmuWalk& w) { return w.outcome == MmuOutcome::kTranslated; });
        ASSERT_EQ(walk.translation.physical, 0x20'0123u);
        ASSERT_EQ(PropertyOf(walk.translation), property) << Describe(property).c_str();
      }
    }
  }
  EXPECT_EQ(sink_.count(), 0u);
  EXPECT_EQ(oracle_.result().checks, static_cast<uint64_t>(count));
}

TEST_F(WalkerTest, ReportsWhatIsNeitherOldNorNew) {
  Entry(0x4000, 0) = F::EncodeLeaf(PhysAddr(0x9000), kReadUser, 1).pte;
  oracle_.CheckWalk(0, "space 3", Mmu(), 0x1000, VirtAddr(0), IsNode,
                    [](const MmuWalk& w) { return w.translation.physical == 0x8000; });
  ASSERT_EQ(sink_.count(kWalkerOracle), 1u);
  EXPECT_THAT(sink_.violations()[0].message,
              HasSubstr("space 3: 0x0 -> 0x9000 (4 KiB page, --u---, leaf"));
  EXPECT_THAT(sink_.violations()[0].message, HasSubstr("neither an old nor a new mapping"));
  EXPECT_FALSE(oracle_.result().Passed());
}

TEST_F(WalkerTest, ReportsAFreedNodeWithoutAskingWhatIsAllowed) {
  Entry(0x3000, 0) = F::EncodeTable(PhysAddr(0x9000));
  oracle_.CheckWalk(0, "space 3", Mmu(), 0x1000, VirtAddr(0), IsNode,
                    [](const MmuWalk&) { return true; });
  ASSERT_EQ(sink_.count(), 1u);
  EXPECT_THAT(sink_.violations()[0].message,
              HasSubstr("frame 0x9000 is not a live node of level 1"));
}

TEST_F(WalkerTest, ReadsAWholeTableAsAView) {
  Entry(0x4000, 7) = F::EncodeLeaf(PhysAddr(0x9000), kReadUser, 1).pte;
  Entry(0x3000, 1) = F::EncodeLeaf(PhysAddr(0x20'0000), kReadWriteUser, 2).pte;
  const VirtRange all{VirtAddr(0), VirtAddr(1ull << 47)};
  AbstractTable expected;
  expected.Map({VirtAddr(0x7000), VirtAddr(0x8000)}, PhysAddr(0x9000), kReadUser);
  expected.Map({VirtAddr(0x20'0000), VirtAddr(0x40'0000)}, PhysAddr(0x20'0000), kReadWriteUser);
  const AbstractTable view = oracle_.CheckTable(0, "space 3", Mmu(), 0x1000, all, IsNode);
  EXPECT_TRUE(SameMeaning(expected, view, HardwareBits::kExact));
  EXPECT_EQ(oracle_.result().checks, 4u + 2u);

  const VirtRange part{VirtAddr(0x8000), VirtAddr(0x20'1000)};
  const AbstractTable cut = oracle_.CheckTable(0, "space 3", Mmu(), 0x1000, part, IsNode);
  EXPECT_TRUE(SameMeaning(expected.Slice(part), cut, HardwareBits::kExact));
  EXPECT_EQ(cut.mapped_pages(), 1u);
}

}  // namespace
}  // namespace paddock

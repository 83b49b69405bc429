// SPDX-License-Identifier: Apache-2.0
//
// Spaces that come and go on a CPU: what is kept, and that it is never stale.

#include "gtest/gtest.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace paddock {
namespace {

constexpr PageProperty kGlobal{PageFlags::kRead | PageFlags::kGlobal};

class TagsTest : public testing::Test {
 protected:
  explicit TagsTest(const TlbSystem::Options& options = {}) : m_(2, options) {}

  TlbMachine m_;
  TlbContext a_{m_.tlb()};
  TlbContext b_{m_.tlb()};
  TestCpu cpu0_{m_, 0};
  TestCpu cpu1_{m_, 1};

  void Activate(TestCpu& cpu, TlbContext& context) {
    cpu.Run([&](const CpuPin& pin) { m_.tlb().Activate(pin, context); });
  }
  void Fill(TestCpu& cpu, TlbContext& context, VirtAddr page,
            PageProperty property = kReadWriteUser) {
    cpu.Run([&](const CpuPin& pin) {
      m_.tlb().soft_tlb(pin).Insert(context.tag(), m_.Entry(page, PhysAddr(0), property));
    });
  }
  bool Hits(TestCpu& cpu, TlbContext& context, VirtAddr page) {
    bool hit = false;
    cpu.Run([&](const CpuPin& pin) {
      hit = m_.tlb().soft_tlb(pin).Lookup(context.tag(), page).has_value();
    });
    return hit;
  }
  void Flush(TestCpu& cpu, TlbContext& context, VirtRange range) {
    cpu.Run([&](const CpuPin& pin) { TlbFlusher(m_.tlb(), context, pin).Issue(range); });
  }
};

class UntaggedTest : public TagsTest {
 protected:
  UntaggedTest() : TagsTest(TlbSystem::Options{.tag_mode = TagMode::kUntagged}) {}
};

class TwoTagsTest : public TagsTest {
 protected:
  TwoTagsTest() : TagsTest(TlbSystem::Options{.tags_per_cpu = 2}) {}
};

TEST_F(TagsTest, SwitchingAwayAndBackKeepsEntriesThatAreStillGood) {
  Activate(cpu0_, a_);
  Fill(cpu0_, a_, Page(1));
  Activate(cpu0_, b_);
  EXPECT_FALSE(Hits(cpu0_, b_, Page(1)));
  Activate(cpu0_, a_);
  EXPECT_TRUE(Hits(cpu0_, a_, Page(1)));
  EXPECT_EQ(m_.tlb().stats().lazy_catchups, 0u);
}

TEST_F(TagsTest, SwitchingAwayAndBackNeverShowsAStaleEntry) {
  Activate(cpu0_, a_);
  Fill(cpu0_, a_, Page(1));
  Activate(cpu0_, b_);
  Flush(cpu1_, a_, Pages(1, 1));
  EXPECT_FALSE(m_.bus().HasPending(CpuId{0}));
  Activate(cpu0_, a_);
  EXPECT_FALSE(Hits(cpu0_, a_, Page(1)));
  EXPECT_EQ(m_.tlb().stats().lazy_catchups, 1u);
}

TEST_F(TagsTest, AFlushOfASpaceThatIsNotCurrentHereFlushesItHereAtOnce) {
  Activate(cpu0_, a_);
  Fill(cpu0_, a_, Page(1));
  Activate(cpu0_, b_);
  Flush(cpu0_, a_, Pages(1, 1));
  Activate(cpu0_, a_);
  EXPECT_FALSE(Hits(cpu0_, a_, Page(1)));
}

TEST_F(TagsTest, DeactivatingKeepsTheCpuAmongTheHolders) {
  Activate(cpu0_, a_);
  Fill(cpu0_, a_, Page(1));
  cpu0_.Run([&](const CpuPin& pin) {
    m_.tlb().Deactivate(pin);
    EXPECT_EQ(m_.tlb().current(pin), nullptr);
  });
  EXPECT_FALSE(a_.active().Contains(CpuId{0}, sync::seq_cst));
  EXPECT_TRUE(a_.holders().Contains(CpuId{0}, sync::seq_cst));
  Flush(cpu1_, a_, Pages(1, 1));
  Activate(cpu0_, a_);
  EXPECT_FALSE(Hits(cpu0_, a_, Page(1)));
}

TEST_F(TagsTest, ACpuThatFollowsEveryFlushNeedsNoCatchUp) {
  Activate(cpu0_, a_);
  Activate(cpu1_, a_);
  Fill(cpu0_, a_, Page(9));
  for (uint64_t page = 0; page < 5; ++page) {
    Flush(cpu1_, a_, Pages(page, 1));
    cpu0_.Poll();
    Flush(cpu0_, a_, Pages(page, 1));
    cpu1_.Poll();
  }
  Activate(cpu0_, b_);
  Activate(cpu0_, a_);
  EXPECT_TRUE(Hits(cpu0_, a_, Page(9)));
  EXPECT_EQ(m_.tlb().stats().lazy_catchups, 0u);
}

TEST_F(TagsTest, AnIdleCpuComparesTheSpacesItDoesNotRunWhenItRunsThem) {
  Activate(cpu0_, a_);
  Fill(cpu0_, a_, Page(1));
  Activate(cpu0_, b_);
  cpu0_.GoIdle();
  Flush(cpu1_, a_, Pages(1, 1));
  cpu0_.Poll();
  EXPECT_EQ(m_.tlb().stats().lazy_catchups, 0u);
  Activate(cpu0_, a_);
  EXPECT_FALSE(Hits(cpu0_, a_, Page(1)));
}

TEST_F(TagsTest, ASpaceThatComesAfterAnotherHasAnotherTag) {
  uint64_t last = 0;
  for (int i = 0; i < 10; ++i) {
    const TlbContext context(m_.tlb());
    EXPECT_GT(context.tag(), last);
    last = context.tag();
  }
}

TEST_F(TwoTagsTest, TheTagUsedLongestAgoIsEvictedWithItsEntries) {
  TlbContext c(m_.tlb());
  Activate(cpu0_, a_);
  Fill(cpu0_, a_, Page(1));
  Activate(cpu0_, b_);
  Fill(cpu0_, b_, Page(2));
  Activate(cpu0_, a_);
  Activate(cpu0_, c);
  EXPECT_TRUE(Hits(cpu0_, a_, Page(1)));
  EXPECT_FALSE(Hits(cpu0_, b_, Page(2)));
  cpu0_.Run([&](const CpuPin& pin) { m_.tlb().Deactivate(pin); });
}

TEST_F(TwoTagsTest, AnEvictedSpaceThatWasFlushedMeanwhileComesBackEmpty) {
  TlbContext c(m_.tlb());
  TlbContext d(m_.tlb());
  Activate(cpu0_, a_);
  Fill(cpu0_, a_, Page(1));
  Activate(cpu0_, c);
  Activate(cpu0_, d);
  Flush(cpu1_, a_, Pages(1, 1));
  Flush(cpu0_, a_, Pages(1, 1));
  Activate(cpu0_, a_);
  EXPECT_FALSE(Hits(cpu0_, a_, Page(1)));
}

TEST_F(TagsTest, ManyShortLivedSpacesNeverSeeEachOther) {
  for (int i = 0; i < 40; ++i) {
    TlbContext context(m_.tlb());
    Activate(cpu0_, context);
    EXPECT_FALSE(Hits(cpu0_, context, Page(1))) << i;
    Fill(cpu0_, context, Page(1));
    cpu0_.Run([&](const CpuPin& pin) { m_.tlb().Deactivate(pin); });
  }
}

TEST_F(UntaggedTest, ASwitchFlushesAllThatIsNotGlobalAndLeavesTheHolders) {
  Activate(cpu0_, a_);
  Fill(cpu0_, a_, Page(1));
  Fill(cpu0_, a_, Page(2), kGlobal);
  Activate(cpu0_, b_);
  EXPECT_FALSE(a_.holders().Contains(CpuId{0}, sync::seq_cst));
  EXPECT_TRUE(Hits(cpu0_, b_, Page(2)));
  Activate(cpu0_, a_);
  EXPECT_FALSE(Hits(cpu0_, a_, Page(1)));
}

TEST_F(UntaggedTest, ASpaceThatLeftIsFlushedWithoutThisCpu) {
  Activate(cpu0_, a_);
  Activate(cpu1_, a_);
  Fill(cpu0_, a_, Page(1));
  cpu0_.Run([&](const CpuPin& pin) { m_.tlb().Deactivate(pin); });
  cpu1_.Run([&](const CpuPin& pin) {
    TlbFlusher flusher(m_.tlb(), a_, pin);
    flusher.Issue(Pages(1, 1));
    flusher.Sync();
  });
  EXPECT_EQ(a_.generation(), 1u);  // alone: nothing to count
  Activate(cpu0_, a_);
  EXPECT_FALSE(Hits(cpu0_, a_, Page(1)));
}

TEST_F(TagsTest, TheMachinesOwnAddressesAreFlushedOnEveryCpuUnderEveryTag) {
  TlbContext kernel(m_.tlb(), TlbScope::kMachine);
  Activate(cpu0_, a_);
  Activate(cpu1_, b_);
  Fill(cpu0_, a_, Page(1), kGlobal);
  Fill(cpu0_, a_, Page(2));
  Fill(cpu1_, b_, Page(1), kReadKernel);
  Fill(cpu1_, b_, Page(2));
  // CPU 1 has never seen this context: the first flush drops everything there.
  Flush(cpu0_, kernel, Pages(1, 1));
  cpu1_.Poll();
  EXPECT_FALSE(Hits(cpu0_, a_, Page(1)));
  EXPECT_FALSE(Hits(cpu1_, b_, Page(1)));

  Fill(cpu1_, b_, Page(1), kReadKernel);
  Fill(cpu1_, b_, Page(2));
  Flush(cpu0_, kernel, Pages(1, 1));
  cpu1_.Poll();
  EXPECT_FALSE(Hits(cpu1_, b_, Page(1)));
  EXPECT_TRUE(Hits(cpu1_, b_, Page(2)));

  Fill(cpu1_, b_, Page(1), kReadKernel);
  cpu1_.GoIdle();
  Flush(cpu0_, kernel, Pages(1, 1));
  EXPECT_FALSE(Hits(cpu1_, b_, Page(1)));
  cpu0_.GoIdle();
  cpu1_.GoIdle();
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Ranges in a batch: merging, and the threshold from both sides, seen by a transport.

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace paddock {
namespace {

// Writes down what it is given, and lets the targets off.
class Recorder : public ShootdownTransport {
 public:
  struct Seen {
    bool full;
    std::vector<VirtRange> ranges;
    std::vector<FrameRun> runs;
  };

  TransportScope scope() const override { return TransportScope::kEveryBatch; }
  void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) override {
    Seen seen{batch.full(), {batch.ranges().begin(), batch.ranges().end()}, {}};
    batch.ForEachFrameRun([&](FrameRun run) { seen.runs.push_back(run); });
    seen_.push_back(std::move(seen));
    targets.ForEach([&](CpuId) { batch.Acknowledge(from); });
  }

  std::vector<Seen> seen_;
};

class ThresholdTest : public testing::Test {
 protected:
  static constexpr uint32_t kThreshold = 4;

  Recorder recorder_;
  TlbMachine m_{1, TlbSystem::Options{.full_flush_threshold = kThreshold}, &recorder_};
  TlbContext context_{m_.tlb()};
  TestCpu cpu_{m_, 0};

  Recorder::Seen Flush(const std::vector<VirtRange>& ranges, bool with_frames = false) {
    const FrameRun frames = with_frames ? m_.NewFrames(ranges.size()) : FrameRun{};
    cpu_.Run([&](const CpuPin& pin) {
      m_.tlb().Activate(pin, context_);
      TlbFlusher flusher(m_.tlb(), context_, pin);
      for (size_t i = 0; i < ranges.size(); ++i) {
        flusher.Issue(ranges[i]);
        if (with_frames) flusher.Retire(FrameRun{frames.start.Plus(i * kPageSize), 1});
      }
      flusher.Dispatch();
      m_.PassGracePeriods(pin);
    });
    return std::exchange(recorder_.seen_, {}).at(0);
  }
  static std::vector<VirtRange> EveryOtherPage(uint64_t pages) {
    std::vector<VirtRange> ranges;
    ranges.reserve(pages);
    for (uint64_t i = 0; i < pages; ++i) ranges.push_back(Pages(2 * i, 1));
    return ranges;
  }
};

TEST_F(ThresholdTest, AtTheThresholdRangesStayApart) {
  const Recorder::Seen seen = Flush(EveryOtherPage(kThreshold));
  EXPECT_FALSE(seen.full);
  EXPECT_EQ(seen.ranges, EveryOtherPage(kThreshold));
  EXPECT_EQ(m_.tlb().stats().full_flushes, 0u);
}

TEST_F(ThresholdTest, OverTheThresholdEverythingIsFlushed) {
  const Recorder::Seen seen = Flush(EveryOtherPage(kThreshold + 1));
  EXPECT_TRUE(seen.full);
  EXPECT_TRUE(seen.ranges.empty());
  EXPECT_EQ(m_.tlb().stats().full_flushes, 1u);
  EXPECT_EQ(m_.tlb().stats().issued, kThreshold + 1);
}

TEST_F(ThresholdTest, FramesAreKeptOnBothSidesOfTheThreshold) {
  const uint64_t used = m_.frames().used_pages();
  for (const uint64_t pages : {kThreshold - 1, kThreshold, kThreshold + 1, 3 * kThreshold}) {
    const Recorder::Seen seen = Flush(EveryOtherPage(pages), /*with_frames=*/true);
    EXPECT_EQ(seen.full, pages > kThreshold);
    ASSERT_EQ(seen.runs.size(), 1u);
    EXPECT_EQ(seen.runs[0].pages, pages);
    EXPECT_EQ(m_.frames().used_pages(), used);
  }
}

TEST_F(ThresholdTest, RangesThatTouchAreMergedUpwardsAndDownwards) {
  EXPECT_EQ(Flush({Pages(3, 1), Pages(4, 2), Pages(2, 1)}).ranges,
            std::vector<VirtRange>({Pages(2, 4)}));
  EXPECT_EQ(Flush({Pages(3, 4), Pages(4, 1), Pages(3, 4)}).ranges,
            std::vector<VirtRange>({Pages(3, 4)}));
  EXPECT_EQ(Flush({Pages(3, 1), Pages(9, 1), Pages(4, 1)}).ranges,
            std::vector<VirtRange>({Pages(3, 1), Pages(9, 1), Pages(4, 1)}));
}

TEST_F(ThresholdTest, TheTopAndTheBottomOfTheAddressSpaceDoNotTouch) {
  const VirtRange top{VirtAddr(~uint64_t{0xfff}), VirtAddr(0)};
  EXPECT_EQ(Flush({top, Pages(0, 1)}).ranges, std::vector<VirtRange>({top, Pages(0, 1)}));
  EXPECT_EQ(Flush({Pages(0, 1), top}).ranges, std::vector<VirtRange>({Pages(0, 1), top}));
  const VirtRange below{VirtAddr(~uint64_t{0x1fff}), top.start};
  EXPECT_EQ(Flush({below, top}).ranges,
            std::vector<VirtRange>({VirtRange{below.start, VirtAddr(0)}}));
}

TEST(ThresholdZeroTest, EveryRangeFlushesEverything) {
  Recorder recorder;
  TlbMachine m(1, TlbSystem::Options{.full_flush_threshold = 0}, &recorder);
  TlbContext context(m.tlb());
  TestCpu cpu(m, 0);
  cpu.Run([&](const CpuPin& pin) { TlbFlusher(m.tlb(), context, pin).Issue(Pages(1, 1)); });
  ASSERT_EQ(recorder.seen_.size(), 1u);
  EXPECT_TRUE(recorder.seen_[0].full);
}

}  // namespace
}  // namespace paddock

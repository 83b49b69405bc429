// SPDX-License-Identifier: Apache-2.0
//
// The harness reports what is wrong: flushes that are acknowledged and not done, writes that are
// lost or torn, cursors that overlap, a stream that hangs.

#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/space/user_io.h"
#include "paddock/core/tlb/shootdown_batch.h"
#include "paddock/core/tlb/transport.h"
#include "paddock/stress/inject/memory_tamper.h"
#include "paddock/stress/memory_words.h"
#include "paddock/stress/watchdog.h"
#include "paddock/tests/stress/harness/campaign_runner.h"

namespace paddock {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

// Says that every CPU has flushed; none has.
class LyingTransport final : public ShootdownTransport {
 public:
  void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) override {
    targets.ForEach([&](CpuId) { batch.Acknowledge(from); });
  }
};

// Nobody flushes: the TLB oracle must see it, and say how to see it again.
Summary RunWithoutFlushes(const std::string& workload) {
  LyingTransport lying;
  Campaign::Hooks hooks;
  hooks.transport = &lying;
  TestCampaign test(TestOptions({"--threads=2"}), std::move(hooks));
  const absl::Status status = test.campaign.RunGenerated(
      *FindWorkload(workload), {.duration = absl::Seconds(30), .steps = std::nullopt});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_GT(test.campaign.oracles().sink.count(kTlbOracle), 0u);
  Summary summary = test.campaign.Summarise();
  EXPECT_FALSE(summary.Passed());
  EXPECT_THAT(summary.violations,
              Contains(Field(&Violation::reproduce,
                             HasSubstr("./paddock stress --replay='" + workload + ":"))));
  return summary;
}

TEST(KnownBugs, AFlushThatIsNotDoneIsSeenByTheTlbOracle) {
  EXPECT_LT(RunWithoutFlushes("tlb").seconds, 25) << "a violated run ends early";
}

TEST(KnownBugs, AKernelAddressThatIsUsedAgainBeforeTheFlushIsSeenByTheTlbOracle) {
  RunWithoutFlushes("kvirt");
}

// Undoes a part of one write in 64, and makes the word of another one of halves.
class LosesAndTears final : public MemoryTamper {
 public:
  enum class What : uint8_t { kLoses, kTears };
  explicit LosesAndTears(What what) : what_(what) {}

  void AfterWrite(VmSpace& space, const CpuPin& pin, VirtAddr va, uint64_t bytes) override {
    const bool shared = va.value() >= kIoSharedStart;
    if (shared != (what_ == What::kTears) || bytes < 8) return;
    if (writes_.fetch_add(1, sync::seq_cst) % 64 != 63) return;
    const UserIo io(space, pin);
    // Of a page that somebody has just unmapped nothing is lost.
    if (what_ == What::kTears) {
      (void)io.WriteOnce<uint16_t>(va.value() + 2, 0x1234);
    } else {
      (void)io.WriteVal<uint32_t>(va.value() + bytes - 4, 0);
    }
  }

 private:
  const What what_;
  sync::Atomic<uint64_t> writes_{0};
};

void ExpectMemoryViolation(LosesAndTears::What what, const char* message) {
  LosesAndTears tamper(what);
  Campaign::Hooks hooks;
  hooks.tamper = &tamper;
  TestCampaign test(TestOptions({"--threads=2"}), std::move(hooks));
  const absl::Status status = test.campaign.RunGenerated(
      *FindWorkload("io"), {.duration = absl::Seconds(30), .steps = std::nullopt});
  EXPECT_TRUE(status.ok()) << status;
  const Summary summary = test.campaign.Summarise();
  EXPECT_FALSE(summary.Passed());
  ASSERT_FALSE(summary.violations.empty());
  EXPECT_EQ(summary.violations.front().oracle, kMemoryOracle);
  EXPECT_THAT(summary.violations.front().message, HasSubstr(message));
  EXPECT_THAT(summary.violations.front().reproduce, HasSubstr("./paddock stress --replay='io:"));
}

TEST(KnownBugs, AWriteThatIsLostInPartIsSeenByTheMemoryOracle) {
  ExpectMemoryViolation(LosesAndTears::What::kLoses,
                        "found other bytes than the last ordered writer left");
}

TEST(KnownBugs, AWordThatIsTornIsSeenByTheMemoryOracle) {
  ExpectMemoryViolation(LosesAndTears::What::kTears, "which nobody wrote");
}

TEST(KnownBugs, OverlappingCursorsInALogAreReported) {
  Oracles oracles(2, "again");
  absl::StatusOr<std::unique_ptr<World>> world = World::Create({.cpus = 2}, oracles);
  ASSERT_TRUE(world.ok()) << world.status();
  TransactionLog first(0);
  TransactionLog second(1);
  const VirtRange range{VirtAddr(0x1000), VirtAddr(0x3000)};
  first.Begin(1, 0, range, 100);
  first.End(200);
  second.Begin(1, 1, {VirtAddr(0x2000), VirtAddr(0x4000)}, 150);
  second.End(250);
  TransactionLog* const logs[] = {&first, &second};
  (*world)->EndRound(logs);
  EXPECT_EQ(oracles.sink.count(kSerializabilityOracle), 1u);
  WorldTotals totals;
  (*world)->Close(0, totals);
  EXPECT_EQ(oracles.sink.count(), 1u) << "nothing else is wrong";
}

TEST(KnownBugs, ACursorThatNobodyCountedDisturbsTheBooks) {
  Oracles oracles(2, "again");
  absl::StatusOr<std::unique_ptr<World>> world = World::Create({.cpus = 2}, oracles);
  ASSERT_TRUE(world.ok()) << world.status();
  WorldTotals totals;
  (*world)->Close(/*opened=*/7, totals);
  ASSERT_EQ(oracles.sink.count(kBooksOracle), 1u);
  EXPECT_THAT(oracles.sink.violations().front().message, HasSubstr("cursors opened"));
}

TEST(KnownBugs, AFrameThatIsKeptIsALeak) {
  Oracles oracles(2, "again");
  absl::StatusOr<std::unique_ptr<World>> world = World::Create({.cpus = 2}, oracles);
  ASSERT_TRUE(world.ok()) << world.status();
  absl::StatusOr<UFrame> kept = (*world)->machine().frames().Allocate(Untyped{}, Zeroing::kLeave);
  ASSERT_TRUE(kept.ok());
  WorldTotals totals;
  (*world)->Close(0, totals);
  EXPECT_EQ(totals.frames_leaked, 1u);
  EXPECT_EQ(oracles.sink.count(kBooksOracle), 1u);
}

TEST(KnownBugs, AMarkOnAFrameThatIsFreeDisturbsTheBooks) {
  Oracles oracles(2, "again");
  absl::StatusOr<std::unique_ptr<World>> world = World::Create({.cpus = 2}, oracles);
  ASSERT_TRUE(world.ok()) << world.status();
  FrameTable& frames = (*world)->machine().frames();
  const PhysAddr last = frames.memory().base().Plus((frames.total_pages() - 1) * kPageSize);
  ASSERT_EQ(frames.slot(last).ref_count.load(sync::seq_cst), kRefUnused);
  frames.slot(last).waiters.store(1, sync::seq_cst);
  WorldTotals totals;
  (*world)->Close(0, totals);
  ASSERT_EQ(oracles.sink.count(kBooksOracle), 1u);
  EXPECT_THAT(oracles.sink.violations().front().message, HasSubstr("1 frames are still locked"));
}

TEST(KnownBugs, ASummaryOfAHangHasWhatWasDoneAndTheRoundToRunAgain) {
  TestCampaign* running = nullptr;
  std::optional<Summary> summary;
  std::promise<void> reported;
  Campaign::Hooks hooks;
  hooks.watchdog.patience = absl::Seconds(2);
  // Asked before the workload and after each round: the run hangs after the second.
  hooks.interrupted = [&, asked = std::make_shared<int>(0)] {
    if (++*asked == 3) reported.get_future().wait();
    return false;
  };
  hooks.on_hang = [&](const std::string&) {
    summary = running->campaign.SummariseHang();
    reported.set_value();
  };
  TestCampaign test(TestOptions({"--threads=2"}), std::move(hooks));
  running = &test;
  EXPECT_TRUE(
      test.campaign
          .RunGenerated(*FindWorkload("overlap"), {.duration = std::nullopt, .steps = 3 * 2 * 8192})
          .ok());
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->verdict(), Verdict::kFail);
  EXPECT_GT(summary->seconds, 4) << "what rests may do so twice as long";
  EXPECT_GT(summary->transactions, 0u) << "those of the first round";
  EXPECT_EQ(summary->oracles.size(), 6u);
  EXPECT_GT(summary->oracles.front().checks, 0u);
  ASSERT_EQ(summary->workloads.size(), 1u);
  EXPECT_EQ(summary->workloads[0].name, "overlap");
  EXPECT_GT(summary->workloads[0].operations, 0u);
  EXPECT_THAT(summary->not_run, testing::ElementsAre("the rest of overlap"));
  ASSERT_FALSE(summary->violations.empty());
  EXPECT_EQ(summary->violations.back().oracle, "watchdog");
  EXPECT_THAT(summary->violations.back().reproduce, HasSubstr("--replay='overlap:"));
  EXPECT_THAT(summary->violations.back().reproduce, testing::EndsWith(":2:1'"));
}

TEST(KnownBugs, AStreamThatStopsIsAHangThatNamesIt) {
  Oracles oracles(2, "again");
  absl::StatusOr<std::unique_ptr<World>> world = World::Create({.cpus = 2}, oracles);
  ASSERT_TRUE(world.ok()) << world.status();
  StreamState stuck(0);
  stuck.heartbeat.SetWorking(true);
  stuck.heartbeat.Begin(Op(UnmapOp{}).index(), 3, {VirtAddr(0x1000), VirtAddr(0x2000)}, 1);
  sync::Parker reported;
  std::mutex mutex;
  std::string report;
  Watchdog watchdog({&stuck}, oracles,
                    {.patience = absl::Milliseconds(50), .interval = absl::Milliseconds(5)},
                    [&](const std::string& text) {
                      const std::lock_guard<std::mutex> lock(mutex);
                      report = text;
                      reported.Unpark();
                    });
  watchdog.Watch(**world, "tlb");
  reported.Park();
  for (;;) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!report.empty()) break;
  }
  watchdog.Forget();
  EXPECT_THAT(report, HasSubstr("no progress for 50ms in tlb"));
  EXPECT_THAT(report, HasSubstr("thread 0 on cpu 1: at work"));
  EXPECT_THAT(report, HasSubstr("unmap of space 3, range [0x1000, 0x2000)"));
  WorldTotals totals;
  (*world)->Close(0, totals);
}

}  // namespace
}  // namespace paddock

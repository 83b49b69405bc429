// SPDX-License-Identifier: Apache-2.0
//
// A lack of memory is the environment's where there is none left, and a violation where there is
// some.

#include <memory>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/stress/recorded_cursor.h"
#include "paddock/tests/stress/harness/campaign_runner.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;

constexpr VirtRange kPage{VirtAddr(0x5000), VirtAddr(0x6000)};

// A stream at work in a world in which one frame is mapped that has as many owners as it can have:
// to take it is RESOURCE_EXHAUSTED, as if it were for lack of a frame.
class FalseAlarm : public testing::Test {
 protected:
  void Start(const Injections& inject) {
    world_ = *World::Create({.cpus = 1, .inject = inject}, oracles_);
    ASSERT_TRUE(seat_.Sit(world_->machine(), CpuId{0}).ok());
    stream_.emplace(*world_, state_, 0);
    stream_->Begin(seat_);
    std::optional<USegment> frame;
    while (!frame) frame = stream_->Allocate(1);
    MetaSlot& slot = world_->machine().frames().slot(frame->start());
    {
      RecordedCursor cursor(*stream_, stream_->Space(0));
      while (!cursor.Open({.range = kPage}).ok()) {
      }
      ASSERT_TRUE(cursor.Map(MappedFrames(*std::move(frame), kReadWriteUser)).ok());
    }
    state_.stats.exhausted = 0;
    const uint32_t owners = slot.ref_count.load(sync::seq_cst);
    slot.ref_count.store(world_->machine().frames().max_references(), sync::seq_cst);
    {
      RecordedCursor cursor(*stream_, stream_->Space(0));
      ASSERT_TRUE(cursor.Open({.range = kPage, .intent = Intent::kNoMap}).ok());
      EXPECT_TRUE(absl::IsResourceExhausted(cursor.TakeNext(kPageSize).status()));
    }
    slot.ref_count.store(owners, sync::seq_cst);
  }
  void TearDown() override {
    stream_->End();
    seat_.StandUp();
    TransactionLog* const logs[] = {&state_.log};
    world_->EndRound(logs);
    const uint64_t violations = oracles_.sink.count();
    WorldTotals totals;
    world_->Close(stream_->opened(), totals);
    EXPECT_EQ(oracles_.sink.count(), violations) << "the books balance";
  }

  Oracles oracles_{1, "again"};
  StreamState state_{0};
  std::unique_ptr<World> world_;
  CpuSeat seat_;
  std::optional<Stream> stream_;
};

TEST_F(FalseAlarm, IsAViolationWhileThereIsMemory) {
  Start({});
  ASSERT_EQ(oracles_.sink.count(kSerializabilityOracle), 1u);
  EXPECT_THAT(oracles_.sink.violations().front().message,
              HasSubstr("take_next of [0x5000, 0x6000) on cpu 0 failed where it may not"));
  EXPECT_EQ(state_.stats.exhausted, 0u);
}

TEST_F(FalseAlarm, IsCountedWhereMemoryMayRunOut) {
  Injections inject;
  inject.Add(Injection::kAlloc);
  Start(inject);
  EXPECT_EQ(oracles_.sink.count(), 0u);
  EXPECT_EQ(state_.stats.exhausted, 1u);
}

TEST(Memory, TooLittleForAWorkloadIsTheEnvironments) {
  TestCampaign test(TestOptions({"--threads=2", "--memory=4MiB"}));
  const absl::Status status = test.campaign.RunGenerated(
      *FindWorkload("disjoint"), {.duration = std::nullopt, .steps = 100'000});
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--memory=8MiB"));
  EXPECT_EQ(test.campaign.Summarise().violation_count, 0u);
}

}  // namespace
}  // namespace paddock

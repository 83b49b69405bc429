// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/hang_detector.h"

#include "gtest/gtest.h"

namespace paddock {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// Two streams at work, looked at once a second; a hang is 60 seconds.
class HangDetectorTest : public testing::Test {
 protected:
  HangDetectorTest() {
    SetWorking(true);
    detector_.Restart(now_ns_);
  }

  // Whether a hang was seen within so many seconds, in each of which `step` happens.
  template <typename Step>
  bool HangsWithin(int seconds, Step step) {
    bool hangs = false;
    for (int i = 0; i < seconds; ++i) {
      step();
      now_ns_ += kSecond;
      hangs = detector_.Look(now_ns_) || hangs;
    }
    return hangs;
  }
  void SetWorking(bool working) {
    for (StreamState* stream : {&first_, &second_}) stream->heartbeat.SetWorking(working);
  }
  static void Work(StreamState& stream) { stream.heartbeat.Begin(0, 1, {}, 0); }

  StreamState first_{0};
  StreamState second_{1};
  HangDetector detector_{{&first_, &second_},
                         {.patience = absl::Seconds(60), .interval = absl::Seconds(1)}};
  uint64_t now_ns_ = 1000 * kSecond;
};

TEST_F(HangDetectorTest, StreamsThatWorkDoNotHang) {
  EXPECT_FALSE(HangsWithin(200, [&] {
    Work(first_);
    Work(second_);
  }));
}

TEST_F(HangDetectorTest, AStreamThatStopsAtWorkHangsThoughOthersGoOn) {
  EXPECT_FALSE(HangsWithin(60, [&] { Work(first_); }));
  EXPECT_TRUE(HangsWithin(2, [&] { Work(first_); }));
}

TEST_F(HangDetectorTest, AStreamThatIsDoneDoesNotHang) {
  second_.heartbeat.SetWorking(false);
  EXPECT_FALSE(HangsWithin(200, [&] { Work(first_); }));
  second_.heartbeat.SetWorking(true);
  EXPECT_FALSE(HangsWithin(59, [&] { Work(first_); })) << "it has just begun";
}

TEST_F(HangDetectorTest, AStreamThatWaitsForWorkOfOthersDoesNotHang) {
  EXPECT_FALSE(HangsWithin(200, [&] {
    Work(first_);
    second_.heartbeat.Wait();
  }));
}

TEST_F(HangDetectorTest, StreamsThatWaitForEachOtherHang) {
  EXPECT_TRUE(HangsWithin(62, [&] {
    first_.heartbeat.Wait();
    second_.heartbeat.Wait();
  }));
}

TEST_F(HangDetectorTest, AProcessThatWasStoppedGetsAllItsTimeAgain) {
  EXPECT_FALSE(HangsWithin(50, [] {}));
  now_ns_ += 3600 * kSecond;
  EXPECT_FALSE(HangsWithin(1, [] {}));
  EXPECT_EQ(detector_.awake_since_ns(), now_ns_);
  EXPECT_FALSE(HangsWithin(60, [] {}));
  EXPECT_TRUE(HangsWithin(1, [] {}));
}

TEST_F(HangDetectorTest, WhileAllRestTwiceAsLongMayPass) {
  SetWorking(false);
  EXPECT_FALSE(HangsWithin(120, [] {}));
  EXPECT_TRUE(HangsWithin(2, [] {}));
}

TEST_F(HangDetectorTest, ALongRestIsNotHeldAgainstTheNextRound) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(HangsWithin(50, [&] {
      Work(first_);
      Work(second_);
    }));
    SetWorking(false);
    EXPECT_FALSE(HangsWithin(110, [] {})) << "a round is digested";
    SetWorking(true);
    EXPECT_FALSE(HangsWithin(50, [] {})) << "a round has just begun";
  }
}

}  // namespace
}  // namespace paddock

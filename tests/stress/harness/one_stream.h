// SPDX-License-Identifier: Apache-2.0
//
// A world with one stream at work, whose operations a test gives itself.
//
//   OneStream one({.io_spaces = kIoSpaces});
//   one.Run({OpenOp{.range = page}, MapOp{.content = MapContent::kWords}, CloseOp{}});
//   one.Close();      // balances the books
//   EXPECT_EQ(one.oracles().sink.count(), 0u);

#ifndef PADDOCK_TESTS_STRESS_HARNESS_ONE_STREAM_H_
#define PADDOCK_TESTS_STRESS_HARNESS_ONE_STREAM_H_

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/stress/executor.h"
#include "paddock/stress/oracles.h"
#include "paddock/stress/stream.h"
#include "paddock/stress/world.h"

namespace paddock {

class OneStream {
 public:
  explicit OneStream(World::Options options) : oracles_(2, "again"), state_(0) {
    options.cpus = 2;
    options.memory_bytes = uint64_t{64} << 20;
    options.fixed_spaces = 2;
    absl::StatusOr<std::unique_ptr<World>> world = World::Create(options, oracles_);
    EXPECT_TRUE(world.ok()) << world.status();
    world_ = *std::move(world);
    stream_ = std::make_unique<Stream>(*world_, state_, 0);
    EXPECT_TRUE(seat_.Sit(world_->machine(), CpuId{0}).ok());
    stream_->Begin(seat_);
    executor_ = std::make_unique<Executor>(*stream_);
  }
  ~OneStream() { Close(); }

  void Run(const std::vector<Op>& ops) { executor_->Run(ops); }
  void Close() {
    if (world_ == nullptr) return;
    executor_.reset();
    stream_->End();
    seat_.StandUp();
    TransactionLog* const logs[] = {&state_.log};
    world_->EndRound(logs);
    WorldTotals totals;
    world_->Close(stream_->opened(), totals);
    EXPECT_EQ(totals.frames_leaked, 0u);
    stream_.reset();
    world_.reset();
  }

  World& world() { return *world_; }
  Stream& stream() { return *stream_; }
  Oracles& oracles() { return oracles_; }
  OpStats& stats() { return state_.stats; }
  // The messages of all violations, one after the other.
  std::string Violations() const {
    std::string text;
    for (const Violation& violation : oracles_.sink.violations()) {
      text += violation.oracle + ": " + violation.message + "\n";
    }
    return text;
  }

 private:
  Oracles oracles_;
  StreamState state_;
  CpuSeat seat_;
  std::unique_ptr<World> world_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_STRESS_HARNESS_ONE_STREAM_H_

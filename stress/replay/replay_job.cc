// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/replay/replay_job.h"

#include <optional>

#include "paddock/concurrency/sync.h"
#include "paddock/stress/replay/replayer.h"
#include "paddock/stress/rng.h"
#include "paddock/stress/workload/generator.h"

namespace paddock {
namespace {

// A worker leaves a thread that is still ready to others after so many operations.
constexpr int kOperationsPerTurn = 64;

}  // namespace

void ReplayJob::RunSlice(Stream& stream, uint32_t number, const SliceLimit& limit) {
  Replayer replayer(stream);
  StreamRng rng(SeedOf({limit.round, number}));
  RcuTorture& torture = stream.world().torture();
  uint64_t steps = 0;
  while (!done() && steps < limit.steps && !stream.world().failed() &&
         sync::NowNs() < limit.deadline_ns) {
    std::optional<ReplayTurn> turn = schedule_.Take();
    if (!turn) {
      // What is ready is with other workers, which may wait for this CPU.
      stream.Poll();
      sync::YieldThread();
      continue;
    }
    for (int i = 0; turn && i < kOperationsPerTurn && !stream.world().failed(); ++i, ++steps) {
      const SpaceRef& space = stream.Space(turn->process);
      replayer.Replay(space, *turn->operation);
      turn = schedule_.Finish(*turn);
      stream.Poll();
    }
    if (turn) schedule_.GiveBack(*turn);
    const auto cell = static_cast<uint32_t>(rng.Below(kRcuCells));
    torture.Replace(stream.pin(), cell);
    torture.Read(stream.pin(), static_cast<uint32_t>(rng.Below(kRcuCells)), 8);
    torture.Read(stream.pin(), cell, 8);
    stream.injector().BetweenSteps(stream.machine().rcu(), stream.pin());
  }
}

uint64_t ReplayJob::MemoryBytes(const TracePlan& plan) {
  constexpr uint64_t kSlackPages = (uint64_t{64} << 20) / kPageSize;
  const TraceSizing& sizing = plan.sizing;
  return (2 * (sizing.touched_pages + sizing.table_pages) + kSlackPages) * kPageSize;
}

}  // namespace paddock

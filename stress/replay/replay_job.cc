// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/replay/replay_job.h"

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "paddock/concurrency/sync.h"
#include "paddock/stress/replay/replayer.h"
#include "paddock/stress/rng.h"
#include "paddock/stress/trace/meaning.h"
#include "paddock/stress/workload/generator.h"

namespace paddock {
namespace {

// A worker leaves a thread that is still ready to others after so many operations.
constexpr int kOperationsPerTurn = 64;

constexpr const char* kRunEnded = "the run ended before";

// Why an operation was not carried out.
std::string CauseOf(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return ReplayJob::kNoMemory;
  if (absl::IsCancelled(status)) return kRunEnded;
  return absl::StrCat("refused as ", absl::StatusCodeToString(status.code()));
}

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
      stream.AwaitWork();
      continue;
    }
    for (int i = 0; turn && i < kOperationsPerTurn && !stream.world().failed(); ++i, ++steps) {
      const TraceOperation& operation = *turn->operation;
      Tally& tally = tallies_[number];
      const absl::Status status = replayer.Replay(stream.Space(turn->process), operation);
      uint64_t& lines = status.ok() ? tally.replayed[static_cast<size_t>(operation.kind)]
                                    : tally.undone[CauseOf(status)];
      lines += operation.lines();
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

std::map<std::string, uint64_t> ReplayJob::undone() const {
  std::map<std::string, uint64_t> all;
  for (const Tally& tally : tallies_) {
    for (const auto& [cause, lines] : tally.undone) all[cause] += lines;
  }
  return all;
}

TraceSummary ReplayJob::Summarise() const {
  const TraceAccounting& accounting = plan_.accounting;
  TraceSummary summary{.file = plan_.name,
                       .lines = accounting.lines,
                       .skipped = accounting.skipped,
                       .not_understood = accounting.not_understood,
                       .processes = plan_.processes.size(),
                       .threads = plan_.ThreadCount()};
  uint64_t ahead = 0;
  for (const auto& [event, lines] : accounting.planned) ahead += lines;
  for (const Tally& tally : tallies_) {
    for (int kind = 0; kind < kTraceOpKinds; ++kind) {
      if (tally.replayed[kind] == 0) continue;
      const TraceCall call = TraceCallOf(static_cast<TraceOpKind>(kind));
      summary.replayed[std::string(TraceCallName(call))] += tally.replayed[kind];
      ahead -= tally.replayed[kind];
    }
  }
  for (const auto& [cause, lines] : undone()) {
    summary.skipped[cause] += lines;
    ahead -= lines;
  }
  if (ahead != 0) summary.skipped[kRunEnded] += ahead;
  for (const TraceAccounting::Example& example : accounting.examples) {
    summary.examples.push_back({example.line, example.reason});
  }
  return summary;
}

uint64_t ReplayJob::MemoryBytes(const TracePlan& plan) {
  constexpr uint64_t kSlackPages = (uint64_t{64} << 20) / kPageSize;
  const TraceSizing& sizing = plan.sizing;
  return (2 * (sizing.touched_pages + sizing.table_pages) + kSlackPages) * kPageSize;
}

}  // namespace paddock

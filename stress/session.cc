// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/session.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "paddock/stress/generated_job.h"
#include "paddock/stress/replay/replay_job.h"

namespace paddock {
namespace {

constexpr uint64_t kSliceNs = 150'000'000;
// What each thread beyond the second adds to a workload's memory.
constexpr uint64_t kBytesPerThread = uint64_t{16} << 20;

// With `exhaust`: what a workload would fill in no time.
uint64_t TooLittle(uint64_t bytes) { return std::max(bytes / 64, uint64_t{5} << 20); }

}  // namespace

Session::Session(const StressOptions& options, ProgressLine& progress, Hooks hooks)
    : options_(options),
      hooks_(std::move(hooks)),
      progress_(progress),
      crew_(options.threads),
      oracles_(options.threads, options.Command()),
      start_ns_(sync::NowNs()) {
  std::vector<const StreamState*> streams;
  for (uint32_t i = 0; i < options.threads; ++i) {
    states_.push_back(std::make_unique<StreamState>(i));
    streams.push_back(states_.back().get());
  }
  watchdog_.emplace(std::move(streams), oracles_, hooks_.watchdog,
                    [this](const std::string& report) {
                      oracles_.sink.Report("watchdog", report);
                      if (hooks_.on_hang) hooks_.on_hang(report);
                    });
}

Session::~Session() = default;

bool Session::finished() const {
  return oracles_.sink.count() != 0 || (hooks_.interrupted && hooks_.interrupted());
}

World::Options Session::WorldOptions(std::string_view workload, uint32_t fixed, uint32_t churned,
                                     uint64_t memory_bytes) const {
  World::Options world;
  world.cpus = options_.threads;
  world.memory_bytes = memory_bytes;
  if (options_.inject.Has(Injection::kExhaust)) world.memory_bytes = TooLittle(memory_bytes);
  if (options_.memory_bytes) world.memory_bytes = *options_.memory_bytes;
  world.fixed_spaces = fixed;
  world.churned_spaces = churned;
  world.inject = options_.inject;
  world.seed = SeedOf({options_.seed, workload.size()});
  world.transport = hooks_.transport;
  return world;
}

absl::Status Session::RunGenerated(const WorkloadInfo& info, const Budget& budget) {
  Rounds rounds;
  if (budget.duration) {
    rounds.end_ns =
        sync::NowNs() + static_cast<uint64_t>(absl::ToInt64Nanoseconds(*budget.duration));
    rounds.slice_ns = kSliceNs;
  }
  if (budget.steps) {
    rounds.steps = *budget.steps / options_.threads + (*budget.steps % options_.threads != 0);
  }
  return RunWorkload(info, rounds);
}

absl::Status Session::RunReplay(const ReplayToken& token) {
  Rounds rounds;
  rounds.first = token.round / kRoundsPerWorld * kRoundsPerWorld;
  rounds.end = token.round + 1;
  return RunWorkload(*FindWorkload(token.workload), rounds);
}

absl::Status Session::RunWorkload(const WorkloadInfo& info, const Rounds& rounds) {
  GeneratedJob job(info, options_.seed, options_.threads);
  const uint64_t memory = (uint64_t{info.memory_mib} << 20) + options_.threads * kBytesPerThread;
  absl::Status status =
      RunRounds(WorldOptions(info.name, info.fixed_spaces, info.churned_spaces, memory), info.name,
                job, rounds);
  digests_.push_back({std::string(info.name), job.digest(), job.steps()});
  return status;
}

absl::Status Session::RunTrace(const TracePlan& plan) {
  ReplayJob job(plan, options_.pace);
  Rounds rounds;
  rounds.slice_ns = kSliceNs;
  rounds.rounds_per_world = ~uint64_t{0};
  const auto processes = static_cast<uint32_t>(plan.processes.size());
  absl::Status status =
      RunRounds(WorldOptions(kTraceWorkload, processes, 0, ReplayJob::MemoryBytes(plan)),
                absl::StrCat("trace ", plan.name), job, rounds);
  TraceSummary summary;
  summary.file = plan.name;
  summary.lines = plan.accounting.lines;
  summary.replayed = plan.accounting.replayed;
  summary.skipped = plan.accounting.skipped;
  summary.not_understood = plan.accounting.not_understood;
  summary.processes = plan.processes.size();
  summary.threads = plan.ThreadCount();
  traces_.push_back(std::move(summary));
  if (status.ok() && !finished() && job.remaining() != 0) {
    oracles_.sink.Report(
        kBooksOracle, absl::StrCat(plan.name, ": ", job.remaining(), " of ", plan.OperationCount(),
                                   " operations were not replayed"));
  }
  return status;
}

absl::Status Session::RunRounds(const World::Options& world_options, std::string_view workload,
                                Job& job, const Rounds& rounds) {
  const uint64_t begin_ns = sync::NowNs();
  const uint64_t operations = OperationsDone();
  const uint64_t violations = oracles_.sink.count();
  uint64_t round = rounds.first;
  uint64_t steps_left = rounds.steps;
  absl::StatusOr<std::unique_ptr<PhysicalMemory>> backing =
      PhysicalMemory::Anonymous(world_options.memory_bytes);
  if (!backing.ok()) return backing.status();
  World::Options options = world_options;
  options.backing = backing->get();
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) {
    absl::StatusOr<std::unique_ptr<World>> world = World::Create(options, oracles_);
    if (!world.ok()) return world.status();
    more = RunWorld(**world, workload, job, rounds, round, steps_left);
  }
  workloads_.push_back({std::string(workload), static_cast<double>(sync::NowNs() - begin_ns) * 1e-9,
                        OperationsDone() - operations, oracles_.sink.count() - violations});
  return more.status();
}

absl::StatusOr<bool> Session::RunWorld(World& world, std::string_view workload, Job& job,
                                       const Rounds& rounds, uint64_t& round,
                                       uint64_t& steps_left) {
  std::vector<std::unique_ptr<Stream>> streams;
  std::vector<TransactionLog*> logs;
  for (const std::unique_ptr<StreamState>& state : states_) {
    streams.push_back(
        std::make_unique<Stream>(world, *state, SeedOf({options_.seed, round, state->index})));
    logs.push_back(&state->log);
  }
  watchdog_->Watch(world, std::string(workload), Watchdog::Phase::kRunning);
  bool more = true;
  for (uint64_t i = 0; more && i < rounds.rounds_per_world; ++i) {
    const SliceLimit limit{
        .round = round,
        .steps = std::min(steps_left, kStepsPerRound),
        .deadline_ns = rounds.slice_ns == 0
                           ? sync::kNoDeadline
                           : std::min(sync::NowNs() + rounds.slice_ns, rounds.end_ns)};
    crew_.Round(world.machine(), [&](uint32_t number, CpuSeat& seat) {
      Stream& stream = *streams[number];
      stream.Begin(seat);
      job.RunSlice(stream, number, limit);
      stream.End();
    });
    world.EndRound(logs);
    NoteViolations(workload, round);
    ShowProgress();
    steps_left -= limit.steps;
    ++round;
    more = round < rounds.end && steps_left != 0 && sync::NowNs() < rounds.end_ns && !job.done() &&
           !finished() && !world.failed();
  }
  watchdog_->Watch(world, absl::StrCat("closing ", std::string(workload)),
                   Watchdog::Phase::kClosing);
  uint64_t opened = 0;
  for (const std::unique_ptr<Stream>& stream : streams) opened += stream->opened();
  world.Close(opened, totals_);
  watchdog_->Forget();
  NoteViolations(workload, round - 1);
  if (world.failed()) return world.status();
  return more && !finished();
}

void Session::NoteViolations(std::string_view workload, uint64_t round) {
  const uint64_t count = oracles_.sink.count();
  if (count == noted_violations_) return;
  std::string command = options_.Command();
  if (FindWorkload(workload) != nullptr) {
    const ReplayToken token{std::string(workload), options_.seed, options_.threads, round,
                            options_.inject};
    command = absl::StrCat("./paddock stress --replay='", ToString(token), "'");
    if (options_.memory_bytes) absl::StrAppend(&command, " --memory=", *options_.memory_bytes);
  }
  reproductions_.emplace_back(noted_violations_, std::move(command));
  noted_violations_ = count;
}

uint64_t Session::OperationsDone() const {
  uint64_t total = 0;
  for (const auto& state : states_) total += state->stats.operations().total();
  return total;
}

void Session::ShowProgress() {
  progress_.Update({.elapsed_s = static_cast<double>(sync::NowNs() - start_ns_) * 1e-9,
                    .operations = OperationsDone(),
                    .violations = oracles_.sink.count()});
}

}  // namespace paddock

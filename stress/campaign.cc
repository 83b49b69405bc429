// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/campaign.h"

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

Campaign::Campaign(const StressOptions& options, ProgressLine& progress, Hooks hooks)
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

Campaign::~Campaign() = default;

World::Options Campaign::WorldOptions(std::string_view workload, uint64_t memory_bytes) const {
  World::Options world;
  world.cpus = options_.threads;
  world.memory_bytes = memory_bytes;
  if (options_.inject.Has(Injection::kExhaust)) world.memory_bytes = TooLittle(memory_bytes);
  if (options_.memory_bytes) world.memory_bytes = *options_.memory_bytes;
  world.inject = options_.inject;
  world.seed = SeedOf({options_.seed, HashName(workload)});
  world.transport = hooks_.transport;
  world.tamper = hooks_.tamper;
  return world;
}

absl::Status Campaign::RunGenerated(const WorkloadInfo& info, const Budget& budget) {
  Rounds rounds;
  if (budget.duration) {
    rounds.end_ns =
        sync::NowNs() + static_cast<uint64_t>(absl::ToInt64Nanoseconds(*budget.duration));
    rounds.slice_ns = kSliceNs;
  }
  if (budget.steps) rounds.steps = StepsOfEach(*budget.steps, options_.threads);
  return RunWorkload(info, rounds);
}

absl::Status Campaign::RunReplay(const ReplayToken& token) {
  Rounds rounds;
  rounds.next = token.round / kRoundsPerWorld * kRoundsPerWorld;
  rounds.last = token.round;
  return RunWorkload(*FindWorkload(token.workload), rounds);
}

absl::Status Campaign::RunWorkload(const WorkloadInfo& info, Rounds rounds) {
  const std::string name(info.name);
  if (finished()) {
    not_run_.push_back(name);
    return absl::OkStatus();
  }
  GeneratedJob job(info, options_.seed, options_.threads);
  const uint64_t memory = (uint64_t{info.memory_mib} << 20) + options_.threads * kBytesPerThread;
  World::Options world = WorldOptions(name, memory);
  world.fixed_spaces = info.fixed_spaces;
  world.churned_spaces = info.churned_spaces;
  world.io_spaces = info.io_spaces;
  world.kernel_areas = info.kernel_areas;
  absl::Status status = RunRounds(world, name, job, rounds);
  digests_.push_back({name, job.digest(), job.steps()});
  if (!rounds.done) {
    not_run_.push_back(absl::StrCat("the rest of ", name, " after ", job.steps(), " steps"));
  }
  return status;
}

absl::Status Campaign::RunTrace(const TracePlan& plan) {
  const std::string name = absl::StrCat("trace ", plan.name);
  if (finished()) {
    not_run_.push_back(name);
    return absl::OkStatus();
  }
  ReplayJob job(plan, options_.pace, options_.threads);
  Rounds rounds;
  rounds.slice_ns = kSliceNs;
  rounds.rounds_per_world = ~uint64_t{0};
  World::Options world = WorldOptions(kTraceWorkload, ReplayJob::MemoryBytes(plan));
  world.fixed_spaces = static_cast<uint32_t>(plan.processes.size());
  absl::Status status = RunRounds(world, name, job, rounds);
  traces_.push_back(job.Summarise());
  if (!rounds.done) {
    not_run_.push_back(
        absl::StrCat(job.remaining(), " of ", plan.OperationCount(), " operations of ", name));
  }
  if (!rounds.done || !status.ok()) return status;
  for (const auto& [cause, lines] : job.undone()) {
    if (cause == ReplayJob::kNoMemory && options_.inject.MayExhaust()) continue;
    oracles_.sink.Report(kBooksOracle,
                         absl::StrCat(name, ": ", lines, " lines could not be replayed: ", cause));
  }
  return status;
}

absl::Status Campaign::RunRounds(World::Options options, const std::string& workload, Job& job,
                                 Rounds& rounds) {
  const uint64_t begin_ns = sync::NowNs();
  const uint64_t operations = OperationsDone();
  const uint64_t violations = oracles_.sink.count();
  absl::StatusOr<std::unique_ptr<PhysicalMemory>> backing =
      PhysicalMemory::Anonymous(options.memory_bytes);
  if (!backing.ok()) return backing.status();
  options.backing = backing->get();
  absl::Status status;
  do {
    absl::StatusOr<std::unique_ptr<World>> world = World::Create(options, oracles_);
    if (!world.ok()) return world.status();
    status = RunWorld(**world, workload, job, rounds);
  } while (status.ok() && !rounds.done && !finished());
  workloads_.push_back({workload, static_cast<double>(sync::NowNs() - begin_ns) * 1e-9,
                        OperationsDone() - operations, oracles_.sink.count() - violations});
  return status;
}

absl::Status Campaign::RunWorld(World& world, const std::string& workload, Job& job,
                                Rounds& rounds) {
  std::vector<std::unique_ptr<Stream>> streams;
  std::vector<TransactionLog*> logs;
  for (const std::unique_ptr<StreamState>& state : states_) {
    const uint64_t seed = SeedOf({options_.seed, rounds.next, state->index});
    streams.push_back(std::make_unique<Stream>(world, *state, seed));
    logs.push_back(&state->log);
  }
  watchdog_->Watch(world, workload);
  uint64_t round = 0;
  uint64_t rounds_here = 0;
  do {
    round = rounds.next++;
    const uint64_t slice_end_ns =
        rounds.slice_ns == 0 ? sync::kNoDeadline : sync::NowNs() + rounds.slice_ns;
    const SliceLimit limit{.round = round,
                           .steps = std::min(rounds.steps, kStepsPerRound),
                           .deadline_ns = std::min(slice_end_ns, rounds.end_ns)};
    MarkRound(workload, round);
    crew_.Round(world.machine(), [&](uint32_t number, CpuSeat& seat) {
      Stream& stream = *streams[number];
      stream.Begin(seat);
      job.RunSlice(stream, number, limit);
      stream.End();
    });
    world.EndRound(logs);
    NoteViolations(workload, round);
    rounds.steps -= limit.steps;
    ShowProgress(job);
    rounds.done =
        round == rounds.last || rounds.steps == 0 || sync::NowNs() >= rounds.end_ns || job.done();
  } while (!rounds.done && !finished() && !world.failed() &&
           ++rounds_here < rounds.rounds_per_world);
  watchdog_->Watch(world, absl::StrCat("closing ", workload));
  uint64_t opened = 0;
  for (const std::unique_ptr<Stream>& stream : streams) opened += stream->opened();
  world.Close(opened, totals_);
  watchdog_->Forget();
  NoteViolations(workload, round);
  return world.status();
}

void Campaign::NoteViolations(const std::string& workload, uint64_t round) {
  const uint64_t count = oracles_.sink.count();
  if (count == noted_violations_) return;
  reproductions_.emplace_back(noted_violations_, CommandFor(workload, round));
  noted_violations_ = count;
}

std::string Campaign::CommandFor(const std::string& workload, uint64_t round) const {
  StressOptions again = options_;
  if (FindWorkload(workload) != nullptr) {
    again.replay = {workload, options_.seed, options_.threads, round, options_.inject};
  }
  return again.Command();
}

void Campaign::MarkRound(const std::string& workload, uint64_t round) {
  Summary summary = Summarise();
  WorkloadSummary current{workload, summary.seconds, OperationsDone(), summary.violation_count};
  for (const WorkloadSummary& before : workloads_) {
    current.seconds -= before.seconds;
    current.operations -= before.operations;
    current.violations -= before.violations;
  }
  summary.workloads.push_back(std::move(current));
  summary.not_run.push_back(absl::StrCat("the rest of ", workload));
  const std::lock_guard<std::mutex> lock(mark_mutex_);
  marked_ = std::move(summary);
  marked_command_ = CommandFor(workload, round);
}

uint64_t Campaign::OperationsDone() const {
  uint64_t total = 0;
  for (const auto& state : states_) total += state->stats.operations().total();
  return total;
}

void Campaign::ShowProgress(const Job& job) {
  uint64_t steps = job.steps();
  for (const StreamDigest& before : digests_) steps += before.steps;
  progress_.Update({.elapsed_s = static_cast<double>(sync::NowNs() - start_ns_) * 1e-9,
                    .operations = OperationsDone(),
                    .violations = oracles_.sink.count(),
                    .steps = steps});
}

}  // namespace paddock

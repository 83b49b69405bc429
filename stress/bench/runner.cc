// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/runner.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "absl/strings/str_format.h"
#include "benchmark/benchmark.h"
#include "paddock/concurrency/check.h"
#include "paddock/stress/bench/chunks.h"
#include "paddock/stress/bench/progress.h"
#include "paddock/stress/interrupt.h"

namespace paddock::bench {
namespace {

using Group = std::vector<const Case*>;

std::vector<Group> GroupsOf(const std::vector<Case>& cases) {
  std::vector<Group> groups;
  for (const Case& each : cases) {
    const auto known = std::find_if(groups.begin(), groups.end(), [&](const Group& group) {
      return group.front()->group == each.group;
    });
    if (known == groups.end()) {
      groups.push_back({&each});
    } else {
      known->push_back(&each);
    }
  }
  return groups;
}

// Keeps the time of the run instead of printing it.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      // Google Benchmark divides by the iterations of all threads, of which each has one.
      const double ns = run.GetAdjustedRealTime() * static_cast<double>(run.threads);
      sample_ = {ns, run.counters.at(kUnitCounter)};
    }
  }
  std::optional<Sample> sample() const { return sample_; }

 private:
  std::optional<Sample> sample_;
};

void Register(const Case& each) {
  benchmark::RegisterBenchmark(each.id.name.c_str(), each.run)
      ->Arg(each.argument)
      ->Threads(each.id.threads)
      ->Iterations(1)
      ->UseManualTime();
}

// What Google Benchmark calls it, as a regular expression.
std::string FilterOf(const Case& each) {
  return absl::StrFormat("^%s/%d/iterations:1/manual_time/threads:%d$", each.id.name, each.argument,
                         each.id.threads);
}

void MeasureOnce(const Case& each, uint64_t repetition_ns, Results& results) {
  Collector collector;
  PrepareRepetition(repetition_ns, each.id.threads);
  const size_t count = benchmark::RunSpecifiedBenchmarks(&collector, FilterOf(each));
  PADDOCK_CHECK(count == 1 && collector.sample(), "a case is not found under its name");
  // Stopped in the middle, it may have measured next to nothing.
  if (InterruptHandler::signal() != 0) return;
  results.Add(each.id, *collector.sample());
}

}  // namespace

void RunRounds(const std::vector<Case>& cases, const RunOptions& options, Results& results) {
  const auto repetition_ns = static_cast<uint64_t>(options.seconds * 1e9);
  for (const Case& each : cases) Register(each);
  std::vector<Group> groups = GroupsOf(cases);
  std::mt19937 random(1);
  Progress progress(static_cast<size_t>(options.rounds) * cases.size());
  for (int round = 0; round < options.rounds; ++round) {
    std::shuffle(groups.begin(), groups.end(), random);
    for (const Group& group : groups) {
      for (const Case* const each : group) {
        if (InterruptHandler::signal() != 0) return;
        progress.Begin(
            absl::StrFormat("round %d of %d, %s", round + 1, options.rounds, each->id.Text()));
        if (options.tidy_up != nullptr) options.tidy_up();
        MeasureOnce(*each, repetition_ns, results);
        progress.End();
      }
    }
  }
}

}  // namespace paddock::bench

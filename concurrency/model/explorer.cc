// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/explorer.h"

#include <time.h>

#include <algorithm>
#include <string_view>

#include "paddock/concurrency/model/sampling.h"
#include "paddock/concurrency/model/trace.h"

namespace paddock::model {
namespace {

// How often the clock and the caller are asked, in executions.
constexpr uint64_t kProgressEvery = 256;
// How many executions a failure is worth that is already found, to find it with fewer deviations.
constexpr uint64_t kShorteningExecutions = 20'000;

uint64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

std::string Text(const HostString& text) { return {text.data(), text.size()}; }

}  // namespace

uint64_t Explorer::ElapsedNs() const { return MonotonicNs() - started_ns_; }

void Explorer::Note(const Execution& execution, Exploration& result) {
  if (execution.outcome() == Outcome::kPruned) {
    ++result.pruned;
    return;
  }
  ++result.executions;
  result.longest_ticks = std::max(result.longest_ticks, execution.ticks());
  for (const HostString& state : execution.reached()) ++result.reached[Text(state)];
}

// False: it failed, and the violation is in the result.
bool Explorer::RunOne(Strategy& strategy, Exploration& result) {
  Execution execution(memory_, strategy, {});
  execution.Run(scenario_.body);
  Note(execution, result);
  if (execution.outcome() != Outcome::kFailed) return true;
  result.violation = Shorten(execution.failure(), execution.schedule());
  return false;
}

Explorer::Ended Explorer::Drive(Strategy& strategy, Learning learning, const Search& search,
                                Progress progress, Exploration& result) {
  while (strategy.Begin()) {
    if (!RunOne(strategy, result)) return Ended::kStopped;
    if (learning == Learning::kAtOnce) memory_.LearnShared();
    const uint64_t runs = result.executions + result.pruned;
    if (runs >= search.most_executions) return Ended::kStopped;
    if (runs % kProgressEvery != 0) continue;
    result.seconds = static_cast<double>(ElapsedNs()) * 1e-9;
    if (ElapsedNs() > search.budget_ns || !progress(result)) return Ended::kStopped;
  }
  return Ended::kExhausted;
}

bool Explorer::CheckDeterminism(Exploration& result) {
  const Schedule none;
  // The first run only lets the code set up what it keeps for ever: on the heap, not in the arena.
  {
    Replay replay(none);
    Execution warm_up(memory_, replay, {.in_arena = false});
    warm_up.Run(scenario_.body);
  }
  uint64_t hash = 0;
  uint32_t ticks = 0;
  for (int run = 0; run < 2; ++run) {
    Replay replay(none);
    Execution execution(memory_, replay, {});
    execution.Run(scenario_.body);
    Note(execution, result);
    if (execution.outcome() == Outcome::kFailed) {
      result.violation = Shorten(execution.failure(), execution.schedule());
      return false;
    }
    if (run == 1 && (execution.hash() != hash || execution.ticks() != ticks)) {
      result.violation =
          Violation{.kind = "not deterministic",
                    .message = "two executions of the default schedule did different things",
                    .token = EncodeSchedule(none),
                    .trace = ""};
      return false;
    }
    hash = execution.hash();
    ticks = execution.ticks();
  }
  return true;
}

void Explorer::SearchDepthFirst(const Search& search, Progress progress, Exploration& result) {
  const bool unbounded = search.bound == DepthFirst::kUnbounded;
  for (uint32_t bound = unbounded ? DepthFirst::kUnbounded : 0;;) {
    memory_.LearnShared();
    DepthFirst strategy(bound, search.reduction);
    if (Drive(strategy, Learning::kLater, search, progress, result) == Ended::kStopped) return;
    if (memory_.LearnShared()) continue;  // once more, with what was learnt
    result.bound = strategy.was_cut() ? bound : DepthFirst::kUnbounded;
    if (!strategy.was_cut() || bound == search.bound) break;
    ++bound;
  }
  result.complete = true;
}

Exploration Explorer::Run(const Search& search, Progress progress) {
  Exploration result;
  started_ns_ = MonotonicNs();
  memory_.ForgetShared();
  if (CheckDeterminism(result)) {
    switch (search.method) {
      case Search::Method::kDepthFirst:
        SearchDepthFirst(search, progress, result);
        break;
      case Search::Method::kPriorities: {
        PriorityRandom strategy(search.seed, search.most_executions, search.depth);
        Drive(strategy, Learning::kAtOnce, search, progress, result);
        break;
      }
      case Search::Method::kRandom: {
        UniformRandom strategy(search.seed, search.most_executions);
        Drive(strategy, Learning::kAtOnce, search, progress, result);
        break;
      }
    }
  }
  result.seconds = static_cast<double>(ElapsedNs()) * 1e-9;
  CheckPromises(search, result);
  return result;
}

void Explorer::CheckPromises(const Search& search, Exploration& result) const {
  if (result.violation) return;
  for (const std::string& state : scenario_.must_reach) {
    if (!result.reached.contains(state)) result.unmet.push_back("never reached: " + state);
  }
  const uint64_t least = std::min(scenario_.least_executions, search.most_executions);
  if (result.executions < least && result.bound != DepthFirst::kUnbounded) {
    result.unmet.push_back("only " + std::to_string(result.executions) + " executions, not " +
                           std::to_string(least));
  }
}

// The failure of the execution with that schedule, if it fails, and the schedule that it took.
std::optional<Failure> Explorer::TrySchedule(const Schedule& schedule, Schedule& actual) {
  Replay replay(schedule);
  Execution execution(memory_, replay, {});
  execution.Run(scenario_.body);
  actual = execution.schedule();
  if (execution.outcome() != Outcome::kFailed) return std::nullopt;
  return execution.failure();
}

// Leaves out runs of deviations, of half the length each time (A. Zeller and R. Hildebrandt,
// "Simplifying and isolating failure-inducing input", 2002).
void Explorer::LeaveOut(const Failure& failure, Schedule& schedule) {
  for (size_t length = schedule.size(); length > 0;) {
    bool shorter = false;
    for (size_t start = 0; start < schedule.size();) {
      Schedule candidate = schedule;
      const size_t end = std::min(start + length, schedule.size());
      candidate.erase(candidate.begin() + static_cast<ptrdiff_t>(start),
                      candidate.begin() + static_cast<ptrdiff_t>(end));
      Schedule actual;
      const std::optional<Failure> same = TrySchedule(candidate, actual);
      if (same && same->kind == failure.kind && actual.size() < schedule.size()) {
        schedule = actual;
        shorter = true;
      } else {
        start = end;
      }
    }
    if (!shorter) length /= 2;
    length = std::min(length, schedule.size());
  }
}

// Looks for the same kind of failure with fewer deviations, depth first.
void Explorer::SearchShorter(const Failure& failure, Schedule& schedule) {
  uint64_t left = kShorteningExecutions;
  for (uint32_t bound = 0; bound < schedule.size(); ++bound) {
    memory_.LearnShared();
    DepthFirst strategy(bound);
    while (strategy.Begin()) {
      if (left-- == 0) return;
      Execution execution(memory_, strategy, {});
      execution.Run(scenario_.body);
      if (execution.outcome() != Outcome::kFailed || execution.failure().kind != failure.kind ||
          execution.schedule().size() >= schedule.size()) {
        continue;
      }
      schedule = execution.schedule();
      return;
    }
  }
}

Violation Explorer::Shorten(const Failure& failure, Schedule schedule) {
  LeaveOut(failure, schedule);
  SearchShorter(failure, schedule);
  memory_.LearnShared();
  Exploration replayed = ReplaySchedule(schedule);
  if (replayed.violation) return *replayed.violation;
  return {.kind = Text(failure.kind),
          .message = Text(failure.message) + "\n(its schedule does not fail again: the scenario " +
                     "depends on something else)",
          .token = EncodeSchedule(schedule),
          .trace = ""};
}

Exploration Explorer::ReplaySchedule(const Schedule& schedule) {
  Exploration result;
  const uint64_t start_ns = MonotonicNs();
  // Twice: the first one finds out which locations are shared, and so worth a line.
  for (const bool traces : {false, true}) {
    Replay replay(schedule);
    Execution execution(memory_, replay, {.traces = traces});
    execution.Run(scenario_.body);
    memory_.LearnShared();
    if (!traces) continue;
    Note(execution, result);
    if (execution.outcome() == Outcome::kFailed) {
      result.violation = Violation{.kind = Text(execution.failure().kind),
                                   .message = Text(execution.failure().message),
                                   .token = EncodeSchedule(execution.schedule()),
                                   .trace = FormatTrace(execution.trace())};
    } else if (execution.schedule() != schedule) {
      result.unmet.push_back(
          "the execution never came to what the schedule says: it was made with other sources");
    }
  }
  result.seconds = static_cast<double>(MonotonicNs() - start_ns) * 1e-9;
  return result;
}

}  // namespace paddock::model

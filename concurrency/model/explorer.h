// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_EXPLORER_H_
#define PADDOCK_CONCURRENCY_MODEL_EXPLORER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "paddock/concurrency/model/depth_first.h"
#include "paddock/concurrency/model/execution.h"
#include "paddock/concurrency/model/memory.h"
#include "paddock/concurrency/model/scenario.h"

// Runs a scenario again and again, each time differently, until something is wrong, nothing is left
// to try, or the budget is spent.
//
//   Explorer explorer(scenario);
//   Exploration result = explorer.Run({.method = Search::Method::kDepthFirst, .bound = 2});
//   if (result.violation) std::puts(result.violation->trace.c_str());
//
// First the default schedule runs twice, and must do the same both times: a scenario that depends
// on anything else could neither be searched nor replayed. A violation is shortened: deviations are
// left out of its schedule as long as the same kind of failure remains.
//
// Thread safety: one Explorer runs at a time. Cost: an execution takes what its code takes, plus
// about 0.1 us for each access while there are several threads.
namespace paddock::model {

struct Search {
  enum class Method : uint8_t { kDepthFirst, kPriorities, kRandom };

  Method method = Method::kDepthFirst;
  uint32_t bound = 2;  // kDepthFirst: one bound after the other, up to this; or kUnbounded
  DepthFirst::Reduction reduction = DepthFirst::Reduction::kSleepSets;
  uint32_t depth = 3;  // kPriorities
  uint64_t seed = 1;   // the other two
  uint64_t most_executions = ~uint64_t{0};
  uint64_t budget_ns = ~uint64_t{0};
};

struct Violation {
  std::string kind;
  std::string message;
  std::string token;  // replays it
  std::string trace;  // the schedule, as a table
};

struct Exploration {
  uint64_t executions = 0;  // that ran to their end
  uint64_t pruned = 0;      // cut short, since they repeat others
  // Depth first: every execution within `bound` was run. Other methods never are.
  bool complete = false;
  // The highest bound that was finished, if any; kUnbounded: nothing at all was left out.
  std::optional<uint32_t> bound;
  uint32_t longest_ticks = 0;
  double seconds = 0;
  std::map<std::string, uint64_t> reached;  // states, and in how many executions
  std::optional<Violation> violation;
  std::vector<std::string> unmet;  // what the scenario promised and did not keep
};

class Explorer {
 public:
  // Called now and then; false stops the search.
  using Progress = absl::FunctionRef<bool(const Exploration& so_far)>;

  // The scenario outlives the explorer.
  explicit Explorer(const Scenario& scenario) : scenario_(scenario) {}

  Exploration Run(const Search& search, Progress progress);
  Exploration Run(const Search& search) {
    return Run(search, [](const Exploration&) { return true; });
  }

  // The one execution that the schedule describes. It counts as a promise that was not kept if
  // nothing fails and the scenario never comes to what the schedule says.
  Exploration ReplaySchedule(const Schedule& schedule);

 private:
  enum class Ended : uint8_t { kExhausted, kStopped };

  bool CheckDeterminism(Exploration& result);
  // Whether what an execution found out about sharing counts for the next one. A search that must
  // repeat itself learns only between searches.
  enum class Learning : uint8_t { kAtOnce, kLater };
  Ended Drive(Strategy& strategy, Learning learning, const Search& search, Progress progress,
              Exploration& result);
  void SearchDepthFirst(const Search& search, Progress progress, Exploration& result);
  void Note(const Execution& execution, Exploration& result);
  bool RunOne(Strategy& strategy, Exploration& result);
  std::optional<Failure> TrySchedule(const Schedule& schedule, Schedule& actual);
  void LeaveOut(const Failure& failure, Schedule& schedule);
  void SearchShorter(const Failure& failure, Schedule& schedule);
  Violation Shorten(const Failure& failure, Schedule schedule);
  void CheckPromises(const Search& search, Exploration& result) const;
  uint64_t ElapsedNs() const;

  const Scenario& scenario_;
  Memory memory_;
  uint64_t started_ns_ = 0;
};

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_EXPLORER_H_

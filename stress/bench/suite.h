// SPDX-License-Identifier: Apache-2.0
//
// The cases of the benchmark, in the order in which they are shown, and what each is compared with.
//
//   Suite suite;
//   suite.Add("open_map", OpenMap, {1, 2}).AtMost(7).AtMostOneThread(1.1);
//
// Cases of one group are measured one after the other in each round, since their ratios are looked
// at; the groups of a round come in random order.
//
// Thread safety: none.

#ifndef PADDOCK_STRESS_BENCH_SUITE_H_
#define PADDOCK_STRESS_BENCH_SUITE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "paddock/stress/bench/results.h"

namespace paddock::bench {

// The other ways to do the same, which are columns of the table of ratios. Cases of theirs are
// named "design/operation".
inline constexpr const char* kMutexTable = "mutex";
inline constexpr const char* kHandOverHand = "rwlocks";
inline constexpr const char* kBtreeMap = "btree";
inline constexpr const char* kLinux = "linux";

using CaseFunction = void (*)(benchmark::State&);

enum class Role : uint8_t {
  kPaddock,    // its cost is ours: it can get worse
  kPlacement,  // ours too, but where the process's memory happens to lie changes it by a tenth
  kReference,  // what others are held against
};

struct Case {
  CaseId id;
  Role role;
  CaseFunction run;
  int64_t argument;  // state.range(0)
  std::string group;
};

class Suite {
 public:
  // The case that was added last, on each of its numbers of threads.
  class Added {
   public:
    Added(Suite& suite, std::string name) : suite_(suite), name_(std::move(name)) {}

    // One thread's cost as a multiple of L.
    Added& AtMost(double target) { return Compare(1, std::nullopt, Measure::kCost, target); }
    // The cost on `threads` threads as a multiple of that on one.
    Added& AtMostOneThread(std::optional<double> target, int threads = 2) {
      return Compare(threads, CaseId{name_, 1}, Measure::kCost, target);
    }
    // One thread's cost or throughput as a multiple of another case's.
    Added& Against(const std::string& reference, Measure measure, std::optional<double> target) {
      return Compare(1, CaseId{reference, 1}, measure, target);
    }
    // Puts it into the table of ratios: beside raw costs and that operation of the other designs;
    // null: they have none.
    Added& Beside(const char* operation);

   private:
    Added& Compare(int threads, std::optional<CaseId> reference, Measure measure,
                   std::optional<double> target) {
      suite_.comparisons_.push_back({{name_, threads}, std::move(reference), measure, target});
      return *this;
    }

    Suite& suite_;
    const std::string name_;
  };

  // Starts a group: what is added from now on belongs to it.
  void Group(std::string name) { group_ = std::move(name); }
  Added Add(const std::string& name, CaseFunction run, const std::vector<int>& threads = {1},
            int64_t argument = 0, Role role = Role::kPaddock) {
    for (const int count : threads) cases_.push_back({{name, count}, role, run, argument, group_});
    return {*this, name};
  }
  Added AddReference(const std::string& name, CaseFunction run,
                     const std::vector<int>& threads = {1}, int64_t argument = 0) {
    return Add(name, run, threads, argument, Role::kReference);
  }

  const std::vector<Case>& cases() const { return cases_; }
  // Whether a change of its cost since another run would be Paddock's doing.
  bool MayGetWorse(const CaseId& id) const;
  // Empty results that know the comparisons.
  Results EmptyResults() const;

 private:
  std::string group_;
  std::vector<Case> cases_;
  std::vector<Comparison> comparisons_;
  std::vector<Contest> contests_;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_SUITE_H_

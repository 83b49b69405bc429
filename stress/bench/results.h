// SPDX-License-Identifier: Apache-2.0
//
// What the benchmarks measured: samples per case and number of threads, turned into medians, ratios
// and verdicts, as a table and as JSON.
//
// A cost is per operation and per thread. Costs are compared with others of the same run only: to
// L, the cost of an uncontended lock and unlock; with several threads, to the same case on one
// thread; and to the case that a Comparison names.
//
// Thread safety: none.

#ifndef PADDOCK_STRESS_BENCH_RESULTS_H_
#define PADDOCK_STRESS_BENCH_RESULTS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace paddock::bench {

// The most that a case on two threads on disjoint regions may cost, as a multiple of its cost on
// one.
inline constexpr double kTwoThreadTarget = 1.3;

struct Row {
  std::string name;
  int threads = 1;
  double median_ns = 0;
  double spread = 0;  // (largest - smallest) / median of the repetitions
  double ratio = 0;   // to L; 0 if L was not measured
  std::optional<double> to_one_thread;
  // The same for the unit, whose threads share nothing: what is above 1 is the machine's doing.
  double machine_ratio = 1;

  // A row with a target: "pass", "miss", or "noisy" when the machine was too busy to tell: the
  // repetitions differ widely, or the unit alone costs more on several threads.
  std::optional<double> target() const;
  std::string verdict() const;
};

enum class Measure { kCost, kThroughput };

// A case on one thread that is held against another one of the same run: its cost may be at most
// `target` times the other's, or its throughput must be at least that. Without a target it is only
// shown.
struct Comparison {
  std::string name;
  std::string baseline;
  Measure measure = Measure::kCost;
  std::optional<double> target;
};

struct Compared {
  Comparison what;
  double ratio = 0;     // of the costs, or of the throughputs
  std::string verdict;  // as Row::verdict; "" without a target
};

class Results {
 public:
  // `unit` is the case that defines L.
  explicit Results(std::string unit) : unit_(std::move(unit)) {}

  void Add(const std::string& name, int threads, double ns_per_operation);

  void Compare(Comparison comparison) { comparisons_.push_back(std::move(comparison)); }

  std::vector<Row> Rows() const;
  // Those of which both cases were measured.
  std::vector<Compared> Comparisons() const;
  std::string Table() const;
  // Written under a temporary name and renamed.
  absl::Status WriteJson(const std::string& path) const;
  bool empty() const { return samples_.empty(); }

 private:
  struct Case {
    std::string name;
    int threads;
    std::vector<double> ns;
  };

  const Case* Find(const std::string& name, int threads) const;

  std::string ComparisonTable() const;

  std::string unit_;
  std::vector<Case> samples_;
  std::vector<Comparison> comparisons_;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_RESULTS_H_

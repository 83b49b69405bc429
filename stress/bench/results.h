// SPDX-License-Identifier: Apache-2.0
//
// What the benchmarks measured: repetitions per case and number of threads, turned into medians,
// ratios and verdicts.
//
// A cost is per operation and per thread. It is compared with what was measured beside it in the
// same round, repetition by repetition, so that a machine that changes its speed between rounds
// changes no ratio: with L, the cost of an uncontended lock and unlock, taken by the same threads
// between the chunks, and with the case that a Comparison names.
//
// Thread safety: none.

#ifndef PADDOCK_STRESS_BENCH_RESULTS_H_
#define PADDOCK_STRESS_BENCH_RESULTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "paddock/stress/bench/statistics.h"

namespace paddock::bench {

// The case that measures L.
inline constexpr const char* kUnitCase = "lock_unlock";

// One repetition: the median of its chunks.
struct Sample {
  double ns = 0;
  double unit_ns = 0;  // L, at that time
  int round = 0;       // set by Results
};

struct CaseId {
  std::string name;
  int threads = 1;

  std::string Text() const;  // "name/threads:2"
  friend auto operator<=>(const CaseId&, const CaseId&) = default;
};

struct Series {
  CaseId id;
  std::vector<Sample> samples;  // at most one for each round, in their order

  std::vector<double> Ns() const;
  std::vector<double> Ratios() const;  // to L
};

enum class Measure : uint8_t { kCost, kThroughput };

// Its cost may be at most `target` times the reference's, or its throughput must be at least that.
// Without a target it is only shown. At most one for each case and number of threads.
struct Comparison {
  CaseId subject;
  std::optional<CaseId> reference;  // none: L
  Measure measure = Measure::kCost;
  std::optional<double> target;
};

// kNoisy: the 95 % interval of the median reaches to both sides of the target and is wider than a
// tenth of it.
enum class Verdict : uint8_t { kNone, kPass, kMiss, kNoisy };

// By how much `ratio` misses `target` in a percentage of the target; negative: it does not.
double ExcessPercent(double ratio, double target, Measure measure);
Verdict VerdictOf(const std::vector<double>& ratios, double target, Measure measure);
// "pass", "miss" or "noisy"; "" of kNone.
const char* VerdictName(Verdict verdict);

struct Row {
  CaseId id;
  double median_ns = 0;
  double spread = 0;
  double ratio = 0;  // to L
  // With what the case is compared; `compared_ratio` is of costs or of throughputs.
  std::optional<Comparison> comparison;
  double compared_ratio = 0;
  Verdict verdict = Verdict::kNone;

  std::string ReferenceText() const;  // "L", "one thread", "memcpy_4k"; "" without a comparison
  std::string VerdictText() const;    // "miss by 12%"
};

// What `subject` is held against in a column of the table of ratios.
struct Contest {
  std::string subject;
  std::string column;
  std::string reference;      // case
  int reference_threads = 0;  // 0: as many as the subject
};

// A cost of the subject as a multiple of each column's; none where there is no such case or it was
// not measured.
struct RatioTable {
  std::vector<std::string> columns;
  struct Line {
    CaseId subject;
    std::vector<std::optional<double>> ratios;
  };
  std::vector<Line> lines;
};

// Something other than a time.
struct Figure {
  std::string name;
  std::string unit;
  double value = 0;
  double target = 0;  // at most

  Verdict verdict() const { return value <= target ? Verdict::kPass : Verdict::kMiss; }
};

class Results {
 public:
  // The case's next round. Nothing is kept of a repetition without a positive time.
  void Add(const CaseId& id, Sample sample);
  void Compare(Comparison comparison) { comparisons_.push_back(std::move(comparison)); }
  void Against(Contest contest) { contests_.push_back(std::move(contest)); }
  void Add(Figure figure) { figures_.push_back(std::move(figure)); }

  bool empty() const { return series_.empty() && figures_.empty(); }
  const std::vector<Series>& series() const { return series_; }
  const std::vector<Figure>& figures() const { return figures_; }
  // Rows and series come in this order, then what is not in it.
  void Order(const std::vector<CaseId>& order);
  std::vector<Row> Rows() const;
  RatioTable Ratios() const;
  // How much L costs on two threads that share nothing, as a multiple of its cost on one: above 1
  // is the machine's doing. 1 if it was not measured.
  double MachineRatio() const;

 private:
  const Series* Find(const CaseId& id) const;
  Row RowOf(const Series& series) const;

  std::vector<Series> series_;
  std::map<CaseId, int> rounds_;  // that were added, kept or not
  std::vector<Comparison> comparisons_;
  std::vector<Contest> contests_;
  std::vector<Figure> figures_;
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_RESULTS_H_

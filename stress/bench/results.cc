// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/results.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"

namespace paddock::bench {
namespace {

// An interval that is no wider than this part of the target is as good as a point.
constexpr double kNarrow = 0.1;

bool Meets(double ratio, double target, Measure measure) {
  return measure == Measure::kCost ? ratio <= target : ratio >= target;
}

// Of the rounds of which both have a repetition, as multiples of L.
std::vector<double> CostRatios(const Series& subject, const Series& reference) {
  std::vector<double> ratios;
  auto other = reference.samples.begin();
  for (const Sample& mine : subject.samples) {
    while (other != reference.samples.end() && other->round < mine.round) ++other;
    if (other == reference.samples.end()) break;
    if (other->round != mine.round) continue;
    ratios.push_back(mine.ns / mine.unit_ns / (other->ns / other->unit_ns));
  }
  return ratios;
}

}  // namespace

std::string CaseId::Text() const { return absl::StrFormat("%s/threads:%d", name, threads); }

std::vector<double> Series::Ns() const {
  std::vector<double> ns;
  ns.reserve(samples.size());
  for (const Sample& sample : samples) ns.push_back(sample.ns);
  return ns;
}

std::vector<double> Series::Ratios() const {
  std::vector<double> ratios;
  ratios.reserve(samples.size());
  for (const Sample& sample : samples) ratios.push_back(sample.ns / sample.unit_ns);
  return ratios;
}

double ExcessPercent(double ratio, double target, Measure measure) {
  return 100 * (measure == Measure::kCost ? ratio / target - 1 : 1 - ratio / target);
}

Verdict VerdictOf(const std::vector<double>& ratios, double target, Measure measure) {
  const double median = Median(ratios);
  const Interval interval = MedianInterval(ratios);
  const bool straddles =
      Meets(interval.low, target, measure) != Meets(interval.high, target, measure);
  if (straddles && interval.high - interval.low > kNarrow * target) return Verdict::kNoisy;
  return Meets(median, target, measure) ? Verdict::kPass : Verdict::kMiss;
}

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kNone:
      return "";
    case Verdict::kPass:
      return "pass";
    case Verdict::kMiss:
      return "miss";
    case Verdict::kNoisy:
      return "noisy";
  }
  return "";
}

std::string Row::ReferenceText() const {
  if (!comparison) return "";
  if (!comparison->reference) return "L";
  const CaseId& reference = *comparison->reference;
  if (reference.name == id.name && reference.threads == 1) return "one thread";
  return reference.threads == 1 ? reference.name : reference.Text();
}

std::string Row::VerdictText() const {
  if (verdict != Verdict::kMiss) return VerdictName(verdict);
  return absl::StrFormat("miss by %.0f%%",
                         ExcessPercent(compared_ratio, *comparison->target, comparison->measure));
}

void Results::Add(const CaseId& id, Sample sample) {
  sample.round = rounds_[id]++;
  if (!(sample.ns > 0) || !(sample.unit_ns > 0)) return;
  for (Series& each : series_) {
    if (each.id != id) continue;
    each.samples.push_back(sample);
    return;
  }
  series_.push_back(Series{id, {sample}});
}

void Results::Order(const std::vector<CaseId>& order) {
  const auto place = [&](const Series& series) {
    return std::find(order.begin(), order.end(), series.id) - order.begin();
  };
  std::stable_sort(series_.begin(), series_.end(),
                   [&](const Series& a, const Series& b) { return place(a) < place(b); });
}

const Series* Results::Find(const CaseId& id) const {
  for (const Series& each : series_) {
    if (each.id == id) return &each;
  }
  return nullptr;
}

double Results::MachineRatio() const {
  const Series* const one = Find({kUnitCase, 1});
  const Series* const two = Find({kUnitCase, 2});
  return one == nullptr || two == nullptr ? 1 : Median(two->Ns()) / Median(one->Ns());
}

Row Results::RowOf(const Series& series) const {
  Row row;
  row.id = series.id;
  row.median_ns = Median(series.Ns());
  row.spread = Spread(series.Ratios());
  row.ratio = Median(series.Ratios());
  for (const Comparison& each : comparisons_) {
    if (each.subject != series.id) continue;
    std::vector<double> ratios = series.Ratios();
    if (each.reference) {
      const Series* const reference = Find(*each.reference);
      if (reference == nullptr) continue;
      ratios = CostRatios(series, *reference);
      if (ratios.empty()) continue;
    }
    if (each.measure == Measure::kThroughput) {
      for (double& ratio : ratios) ratio = 1 / ratio;
    }
    row.comparison = each;
    row.compared_ratio = Median(ratios);
    if (each.target) row.verdict = VerdictOf(ratios, *each.target, each.measure);
    break;
  }
  return row;
}

std::vector<Row> Results::Rows() const {
  std::vector<Row> rows;
  rows.reserve(series_.size());
  for (const Series& each : series_) rows.push_back(RowOf(each));
  return rows;
}

RatioTable Results::Ratios() const {
  RatioTable table;
  std::vector<std::string>& columns = table.columns;
  for (const Contest& each : contests_) {
    if (std::find(columns.begin(), columns.end(), each.column) == columns.end()) {
      columns.push_back(each.column);
    }
  }
  for (const Contest& each : contests_) {
    const auto column = static_cast<size_t>(std::find(columns.begin(), columns.end(), each.column) -
                                            columns.begin());
    for (const int threads : {1, 2}) {
      const CaseId id{each.subject, threads};
      const int reference_threads = each.reference_threads == 0 ? threads : each.reference_threads;
      const Series* const subject = Find(id);
      const Series* const reference = Find({each.reference, reference_threads});
      if (subject == nullptr || reference == nullptr) continue;
      const std::vector<double> ratios = CostRatios(*subject, *reference);
      if (ratios.empty()) continue;
      auto line = std::find_if(table.lines.begin(), table.lines.end(),
                               [&](const RatioTable::Line& known) { return known.subject == id; });
      if (line == table.lines.end()) {
        table.lines.push_back({id, std::vector<std::optional<double>>(columns.size())});
        line = table.lines.end() - 1;
      }
      line->ratios[column] = Median(ratios);
    }
  }
  return table;
}

}  // namespace paddock::bench

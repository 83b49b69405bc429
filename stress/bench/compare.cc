// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/compare.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "paddock/stress/bench/statistics.h"

namespace paddock::bench {
namespace {

constexpr double kSignificant = 0.01;

// Whether samples of these numbers could be told from chance if they lay as far apart as can be.
bool CouldBeSignificant(size_t before, size_t now) {
  std::vector<double> a(before);
  std::vector<double> b(now);
  std::iota(a.begin(), a.end(), 0.0);
  std::iota(b.begin(), b.end(), static_cast<double>(before));
  return MannWhitneyP(a, b) < kSignificant;
}

Change ChangeOf(const Series& before, const Series& now, double tolerance_percent) {
  if (now.id.threads > 1) tolerance_percent *= 2;
  const std::vector<double> old_ratios = before.Ratios();
  const std::vector<double> new_ratios = now.Ratios();
  Change change{now.id, Median(old_ratios), Median(new_ratios),
                MannWhitneyP(old_ratios, new_ratios)};
  if (!CouldBeSignificant(old_ratios.size(), new_ratios.size())) {
    change.trend = Trend::kTooFew;
  } else if (change.p < kSignificant && change.Percent() > tolerance_percent) {
    change.trend = Trend::kWorse;
  } else if (change.p < kSignificant && change.Percent() < -tolerance_percent) {
    change.trend = Trend::kBetter;
  }
  return change;
}

const Series* Find(const std::vector<Series>& all, const CaseId& id) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Series& each) { return each.id == id; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

std::vector<Change> Compare(const std::vector<Series>& before, const std::vector<Series>& now,
                            double tolerance_percent) {
  std::vector<Change> changes;
  for (const Series& each : now) {
    const Series* const older = Find(before, each.id);
    if (older == nullptr) {
      changes.push_back({each.id, 0, Median(each.Ratios()), 1, Trend::kOnlyNow});
    } else {
      changes.push_back(ChangeOf(*older, each, tolerance_percent));
    }
  }
  for (const Series& each : before) {
    if (Find(now, each.id) != nullptr) continue;
    changes.push_back({each.id, Median(each.Ratios()), 0, 1, Trend::kOnlyBefore});
  }
  return changes;
}

bool AnyWorse(const std::vector<Change>& changes) {
  return std::any_of(changes.begin(), changes.end(),
                     [](const Change& change) { return change.trend == Trend::kWorse; });
}

}  // namespace paddock::bench

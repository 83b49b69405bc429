// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace paddock::bench {
namespace {

// Of sorted values, with linear interpolation between neighbours.
double QuantileOfSorted(const std::vector<double>& sorted, double part) {
  const double at = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// How the ranks of `a` among all values sum up, and what ties take from the variance.
struct Ranks {
  double sum_of_a = 0;
  double ties = 0;  // sum of t^3 - t over groups of t equal values
};

Ranks RanksOf(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<std::pair<double, bool>> all;  // value, whether of `a`
  all.reserve(a.size() + b.size());
  for (const double value : a) all.emplace_back(value, true);
  for (const double value : b) all.emplace_back(value, false);
  std::sort(all.begin(), all.end());
  Ranks ranks;
  for (size_t first = 0; first < all.size();) {
    size_t end = first;
    while (end < all.size() && all[end].first == all[first].first) ++end;
    const double rank = static_cast<double>(first + 1 + end) / 2;
    for (size_t i = first; i < end; ++i) {
      if (all[i].second) ranks.sum_of_a += rank;
    }
    const auto count = static_cast<double>(end - first);
    ranks.ties += count * count * count - count;
    first = end;
  }
  return ranks;
}

// The part of all orders of `n` and `m` values in which the first list wins at most `u` of the
// n * m comparisons: ways[j][w] counts orders of i and j values with w wins.
double ExactTail(size_t n, size_t m, size_t u) {
  const size_t most = n * m;
  std::vector<std::vector<double>> ways(m + 1, std::vector<double>(most + 1, 0));
  for (auto& row : ways) row[0] = 1;
  for (size_t i = 1; i <= n; ++i) {
    // ways[j] of i values: the greatest is of the first list and beats j, or it is of the second.
    for (size_t j = 1; j <= m; ++j) {
      for (size_t wins = most; wins >= j; --wins) ways[j][wins] = ways[j][wins - j];
      for (size_t wins = 0; wins < j; ++wins) ways[j][wins] = 0;
      for (size_t wins = 0; wins <= most; ++wins) ways[j][wins] += ways[j - 1][wins];
    }
  }
  double below = 0;
  double all = 0;
  for (size_t wins = 0; wins <= most; ++wins) {
    all += ways[m][wins];
    if (wins <= u) below += ways[m][wins];
  }
  return below / all;
}

}  // namespace

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return QuantileOfSorted(values, 0.5);
}

double Spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double median = QuantileOfSorted(values, 0.5);
  if (median == 0) return 0;
  return (QuantileOfSorted(values, 0.75) - QuantileOfSorted(values, 0.25)) / median;
}

Interval MedianInterval(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  // The median lies outside of the k-th least and the k-th greatest of n values if fewer than k of
  // n throws of a coin are heads, or fewer than k are tails.
  const size_t n = values.size();
  const auto throws = static_cast<double>(n);
  size_t rank = 0;
  constexpr size_t kMostExact = 500;  // more would be too unlikely for a double
  if (n > kMostExact) {
    rank = static_cast<size_t>(throws / 2 - 1.96 / 2 * std::sqrt(throws));
  } else {
    double term = std::pow(0.5, throws);
    double tail = term;
    while (2 * tail <= 0.05) {
      ++rank;
      term *= static_cast<double>(n - rank + 1) / static_cast<double>(rank);
      tail += term;
    }
  }
  const size_t outermost = rank == 0 ? 0 : rank - 1;
  return {values[outermost], values[n - 1 - outermost]};
}

double MannWhitneyP(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const auto m = static_cast<double>(b.size());
  const Ranks ranks = RanksOf(a, b);
  const double wins = ranks.sum_of_a - n * (n + 1) / 2;
  const double fewer = std::min(wins, n * m - wins);
  constexpr size_t kMostExact = 20;
  if (ranks.ties == 0 && std::max(a.size(), b.size()) <= kMostExact) {
    return std::min(1.0, 2 * ExactTail(a.size(), b.size(), static_cast<size_t>(fewer)));
  }
  const double all = n + m;
  const double variance = n * m / 12 * (all + 1 - ranks.ties / (all * (all - 1)));
  if (variance <= 0) return 1;  // all values are equal
  const double distance = std::max(0.0, n * m / 2 - fewer - 0.5);
  return std::erfc(distance / std::sqrt(variance) / std::sqrt(2.0));
}

}  // namespace paddock::bench

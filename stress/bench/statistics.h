// SPDX-License-Identifier: Apache-2.0
//
// What can be said of a few repetitions without assuming how they are distributed.
//
// Thread safety: pure functions. Preconditions: no list is empty, no value is NaN.

#ifndef PADDOCK_STRESS_BENCH_STATISTICS_H_
#define PADDOCK_STRESS_BENCH_STATISTICS_H_

#include <vector>

namespace paddock::bench {

double Median(std::vector<double> values);

// The distance between the quartiles as a part of the median; 0 if the median is 0.
double Spread(std::vector<double> values);

// Two of the values between which the true median lies with a probability of 95 %; the least and
// the greatest if there are too few values to say so (fewer than 6).
struct Interval {
  double low = 0;
  double high = 0;
};
Interval MedianInterval(std::vector<double> values);

// The probability that samples of one distribution differ at least as much as these do, in either
// direction, by the test of Mann and Whitney: exact for up to 20 values each without ties, else the
// normal approximation with the corrections for ties and continuity.
double MannWhitneyP(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_STATISTICS_H_

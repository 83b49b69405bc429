// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/histogram.h"

#include <algorithm>
#include <cmath>

namespace paddock {

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

uint64_t LatencyHistogram::Percentile(double fraction) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_));
  const uint64_t rank = std::max<uint64_t>(1, static_cast<uint64_t>(wanted));
  uint64_t below = 0;
  for (size_t i = 0; i + 1 < kBuckets; ++i) {
    below += counts_[i];
    if (below >= rank) return std::min(LastOf(i), max_);
  }
  return max_;
}

}  // namespace paddock

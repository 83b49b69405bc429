// SPDX-License-Identifier: Apache-2.0
//
// Numbers below `n` of which few are hot: rank r is drawn about as often as 1 / (r + 1).
//
//   ZipfRanks hot(1024);
//   uint64_t page = hot.Draw(rng);
//
// Ranks are scattered over the range, so that hot numbers are not neighbours. Integer arithmetic
// only: the same numbers on every machine. Thread safety: const. Cost: a binary search.

#ifndef PADDOCK_STRESS_ZIPF_H_
#define PADDOCK_STRESS_ZIPF_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "paddock/stress/rng.h"

namespace paddock {

class ZipfRanks {
 public:
  // `n` is a power of two.
  explicit ZipfRanks(uint64_t n) : cumulative_(n) {
    uint64_t sum = 0;
    for (uint64_t rank = 0; rank < n; ++rank) {
      sum += (uint64_t{1} << 32) / (rank + 1);
      cumulative_[rank] = sum;
    }
  }

  uint64_t Draw(StreamRng& rng) const {
    const uint64_t at = rng.Below(cumulative_.back());
    const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), at);
    const uint64_t rank = static_cast<uint64_t>(found - cumulative_.begin());
    // An odd factor permutes the numbers below a power of two.
    return (rank * 0x9e3779b1) & (cumulative_.size() - 1);
  }

 private:
  std::vector<uint64_t> cumulative_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ZIPF_H_

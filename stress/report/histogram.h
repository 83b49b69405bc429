// SPDX-License-Identifier: Apache-2.0
//
// A histogram of latencies with a bounded relative error: log-linear buckets, as in HdrHistogram.
// Below 64 every value has its own bucket; above, each power of two has 32, so a percentile is at
// most 1/32 (about 3 %) above the true value, and never below it.
//
//   LatencyHistogram histogram;
//   histogram.Record(end_ns - start_ns);
//   uint64_t p99 = histogram.Percentile(0.99);
//
// Thread safety: as a standard container; each thread has its own, and they are merged at the end.
// Values of 2^40 (18 minutes) and more share the last bucket; the maximum is exact. Cost: a record
// is an increment at a computed index; 9.2 KiB.

#ifndef PADDOCK_STRESS_REPORT_HISTOGRAM_H_
#define PADDOCK_STRESS_REPORT_HISTOGRAM_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace paddock {

class LatencyHistogram {
 public:
  void Record(uint64_t ns) {
    ++counts_[IndexOf(ns)];
    ++count_;
    if (ns > max_) max_ = ns;
  }
  void Merge(const LatencyHistogram& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }  // 0 if empty
  // The least value such that at least `fraction` (0..1) of those recorded are not above it,
  // rounded up to the end of its bucket, and never above max(). 0 if empty.
  uint64_t Percentile(double fraction) const;

 private:
  static constexpr int kSubBits = 5;
  static constexpr int kMaxBits = 40;
  static constexpr uint64_t kSub = 1 << kSubBits;
  static constexpr size_t kBuckets = (kMaxBits - kSubBits + 1) * kSub;

  // Values with the same top six bits share a bucket.
  static constexpr size_t IndexOf(uint64_t value) {
    if (value >> kMaxBits) return kBuckets - 1;
    const int width = std::bit_width(value | (2 * kSub - 1));
    const int shift = width - kSubBits - 1;
    return shift * kSub + (value >> shift);
  }
  static constexpr uint64_t LastOf(size_t index) {
    if (index < 2 * kSub) return index;
    const int shift = static_cast<int>(index / kSub) - 1;
    return ((index - shift * kSub + 1) << shift) - 1;
  }

  std::array<uint64_t, kBuckets> counts_ = {};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_HISTOGRAM_H_

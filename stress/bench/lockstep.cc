// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/lockstep.h"

#include <algorithm>

namespace paddock::bench {

bool Overlap(const TimeSpan* spans, int count) {
  uint64_t start_ns = 0;
  uint64_t end_ns = ~uint64_t{0};
  uint64_t longest_ns = 0;
  for (int i = 0; i < count; ++i) {
    start_ns = std::max(start_ns, spans[i].start_ns);
    end_ns = std::min(end_ns, spans[i].end_ns);
    longest_ns = std::max(longest_ns, spans[i].end_ns - spans[i].start_ns);
  }
  return end_ns > start_ns && 3 * (end_ns - start_ns) >= longest_ns;
}

void Lockstep::Meet() {
  const auto threads = static_cast<uint64_t>(threads_);
  const uint64_t all = arrived_.fetch_add(1, sync::seq_cst) / threads * threads + threads;
  // Without a pause, so that all leave at once; only who does not run is waited for otherwise.
  constexpr int kPatience = 20'000;
  for (int i = 0; arrived_.load(sync::seq_cst) < all; ++i) {
    if (i > kPatience) sync::YieldThread();
  }
}

void Lockstep::MeetAwake() {
  Meet();
  Meet();  // who yielded in the first one runs now
}

bool Lockstep::WereTogether(int index, TimeSpan span) {
  spans_[static_cast<size_t>(index)] = span;
  Meet();
  return Overlap(spans_.data(), threads_);
}

bool Lockstep::IsEnough(int index, bool is_enough) {
  if (index == 0) is_enough_ = is_enough;
  Meet();
  return is_enough_;
}

}  // namespace paddock::bench

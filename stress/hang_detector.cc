// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/hang_detector.h"

#include <utility>

namespace paddock {
namespace {

uint64_t Nanoseconds(absl::Duration duration) {
  return static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration));
}

}  // namespace

HangDetector::HangDetector(std::vector<const StreamState*> streams, const Options& options)
    : streams_(std::move(streams)),
      patience_ns_(Nanoseconds(options.patience)),
      longest_gap_ns_(4 * Nanoseconds(options.interval)),
      windows_(streams_.size()) {}

void HangDetector::Restart(uint64_t now_ns) {
  looked_ns_ = awake_since_ns_ = now_ns;
  for (Window& window : windows_) window.since_ns = now_ns;
  all_.since_ns = now_ns;
}

bool HangDetector::Look(uint64_t now_ns) {
  if (now_ns - looked_ns_ > longest_gap_ns_) Restart(now_ns);
  looked_ns_ = now_ns;
  bool hangs = false;
  bool rest = true;
  uint64_t operations = 0;
  for (size_t i = 0; i < streams_.size(); ++i) {
    const Heartbeat::Beat beat = streams_[i]->heartbeat.Read();
    operations += beat.count;
    rest = rest && !beat.working;
    if (!beat.working) windows_[i].since_ns = now_ns;
    hangs = windows_[i].IsStale(beat.count + beat.waits, now_ns, patience_ns_) || hangs;
  }
  if (rest != rest_) all_.since_ns = now_ns;
  rest_ = rest;
  return all_.IsStale(operations, now_ns, rest ? 2 * patience_ns_ : patience_ns_) || hangs;
}

}  // namespace paddock

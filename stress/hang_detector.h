// SPDX-License-Identifier: Apache-2.0
//
// Judges from what streams say of themselves whether they hang. Looked at now and then:
//
//   HangDetector detector(streams, {});
//   detector.Restart(NowNs());
//   if (detector.Look(NowNs())) { /* a hang */ }              // at least every `interval`
//   ageing.CheckDeadlines(NowNs(), detector.awake_since_ns(), culprit);
//
// A hang is a stream that is at work and neither begins an operation nor looks for work for
// `patience`; or that no stream at all begins one, each waiting for the others; or that none is at
// work for twice as long, while the oracles digest a round or the world is closed.
//
// A look that comes much later than the interval says that the process itself did not run: it was
// stopped, or the machine was asleep. All windows begin anew then.
//
// Thread safety: one thread at a time.

#ifndef PADDOCK_STRESS_HANG_DETECTOR_H_
#define PADDOCK_STRESS_HANG_DETECTOR_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "paddock/stress/stream.h"

namespace paddock {

class HangDetector {
 public:
  struct Options {
    absl::Duration patience = absl::Seconds(60);
    absl::Duration interval = absl::Milliseconds(250);
  };

  HangDetector(std::vector<const StreamState*> streams, const Options& options);

  void Restart(uint64_t now_ns);
  bool Look(uint64_t now_ns);

  // The process has run all the time since then.
  uint64_t awake_since_ns() const { return awake_since_ns_; }
  const std::vector<const StreamState*>& streams() const { return streams_; }

 private:
  // Something that should change, and since when it has not.
  struct Window {
    uint64_t value = 0;
    uint64_t since_ns = 0;

    bool IsStale(uint64_t now_value, uint64_t now_ns, uint64_t patience_ns) {
      if (now_value != value) *this = {now_value, now_ns};
      return now_ns - since_ns > patience_ns;
    }
  };

  const std::vector<const StreamState*> streams_;
  const uint64_t patience_ns_;
  const uint64_t longest_gap_ns_;
  uint64_t looked_ns_ = 0;
  uint64_t awake_since_ns_ = 0;
  std::vector<Window> windows_;  // by stream
  Window all_;                   // of all operations of all streams, since they work or rest
  bool rest_ = true;             // no stream was at work
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_HANG_DETECTOR_H_

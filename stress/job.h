// SPDX-License-Identifier: Apache-2.0
//
// What the streams of a world do, in slices: after each slice all stand still and the oracles
// digest.
//
// Thread safety: RunSlice for different streams at once, the rest while no slice runs.

#ifndef PADDOCK_STRESS_JOB_H_
#define PADDOCK_STRESS_JOB_H_

#include <cstdint>

#include "paddock/concurrency/sync.h"
#include "paddock/stress/stream.h"

namespace paddock {

struct SliceLimit {
  uint64_t round = 0;
  uint64_t steps = ~uint64_t{0};
  uint64_t deadline_ns = sync::kNoDeadline;
};

class Job {
 public:
  virtual ~Job() = default;
  // One slice of `stream` between its Begin and End. Ends early if the world has failed.
  virtual void RunSlice(Stream& stream, uint32_t number, const SliceLimit& limit) = 0;
  // Nothing is left to do.
  virtual bool done() const = 0;
  // Generated steps that all streams have done.
  virtual uint64_t steps() const { return 0; }
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_JOB_H_

// SPDX-License-Identifier: Apache-2.0
//
// Carries out the operations of a recording in the space of their process.
//
//   Replayer replayer(stream);
//   bool carried_out = replayer.Replay(space, operation);
//
// A fault maps one frame, unless somebody has already; reserving unmaps what is there and populates
// if asked; protecting protects; unmapping and discarding unmap; moving takes each page and maps it
// at its new place. Areas that grow change nothing yet. After a fault the page is accessed and
// walked to, as the program did.
//
// Thread safety: that of the stream. Failure: an operation that finds no memory is left undone, in
// part; unless that is injected, World::Fail says how much would do.

#ifndef PADDOCK_STRESS_REPLAY_REPLAYER_H_
#define PADDOCK_STRESS_REPLAY_REPLAYER_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "paddock/stress/recorded_cursor.h"
#include "paddock/stress/stream.h"
#include "paddock/stress/trace/operation.h"

namespace paddock {

// The property of a page that a program may use like this. A page that it may not use at all stays
// mapped for the kernel, as PROT_NONE means.
PageProperty PropertyOfAccess(TraceAccess access);

class Replayer {
 public:
  explicit Replayer(Stream& stream) : stream_(stream) {}

  // Whether all of the operation was carried out; so for the functions below.
  bool Replay(const SpaceRef& space, const TraceOperation& operation);

 private:
  bool Fault(const SpaceRef& space, const TraceOperation& operation);
  bool Populate(const SpaceRef& space, VirtRange range, PageProperty property);
  // Maps what is absent in `range`, at most kChunkPages.
  absl::Status PopulateChunk(const SpaceRef& space, VirtRange range, PageProperty property);
  bool Unmap(const SpaceRef& space, VirtRange range);
  bool Protect(const SpaceRef& space, VirtRange range, TraceAccess access);
  bool Move(const SpaceRef& space, const TraceOperation& operation);

  // Repeats `attempt` while it finds no memory and reclamation may help.
  bool Insist(absl::FunctionRef<absl::Status()> attempt);

  Stream& stream_;
  uint64_t faults_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPLAY_REPLAYER_H_

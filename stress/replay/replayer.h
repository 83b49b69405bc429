// SPDX-License-Identifier: Apache-2.0
//
// Carries out the operations of a recording in the space of their process.
//
//   Replayer replayer(stream);
//   absl::Status carried_out = replayer.Replay(space, operation);
//
// A fault maps one frame, unless somebody has already; reserving unmaps what is there and populates
// if asked; protecting protects; unmapping and discarding unmap; moving takes each page and maps it
// at its new place. Areas that grow change nothing yet. After a fault the page is accessed and
// walked to, as the program did.
//
// Thread safety: that of the stream. Failure: RESOURCE_EXHAUSTED if it finds no memory, and unless
// that is injected World::Fail says how much would do; CANCELLED once the world has failed; else
// the cursor's, which is reported. The operation is then left undone, in part.

#ifndef PADDOCK_STRESS_REPLAY_REPLAYER_H_
#define PADDOCK_STRESS_REPLAY_REPLAYER_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "paddock/core/space/mapped_frames.h"
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

  absl::Status Replay(const SpaceRef& space, const TraceOperation& operation);

 private:
  absl::Status Fault(const SpaceRef& space, const TraceOperation& operation);
  absl::Status Populate(const SpaceRef& space, VirtRange range, PageProperty property);
  // Maps what is absent in `range`, at most kChunkPages.
  absl::Status PopulateChunk(const SpaceRef& space, VirtRange range, PageProperty property);
  // One attempt, which uses up some of `items`, of which there is one for each page.
  absl::Status MapAbsent(const SpaceRef& space, VirtRange range, std::vector<MappedFrames>& items);
  absl::Status Unmap(const SpaceRef& space, VirtRange range);
  absl::Status Protect(const SpaceRef& space, VirtRange range, TraceAccess access);
  absl::Status Move(const SpaceRef& space, const TraceOperation& operation);

  // Repeats `attempt` while it finds no memory and reclamation may help.
  absl::Status Insist(absl::FunctionRef<absl::Status()> attempt);

  Stream& stream_;
  uint64_t faults_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPLAY_REPLAYER_H_

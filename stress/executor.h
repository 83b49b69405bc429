// SPDX-License-Identifier: Apache-2.0
//
// Carries out operations.
//
//   Executor executor(stream);
//   executor.Run(step);      // whole transactions, and operations outside of them
//
// Operations on a slot without a space do nothing. A transaction whose cursor cannot be opened, or
// in which an operation finds no memory, ends there. Thread safety: that of the stream.

#ifndef PADDOCK_STRESS_EXECUTOR_H_
#define PADDOCK_STRESS_EXECUTOR_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "paddock/stress/area_actor.h"
#include "paddock/stress/memory_actor.h"
#include "paddock/stress/ops.h"
#include "paddock/stress/recorded_cursor.h"
#include "paddock/stress/stream.h"

namespace paddock {

class Executor {
 public:
  explicit Executor(Stream& stream) : stream_(stream), memory_(stream), areas_(stream) {}

  void Run(absl::Span<const Op> ops);

 private:
  // `ops` begins with OpenOp and ends with CloseOp.
  void RunTransaction(absl::Span<const Op> ops);
  void RunOutside(const Op& op);
  // The frames that the transaction will map, which must be at hand before its cursor is opened.
  bool Prepare(absl::Span<const Op> ops);
  // `own`: the pages of memory IO that this stream's transaction is about, if it is.
  absl::Status Apply(RecordedCursor& cursor, const Op& op, const SpaceRef& space, OwnPages* own);
  absl::Status Map(RecordedCursor& cursor, const MapOp& map, const SpaceRef& space, OwnPages* own);
  void CreateSpace(uint32_t slot);
  void DestroySpace(uint32_t slot);

  Stream& stream_;
  MemoryActor memory_;
  AreaActor areas_;
  std::vector<USegment> frames_;  // to be mapped by this transaction, the next one last
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_EXECUTOR_H_

// SPDX-License-Identifier: Apache-2.0
//
// A frame that somebody else owns, borrowed: valid as long as that owner, or the cursor or guard
// that it was found through, keeps the frame in use.
//
//   FrameRef<Untyped> ref = frame.Borrow();
//   absl::StatusOr<UFrame> mine = ref.Clone();      // to keep it longer
//
// Thread safety: a value. Cost: two words, nothing is counted.

#ifndef PADDOCK_CORE_FRAME_FRAME_REF_H_
#define PADDOCK_CORE_FRAME_FRAME_REF_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/untyped_meta.h"

namespace paddock {

template <FrameMeta M>
class FrameRef {
 public:
  // Borrows the frame at `start`. Precondition: it is in use, with metadata of type M.
  FrameRef(FrameTable& frames, PhysAddr start) : frames_(&frames), start_(start) {}

  // A counted owner. RESOURCE_EXHAUSTED: the count is saturated.
  absl::StatusOr<Frame<M>> Clone() const {
    if (absl::Status status = frames_->AddReferences(FrameRun{start_, 1}); !status.ok()) {
      return status;
    }
    return Frame<M>::FromRaw(*frames_, start_);
  }

  PhysAddr start() const { return start_; }
  const M& meta() const { return MetaIn<M>(frames_->slot(start_)); }
  // The 4 KiB of the frame. Owners share them: they agree among themselves who writes.
  std::byte* Data() const
    requires std::same_as<M, Untyped>
  {
    return frames_->Data(start_);
  }

 private:
  FrameTable* frames_;
  PhysAddr start_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_FRAME_REF_H_

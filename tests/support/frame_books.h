// SPDX-License-Identifier: Apache-2.0
//
// What the slots of all frames in use say at one moment, to be compared with a later one.
//
//   const FrameBooks before(frames);
//   ... clone an item of the frames `run` ...
//   EXPECT_TRUE(IsOk(FrameBooks(frames).CheckCounted(before, run, 1)));
//
// Thread safety: a value, taken while nothing changes. Cost: 64 bytes per frame in use.

#ifndef PADDOCK_TESTS_SUPPORT_FRAME_BOOKS_H_
#define PADDOCK_TESTS_SUPPORT_FRAME_BOOKS_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "paddock/arch/address.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/meta_slot.h"

namespace paddock {

class FrameBooks {
 public:
  explicit FrameBooks(FrameTable& frames) {
    frames.ForEachInUse([this](PhysAddr frame, const MetaSlot& slot) {
      entries_.push_back({frame, slot.ref_count.load(sync::seq_cst), Rest(slot)});
    });
  }

  // INTERNAL, naming the first frame that differs, unless the counts of the frames of `counted` are
  // `by` more than in `before` and nothing else has changed.
  absl::Status CheckCounted(const FrameBooks& before, FrameRun counted, int by) const {
    if (entries_.size() != before.entries_.size()) {
      return absl::InternalError(absl::StrFormat("%u frames are in use, and were %u before",
                                                 entries_.size(), before.entries_.size()));
    }
    for (size_t i = 0; i < entries_.size(); ++i) {
      const Entry& was = before.entries_[i];
      const Entry& now = entries_[i];
      const bool inside = now.frame.value() - counted.start.value() < counted.pages * kPageSize;
      const uint32_t expected = was.count + static_cast<uint32_t>(inside ? by : 0);
      if (now.frame == was.frame && now.count == expected && now.rest == was.rest) continue;
      return absl::InternalError(absl::StrFormat(
          "frame %#x with %u references became %#x with %u, where %u were expected%s",
          was.frame.value(), was.count, now.frame.value(), now.count, expected,
          now.rest == was.rest ? "" : "; its slot says something else"));
    }
    return absl::OkStatus();
  }
  absl::Status CheckSame(const FrameBooks& before) const {
    return CheckCounted(before, FrameRun{}, 0);
  }

 private:
  using Words = std::array<uint64_t, 6>;
  struct Entry {
    PhysAddr frame;
    uint32_t count;
    Words rest;
  };

  // Everything in the slot but the count.
  static Words Rest(const MetaSlot& slot) {
    return {reinterpret_cast<uintptr_t>(slot.kind.load(sync::seq_cst)),
            uint64_t{slot.level.load(sync::seq_cst)} << 16 |
                uint64_t{slot.stray.load(sync::seq_cst)} << 8 | slot.flags.load(sync::seq_cst),
            slot.occupancy.load(sync::seq_cst),
            slot.identity.load(sync::seq_cst),
            slot.generation.load(sync::seq_cst),
            std::bit_cast<uint64_t>(slot.payload)};
  }

  std::vector<Entry> entries_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_FRAME_BOOKS_H_

// SPDX-License-Identifier: Apache-2.0
//
// What the slots of all frames in use say at one moment, to be compared with a later one.
//
//   const FrameBooks before(frames);
//   ... clone an item of the frames `run` ...
//   EXPECT_TRUE(IsOk(FrameBooks(frames).CheckCounted(before, run, 1)));
//
// Thread safety: a value, taken while nothing changes. Cost: 72 bytes per frame in use.

#ifndef PADDOCK_TESTS_SUPPORT_FRAME_BOOKS_H_
#define PADDOCK_TESTS_SUPPORT_FRAME_BOOKS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
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
    entries_.reserve(frames.used_pages());
    frames.ForEachInUse([this](PhysAddr frame, const MetaSlot& slot) {
      std::memcpy(&entries_.emplace_back(Entry{frame, {}}).slot, &slot, sizeof(MetaSlot));
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
      Entry expected = before.entries_[i];
      const Entry& now = entries_[i];
      const bool inside = now.frame.value() - counted.start.value() < counted.pages * kPageSize;
      if (inside) expected.slot[kCount] += static_cast<uint32_t>(by);
      if (now == expected) continue;
      return absl::InternalError(absl::StrFormat(
          "frame %#x should have %u references, and %#x has %u%s", expected.frame.value(),
          expected.slot[kCount], now.frame.value(), now.slot[kCount],
          now.slot[kCount] == expected.slot[kCount] ? "; its slot says something else" : ""));
    }
    return absl::OkStatus();
  }
  absl::Status CheckSame(const FrameBooks& before) const {
    return CheckCounted(before, FrameRun{}, 0);
  }

 private:
  // Which word of a slot is the count.
  static constexpr size_t kCount = offsetof(MetaSlot, ref_count) / sizeof(uint32_t);

  struct Entry {
    PhysAddr frame;
    std::array<uint32_t, sizeof(MetaSlot) / sizeof(uint32_t)> slot;

    friend bool operator==(const Entry&, const Entry&) = default;
  };

  std::vector<Entry> entries_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_FRAME_BOOKS_H_

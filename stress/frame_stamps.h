// SPDX-License-Identifier: Apache-2.0
//
// What each physical page was last mapped for: space and virtual page. Written before a mapping is
// published and cleared by nobody, so whoever reaches a frame through a table or a TLB, and may,
// finds there where it came from.
//
//   stamps.Write(frame, MakeStamp(space, va));            // before Map
//   if (!StampAllows(stamps.At(frame), space, va)) {
//     // reached a frame that is somebody else's
//   }
//
// The same number is written into the page itself, at offset 0, so that a load tells as well.
//
// Thread safety: any thread. Failure of Create: RESOURCE_EXHAUSTED. Cost: two stores per page;
// memory 8 bytes per page that was mapped.

#ifndef PADDOCK_STRESS_FRAME_STAMPS_H_
#define PADDOCK_STRESS_FRAME_STAMPS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/mapped_region.h"

namespace paddock {

using Stamp = uint64_t;

inline constexpr int kStampPageBits = 36;
inline constexpr Stamp kStampAnyPage = (Stamp{1} << kStampPageBits) - 1;

constexpr Stamp MakeStamp(uint32_t space, VirtAddr va) {
  return Stamp{space} << kStampPageBits | (va.PageNumber() & kStampAnyPage);
}
// Of a frame that is moved from page to page of one space.
constexpr Stamp MakeMovedStamp(uint32_t space) {
  return Stamp{space} << kStampPageBits | kStampAnyPage;
}
constexpr bool IsMovedStamp(Stamp stamp) { return (stamp & kStampAnyPage) == kStampAnyPage; }
constexpr bool StampAllows(Stamp stamp, uint32_t space, VirtAddr va) {
  return stamp == MakeStamp(space, va) || stamp == MakeMovedStamp(space);
}

inline std::string DescribeStamp(Stamp stamp) {
  if (stamp == 0) return "was never mapped";
  const uint64_t space = stamp >> kStampPageBits;
  if (IsMovedStamp(stamp)) return absl::StrFormat("belongs to space %d", space);
  return absl::StrFormat("was mapped for page %#x of space %d",
                         (stamp & kStampAnyPage) << kPageBits, space);
}

class FrameStamps {
 public:
  static absl::StatusOr<std::unique_ptr<FrameStamps>> Create(FrameTable& frames) {
    absl::StatusOr<MappedRegion> region =
        MappedRegion::Anonymous(frames.total_pages() * sizeof(Stamp));
    if (!region.ok()) return region.status();
    return std::unique_ptr<FrameStamps>(new FrameStamps(frames, *std::move(region)));
  }

  Stamp At(PhysAddr frame) const {
    // order: relaxed; a frame that may be reached was published after its stamp was written.
    return Slot(frame).load(sync::relaxed);
  }

  // The caller owns the frame and nobody else can reach it.
  void Write(PhysAddr frame, Stamp stamp) {
    // order: relaxed, both; publishing the mapping orders them.
    Slot(frame).store(stamp, sync::relaxed);
    Word(frames_.Data(frame)).store(stamp, sync::relaxed);
  }

  // Before a frame that still may be looked at where it was is mapped at another page of the space.
  void MarkMoved(PhysAddr frame, uint32_t space) {
    // order: relaxed, as in Write.
    Slot(frame).store(MakeMovedStamp(space), sync::relaxed);
  }

 private:
  FrameStamps(FrameTable& frames, MappedRegion region)
      : frames_(frames), base_(frames.memory().base()), region_(std::move(region)) {}

  static sync::AtomicRef<Stamp> Word(std::byte* at) {
    return sync::AtomicRef<Stamp>(*reinterpret_cast<Stamp*>(at));
  }
  sync::AtomicRef<Stamp> Slot(PhysAddr frame) const {
    return Word(region_.data() + ((frame.value() - base_.value()) >> kPageBits) * sizeof(Stamp));
  }

  FrameTable& frames_;
  const PhysAddr base_;
  const MappedRegion region_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_FRAME_STAMPS_H_

// SPDX-License-Identifier: Apache-2.0
//
// A shared owner of neighbouring frames with metadata of type M: one reference on each.
//
//   absl::StatusOr<USegment> segment = frames.AllocateSegment(512, 512, Untyped{}, Zeroing::kZero);
//   absl::StatusOr<USegment> part = segment->Slice(16, 4);      // a second owner of four of them
//   for (FrameRef<Untyped> frame : *segment) Use(frame.Data());
//   while (std::optional<UFrame> frame = segment->TakeFirst()) Keep(*std::move(frame));
//
// Thread safety: a value; owners of one frame may be used and destroyed by different threads at
// once. Failure: a call that fails leaves the segment as it was. Cost: three words; cloning and
// releasing cost one atomic operation per frame.

#ifndef PADDOCK_CORE_FRAME_SEGMENT_H_
#define PADDOCK_CORE_FRAME_SEGMENT_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/frame_ref.h"
#include "paddock/core/frame/frame_table.h"

namespace paddock {

template <FrameMeta M>
class [[nodiscard]] Segment {
 public:
  class Iterator;

  // Owns nothing, like a segment that was moved from or emptied: pages() is 0, and only assignment,
  // destruction, iteration and the functions that take frames out are allowed.
  Segment() = default;
  // Takes the reference over; of an empty frame, none.
  explicit Segment(Frame<M>&& frame) {
    if (frame.empty()) return;
    frames_ = &frame.table();
    run_ = FrameRun{frame.start(), 1};
    std::move(frame).IntoRaw();
  }
  Segment(Segment&& other) noexcept
      : frames_(other.frames_), run_(std::exchange(other.run_, FrameRun{})) {}
  Segment& operator=(Segment&& other) noexcept {
    Segment taken(std::move(other));
    std::swap(frames_, taken.frames_);
    std::swap(run_, taken.run_);
    return *this;
  }
  ~Segment() {
    if (!empty()) frames_->Release(run_);
  }

  // Gives up or takes over one shared reference to each frame, without touching the counts.
  // Precondition of FromRaw: the caller owns the references, and the metadata of each frame is of
  // type M.
  FrameRun IntoRaw() && { return std::exchange(run_, FrameRun{}); }
  static Segment FromRaw(FrameTable& frames, FrameRun run) { return Segment(frames, run); }

  // A second owner of all frames. RESOURCE_EXHAUSTED: a count is saturated.
  absl::StatusOr<Segment> Clone() const { return CloneRun(run_); }

  // A second owner of the `count` frames from the `first`-th on. INVALID_ARGUMENT: `count` is 0.
  // OUT_OF_RANGE: not inside. RESOURCE_EXHAUSTED: a count is saturated.
  absl::StatusOr<Segment> Slice(uint64_t first, uint64_t count) const {
    if (count == 0) return absl::InvalidArgumentError("a slice of 0 frames is empty");
    if (first >= pages() || count > pages() - first) {
      return absl::OutOfRangeError(absl::StrFormat(
          "slice of %u frames from frame %u of a segment of %u frames", count, first, pages()));
    }
    return CloneRun(FrameRun{AddressOf(first), count});
  }

  // The two parts before and from the `page`-th frame on. OUT_OF_RANGE: one of them would be empty.
  absl::StatusOr<std::pair<Segment, Segment>> SplitAt(uint64_t page) && {
    if (page == 0 || page >= pages()) {
      return absl::OutOfRangeError(
          absl::StrFormat("split at frame %u of a segment of %u frames", page, pages()));
    }
    Segment first = Detach(page);
    return std::make_pair(std::move(first), std::move(*this));
  }

  // Takes the first frame out; nullopt if the segment is empty.
  std::optional<Frame<M>> TakeFirst() {
    if (empty()) return std::nullopt;
    return Frame<M>::FromRaw(*frames_, Detach(1).IntoRaw().start);
  }
  // Takes the first `count` frames out. INVALID_ARGUMENT: `count` is 0. OUT_OF_RANGE: there are
  // fewer.
  absl::StatusOr<Segment> TakeFirst(uint64_t count) {
    if (count == 0) return absl::InvalidArgumentError("0 frames to take");
    if (count > pages()) {
      return absl::OutOfRangeError(
          absl::StrFormat("%u frames to take of a segment of %u frames", count, pages()));
    }
    return Detach(count);
  }

  // A second owner of the `index`-th frame. OUT_OF_RANGE: there is none. RESOURCE_EXHAUSTED:
  // saturated.
  absl::StatusOr<Frame<M>> FrameAt(uint64_t index) const {
    absl::StatusOr<Segment> slice = Slice(index, 1);
    if (!slice.ok()) return slice.status();
    return *slice->TakeFirst();
  }

  bool empty() const { return run_.pages == 0; }
  PhysAddr start() const { return run_.start; }
  uint64_t pages() const { return run_.pages; }
  FrameRun run() const { return run_; }
  FrameTable& table() const { return *frames_; }
  // Precondition: index < pages().
  const M& meta(uint64_t index) const { return MetaIn<M>(frames_->slot(AddressOf(index))); }
  // The bytes of all frames, one after the other. Owners share them.
  std::byte* Data() const
    requires std::same_as<M, Untyped>
  {
    return frames_->Data(run_.start);
  }

  // Borrowed frames, ascending.
  Iterator begin() const ABSL_ATTRIBUTE_LIFETIME_BOUND { return Iterator(*this, 0); }
  Iterator end() const ABSL_ATTRIBUTE_LIFETIME_BOUND { return Iterator(*this, pages()); }

 private:
  Segment(FrameTable& frames, FrameRun run) : frames_(&frames), run_(run) {}

  PhysAddr AddressOf(uint64_t index) const { return run_.start.Plus(index * kPageSize); }

  absl::StatusOr<Segment> CloneRun(FrameRun run) const {
    if (absl::Status status = frames_->AddReferences(run); !status.ok()) return status;
    return Segment(*frames_, run);
  }
  Segment Detach(uint64_t count) {
    Segment first(*frames_, FrameRun{run_.start, count});
    run_ = FrameRun{AddressOf(count), run_.pages - count};
    return first;
  }

  FrameTable* frames_ = nullptr;
  FrameRun run_;
};

template <FrameMeta M>
class Segment<M>::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = FrameRef<M>;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = FrameRef<M>;

  Iterator(const Segment& segment, uint64_t index) : segment_(&segment), index_(index) {}
  FrameRef<M> operator*() const {
    return FrameRef<M>(segment_->table(), segment_->AddressOf(index_));
  }
  Iterator& operator++() {
    ++index_;
    return *this;
  }
  void operator++(int) { ++index_; }
  friend bool operator==(const Iterator&, const Iterator&) = default;

 private:
  const Segment* segment_;
  uint64_t index_;
};

template <FrameMeta M>
absl::StatusOr<Segment<M>> FrameTable::AllocateSegment(uint64_t pages, uint64_t align_pages, M meta,
                                                       Zeroing zeroing) {
  return AllocateSegment<M>(pages, align_pages, [&meta](PhysAddr) { return meta; }, zeroing);
}

template <FrameMeta M, std::invocable<PhysAddr> MetaFn>
absl::StatusOr<Segment<M>> FrameTable::AllocateSegment(uint64_t pages, uint64_t align_pages,
                                                       MetaFn meta_of, Zeroing zeroing) {
  absl::StatusOr<FrameRun> run = TakeRun(pages, align_pages, zeroing);
  if (!run.ok()) return run.status();
  for (uint64_t page = 0; page < pages; ++page) {
    const PhysAddr address = run->start.Plus(page * kPageSize);
    std::construct_at(&MetaIn<M>(slot(address)), meta_of(address));
    Publish(address, MetaVtableOf<M>(), Ownership::kShared);
  }
  return Segment<M>::FromRaw(*this, *run);
}

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_SEGMENT_H_

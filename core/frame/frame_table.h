// SPDX-License-Identifier: Apache-2.0
//
// The frames of a machine: who owns them, what they are used as, where free ones come from.
//
//   absl::StatusOr<std::unique_ptr<FrameTable>> frames = FrameTable::Create(*memory, cpus);
//   absl::StatusOr<UFrame> frame = (*frames)->Allocate(Untyped{}, Zeroing::kZero);  // untyped.h
//   absl::StatusOr<USegment> huge =
//       (*frames)->AllocateSegment(512, 512, Untyped{}, Zeroing::kLeave);
//   absl::StatusOr<UFrame> second = frame->Clone();       // two owners; the last one frees it
//
// A frame is unused, shared by 1 to `max_references` owners, or has one unique owner; for moments
// it is busy: being built or dropped. Owners are handles (frame.h, unique_frame.h, segment.h); the
// raw functions here are for page tables and flushers, which keep references in entries and
// batches.
//
// Thread safety: every function from any thread. Failure: RESOURCE_EXHAUSTED when no frame is free
// or a count is saturated, and nothing has changed then. Releasing what is not owned stops the
// process. Cost: allocating or freeing one frame on a pinned CPU touches that CPU's magazine and
// the frame's slot; a reference is one read-modify-write of the slot.

#ifndef PADDOCK_CORE_FRAME_FRAME_TABLE_H_
#define PADDOCK_CORE_FRAME_FRAME_TABLE_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/frame/frame_allocator.h"
#include "paddock/core/frame/frame_meta.h"
#include "paddock/core/frame/mapped_region.h"
#include "paddock/core/frame/meta_slot.h"
#include "paddock/core/frame/physical_memory.h"

namespace paddock {

class AnyFrame;
template <FrameMeta M>
class Frame;
template <FrameMeta M>
class UniqueFrame;
template <FrameMeta M>
class Segment;

// Neighbouring frames, without ownership.
struct FrameRun {
  PhysAddr start;
  uint64_t pages = 0;

  // Adds the frames of `run`, if that gives one run; else false, and nothing changes. A run of no
  // frames lies where it starts.
  bool Join(FrameRun run) {
    if (start.Plus(pages * kPageSize) != run.start) {
      if (run.start.Plus(run.pages * kPageSize) != start) return false;
      start = run.start;
    }
    pages += run.pages;
    return true;
  }

  friend bool operator==(const FrameRun&, const FrameRun&) = default;
};

// What a new frame contains: zeros, or whatever its last owner left.
enum class Zeroing : bool { kLeave, kZero };

struct FrameTableOptions {
  // Owners of one frame, 1 to 0x7fffffff; one more is RESOURCE_EXHAUSTED.
  uint32_t max_references = 0x7fff'ffff;
  // Called once with the standard allocator; returns the one to use, which may wrap it. None if
  // empty.
  std::function<std::unique_ptr<FrameAllocator>(std::unique_ptr<FrameAllocator>)> wrap_allocator =
      nullptr;
};

class FrameTable {
 public:
  using Options = FrameTableOptions;

  // `memory` and `cpus` must outlive the table. INVALID_ARGUMENT: `max_references` out of range,
  // more than 2^32 - 2 frames, or no allocator from `wrap_allocator`. RESOURCE_EXHAUSTED: no
  // address space for the slots.
  static absl::StatusOr<std::unique_ptr<FrameTable>> Create(PhysicalMemory& memory,
                                                            CpuRegistry& cpus,
                                                            Options options = Options());
  // Runs no metadata destructors: frames still in use are a leak, which ForEachInUse shows.
  ~FrameTable();
  FrameTable(const FrameTable&) = delete;
  FrameTable& operator=(const FrameTable&) = delete;

  // One frame and its handle. RESOURCE_EXHAUSTED, here and below: no frame. Defined in frame.h.
  template <FrameMeta M>
  absl::StatusOr<Frame<M>> Allocate(M meta, Zeroing zeroing);
  // The frame at `address`, chosen by the caller, contents as they are. INVALID_ARGUMENT: not
  // aligned to 4 KiB. OUT_OF_RANGE: outside the memory. FAILED_PRECONDITION: in use. UNAVAILABLE:
  // unused, but in a CPU's magazine or on its way there; DrainMagazines helps when the machine is
  // quiescent. Cost: takes the allocator's lock and splits the free block around the frame.
  template <FrameMeta M>
  absl::StatusOr<Frame<M>> FromUnused(PhysAddr address, M meta);
  // One more owner of the frame at `address`, which somebody shares. INVALID_ARGUMENT, OUT_OF_RANGE
  // as above; FAILED_PRECONDITION: unused, busy or unique. Defined in any_frame.h.
  absl::StatusOr<AnyFrame> FromInUse(PhysAddr address);
  // Defined in unique_frame.h.
  template <FrameMeta M>
  absl::StatusOr<UniqueFrame<M>> AllocateUnique(M meta, Zeroing zeroing);
  // `pages` neighbouring frames, the first aligned to `align_pages` frames. `meta` is copied to
  // every frame; `meta_of` is called with the PhysAddr of each, ascending, and returns its
  // metadata. INVALID_ARGUMENT: no pages, more than 2^18, `align_pages` not a power of two or above
  // 2^18. Both defined in segment.h.
  template <FrameMeta M>
  absl::StatusOr<Segment<M>> AllocateSegment(uint64_t pages, uint64_t align_pages, M meta,
                                             Zeroing zeroing);
  template <FrameMeta M, std::invocable<PhysAddr> MetaFn>
  absl::StatusOr<Segment<M>> AllocateSegment(uint64_t pages, uint64_t align_pages, MetaFn meta_of,
                                             Zeroing zeroing);

  // Raw ownership, of one reference to each frame, which the caller must Release: a frame with one
  // shared owner and metadata of zeros. Precondition: zeros are a valid object of the kind's
  // metadata (for example, an empty class).
  absl::StatusOr<PhysAddr> AllocateRaw(const MetaVtable& kind, Zeroing zeroing);

  // One more reference to each frame of `run`, or to none: RESOURCE_EXHAUSTED if one is saturated.
  // Precondition: the caller owns a reference to each.
  absl::Status AddReferences(FrameRun run);

  // One reference less to each frame of `run`. A frame whose last one this was runs its metadata's
  // drop function, becomes unused, and goes back to the allocator with its neighbours in as large
  // blocks as the run's alignment allows. Precondition: the caller owns a reference to each.
  void Release(FrameRun run);

  // Adds kAccessed and kDirty of `flags` to the sticky flags of each frame; other flags are
  // ignored. Precondition: the caller owns a reference to each.
  void MarkAccessedDirty(FrameRun run, PageFlags flags) {
    if (HasAny(flags, PageFlags::kAccessed | PageFlags::kDirty)) AddFlags(run, flags);
  }

  bool Contains(PhysAddr address) const { return memory_.Contains(address); }
  // The slot of the frame that holds `address`. Precondition: Contains(address).
  MetaSlot& slot(PhysAddr address) {
    PADDOCK_DCHECK(Contains(address), "slot of an address outside the physical memory");
    return slots_[(address.value() - base_.value()) >> kPageBits];
  }
  const MetaSlot& slot(PhysAddr address) const {
    return const_cast<FrameTable*>(this)->slot(address);
  }
  // The address of the frame that `slot` describes. Precondition: `slot` belongs to this table.
  PhysAddr address(const MetaSlot& slot) const {
    return base_.Plus(static_cast<uint64_t>(&slot - slots_) << kPageBits);
  }
  std::byte* Data(PhysAddr address) const {
    PADDOCK_DCHECK(Contains(address), "data of an address outside the physical memory");
    return data_ + (address.value() - base_.value());
  }
  PhysicalMemory& memory() const { return memory_; }
  FrameAllocator& allocator() { return *allocator_; }
  uint32_t max_references() const { return options_.max_references; }

  // In frames; exact when quiescent.
  uint64_t total_pages() const { return memory_.size() >> kPageBits; }
  uint64_t used_pages() const { return total_pages() - allocator_->free_pages(); }
  uint64_t peak_used_pages() const { return allocator_->peak_used_pages(); }

  // Calls `visit` for every frame in use, ascending. Complete only when quiescent. Cost: looks at
  // slots until it has seen as many as are used; all slots if an allocated block has no owner.
  void ForEachInUse(absl::FunctionRef<void(PhysAddr, const MetaSlot&)> visit) const;

 private:
  friend class AnyFrame;
  template <FrameMeta M>
  friend class Frame;
  template <FrameMeta M>
  friend class UniqueFrame;
  template <FrameMeta M>
  friend class Segment;

  // How a frame leaves the state kRefBusy.
  enum class Ownership : bool { kShared, kUnique };

  FrameTable(PhysicalMemory& memory, MappedRegion slots, Options options);

  // Building a frame: take frames (busy, flags cleared, zeroed if asked), construct metadata in the
  // payload, publish.
  // nullopt: there is none, which NoFrame says.
  std::optional<PhysAddr> TakeFrame(Zeroing zeroing) {
    const std::optional<PhysAddr> address = allocator_->Allocate(0);
    if (address) BeginBuilding(*address, zeroing);
    return address;
  }
  static absl::Status NoFrame(uint64_t pages);
  absl::StatusOr<FrameRun> TakeRun(uint64_t pages, uint64_t align_pages, Zeroing zeroing);
  absl::Status TakeFrameAt(PhysAddr address);
  void Publish(PhysAddr address, const MetaVtable& kind, Ownership ownership) {
    MetaSlot& slot = this->slot(address);
    // order: relaxed; the store below publishes it.
    slot.kind.store(&kind, sync::relaxed);
    // order: release pairs with the acquire in AcquireInUse and in ForEachInUse: who finds the
    // frame in use sees its kind and metadata.
    slot.ref_count.store(ownership == Ownership::kUnique ? kRefUnique : 1, sync::release);
  }

  absl::Status CheckFrameAddress(PhysAddr address) const;
  absl::Status AddReference(PhysAddr address);
  // FromInUse without the handle.
  absl::Status AcquireInUse(PhysAddr address);
  void ReleaseUnique(PhysAddr address);
  // Drops the metadata of the caller's unique frame and leaves it busy, for Publish.
  void DropUnique(PhysAddr address);
  // FAILED_PRECONDITION unless there is exactly one shared owner, who then is the unique one.
  absl::Status MakeUnique(PhysAddr address);
  void MakeShared(PhysAddr address);

  void BeginBuilding(PhysAddr address, Zeroing zeroing) {
    MetaSlot& slot = this->slot(address);
    // order: relaxed, all of them; the allocator gave the frame to this thread alone, and Publish
    // makes what is written here visible.
    PADDOCK_CHECK(slot.ref_count.load(sync::relaxed) == kRefUnused,
                  "the allocator handed out a frame that is in use");
    slot.ref_count.store(kRefBusy, sync::relaxed);
    slot.flags.store(0, sync::relaxed);  // order: as above.
    if (zeroing == Zeroing::kZero) std::memset(Data(address), 0, kPageSize);
  }
  // Whether this was the last reference: the caller has the frame alone then, and retires it.
  bool DropReference(MetaSlot& slot);
  void ReleaseRun(FrameRun run);
  void Retire(PhysAddr address, MetaSlot& slot);
  void FreeRun(PhysAddr start, uint64_t pages);
  void AddFlags(FrameRun run, PageFlags flags);

  PhysicalMemory& memory_;
  // Of the memory, without the way through it.
  const PhysAddr base_;
  std::byte* const data_;
  const MappedRegion region_;
  MetaSlot* const slots_;
  const Options options_;
  std::unique_ptr<FrameAllocator> allocator_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_FRAME_TABLE_H_

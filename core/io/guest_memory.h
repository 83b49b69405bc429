// SPDX-License-Identifier: Apache-2.0
//
// Guest-physical memory as a hypervisor's devices see it: regions of RAM with holes between them,
// as VmIo and VmIoOnce whose offsets are guest-physical addresses.
//
//   std::vector<GuestRegion> ram;
//   ram.push_back({PhysAddr(0), std::move(low)});                  // USegment: owns the frames
//   ram.push_back({PhysAddr(uint64_t{4} << 30), std::span(high)});   // or memory of the caller
//   absl::StatusOr<GuestMemory> guest = GuestMemory::Create(std::move(ram));
//   absl::StatusOr<Descriptor> descriptor = guest->ReadVal<Descriptor>(table + 16 * index);
//   IoResult done = guest->ReadSome(address, writer);     // up to a hole, if there is one
//
// Regions that touch are one memory: accesses cross from one into the next. The guest writes its
// memory at the same time; see shared_copy.h for what that means for what is read.
//
// Thread safety: immutable after creation; every function from any thread. To add or remove RAM,
// create another one. Failure: an address without memory is OUT_OF_RANGE and named; Read and Write
// (and all that is made of them) have then done nothing, ReadSome and WriteSome everything before
// it. Cost: a binary search over the regions for each region that is crossed, twice for Read and
// Write.

#ifndef PADDOCK_CORE_IO_GUEST_MEMORY_H_
#define PADDOCK_CORE_IO_GUEST_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/io/io_result.h"
#include "paddock/core/io/memory_io.h"
#include "paddock/core/io/vm_io.h"

namespace paddock {

// RAM from `base` on, and the memory behind it.
class GuestRegion {
 public:
  // Owns the frames.
  GuestRegion(PhysAddr base, USegment segment)
      : base_(base), segment_(std::move(segment)), bytes_(BytesOf(segment_)) {}
  // The caller's memory, which outlives the region.
  GuestRegion(PhysAddr base, std::span<std::byte> bytes) : base_(base), bytes_(bytes) {}
  // The other one is empty then.
  GuestRegion(GuestRegion&& other) noexcept
      : base_(other.base_),
        segment_(std::move(other.segment_)),
        bytes_(std::exchange(other.bytes_, {})) {}
  GuestRegion& operator=(GuestRegion&& other) noexcept {
    base_ = other.base_;
    segment_ = std::move(other.segment_);
    bytes_ = std::exchange(other.bytes_, {});
    return *this;
  }

  PhysAddr base() const { return base_; }
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  PhysAddr base_;
  USegment segment_;
  std::span<std::byte> bytes_;
};

class GuestMemory : public VmIoOperations<GuestMemory>,
                    public internal::PiecewiseOnce<GuestMemory> {
 public:
  // INVALID_ARGUMENT: a region is empty, not a multiple of 4 KiB in base, size or place in this
  // process, reaches beyond 52 bits, or overlaps another one; the message names it.
  static absl::StatusOr<GuestMemory> Create(std::vector<GuestRegion> regions);

  // Whether all of the `bytes` from `address` on are RAM; always, if there are none.
  bool Covers(PhysAddr address, uint64_t bytes) const;
  // Ascending.
  std::span<const GuestRegion> regions() const { return regions_; }

  absl::Status Read(uint64_t address, VmWriter<Fallible>& writer) const;
  absl::Status Write(uint64_t address, VmReader<Fallible>& reader) const;
  // Until the writer is full, the reader empty, or there is no memory.
  IoResult ReadSome(PhysAddr address, VmWriter<Fallible>& writer) const;
  IoResult WriteSome(PhysAddr address, VmReader<Fallible>& reader) const;

  // The bytes from `address` to the end of its region; none in a hole.
  std::span<std::byte> PieceAt(uint64_t address) const;

 private:
  explicit GuestMemory(std::vector<GuestRegion> regions) : regions_(std::move(regions)) {}

  absl::Status CheckCovers(uint64_t address, uint64_t bytes) const;
  // How many of the `bytes` from `address` on are RAM, up to the first that is not.
  uint64_t CoveredFrom(uint64_t address, uint64_t bytes) const;

  // invariant: ascending bases, disjoint.
  std::vector<GuestRegion> regions_;
};

static_assert(VmIo<GuestMemory> && VmIoOnce<GuestMemory>);

}  // namespace paddock

#endif  // PADDOCK_CORE_IO_GUEST_MEMORY_H_

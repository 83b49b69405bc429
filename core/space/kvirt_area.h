// SPDX-License-Identifier: Apache-2.0
//
// A kernel area: addresses of the kernel's dynamic window, with frames or any physical memory
// mapped in a part of them, or nothing. After the kernel virtual areas of Asterinas.
//
//   absl::StatusOr<KVirtArea> stack = KVirtArea::MapFrames(
//       machine, pin, /*area_size=*/5 * kPageSize, /*map_offset=*/kPageSize,    // one guard page
//       std::move(four_frames), kReadWriteKernel);
//   absl::StatusOr<KVirtArea> device =
//       KVirtArea::MapUntracked(machine, pin, registers.size(), 0, registers, uncached);
//   machine.KernelStore(pin, stack->range().start.Plus(kPageSize), 42);
//   RETURN_IF_ERROR(stack->Destroy(pin));        // or just let it go
//
// What is not mapped of an area stays unmapped and is nobody else's: a guard. The owner may open
// cursors of machine.kernel().table() inside of range() and change what is mapped there.
//
// Destroying an area unmaps it at once, in the tables. CPUs may use the translations that they have
// until the next batched flush (kernel_space.h); up to then neither the addresses nor the frames
// are anybody else's.
//
// The destructor takes no pin: it unmaps on the CPU that the thread is on. If the thread is on
// none, or holds a cursor that forbids to open another, the area stays mapped until somebody with a
// pin next reserves or flushes areas of this machine while no cursor is open in it, at the latest
// the machine's destructor.
//
// Thread safety: one thread at a time; different areas from any threads, which wait for each other's
// cursors if they lie in one granule (docs/locking.md). An area must not outlive its machine.
// Failure: on any error nothing has changed; tables that were made may stay, empty. Cost: a cursor
// per call. Creating waits for a flush if no addresses are free but those of destroyed areas, or if
// a huge page takes the place of a table that smaller ones left.

#ifndef PADDOCK_CORE_SPACE_KVIRT_AREA_H_
#define PADDOCK_CORE_SPACE_KVIRT_AREA_H_

#include <cstdint>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/frame/segment.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/kernel_space.h"
#include "paddock/core/space/machine.h"

namespace paddock {

class [[nodiscard]] KVirtArea {
 public:
  using QueryResult = Cursor<KernelPtConfig>::CountedResult;

  // An area of `area_size` bytes that maps `frames` from `map_offset` on, with the largest pages
  // that fit; no frames: nothing is mapped. On success `frames` is consumed, on error untouched.
  // INVALID_ARGUMENT: a size or the offset is not a multiple of 4 KiB, the area is empty, the
  // frames do not fit into it or belong to another machine, or the property cannot be mapped.
  // RESOURCE_EXHAUSTED: no addresses, or no frame for a table. FAILED_PRECONDITION: something is to
  // be mapped, and this CPU holds a cursor in the kernel's table or in a table of a space, or is
  // inside a read-side section; an area that maps nothing is refused there only if no addresses are
  // free but those of destroyed areas.
  static absl::StatusOr<KVirtArea> MapFrames(Machine& machine, const CpuPin& pin,
                                             uint64_t area_size, uint64_t map_offset,
                                             USegment&& frames, PageProperty property);
  // The same with single frames, in base pages.
  static absl::StatusOr<KVirtArea> MapFrames(Machine& machine, const CpuPin& pin,
                                             uint64_t area_size, uint64_t map_offset,
                                             absl::Span<UFrame> frames, PageProperty property);
  // The same with physical addresses that nobody owns, inside or outside of the machine's memory.
  // INVALID_ARGUMENT also: they are empty, reversed, not aligned to 4 KiB, or too wide for the
  // format.
  static absl::StatusOr<KVirtArea> MapUntracked(Machine& machine, const CpuPin& pin,
                                                uint64_t area_size, uint64_t map_offset,
                                                PhysRange physical, PageProperty property);

  // Owns nothing, like one that was moved from or destroyed.
  KVirtArea() = default;
  KVirtArea(KVirtArea&& other) noexcept
      : kernel_(other.kernel_), range_(std::exchange(other.range_, VirtRange{})) {}
  KVirtArea& operator=(KVirtArea&& other) noexcept {
    KVirtArea taken(std::move(other));
    std::swap(kernel_, taken.kernel_);
    std::swap(range_, taken.range_);
    return *this;
  }
  ~KVirtArea();

  bool empty() const { return range_.IsEmpty(); }
  // All of it, guards included.
  VirtRange range() const { return range_; }

  // The mapping of the page that contains `address`, all of it, counted. OUT_OF_RANGE: outside of
  // the area. RESOURCE_EXHAUSTED: a count is saturated. FAILED_PRECONDITION as MapFrames.
  absl::StatusOr<QueryResult> Query(const CpuPin& pin, VirtAddr address) const;

  // Makes two areas of this one: it keeps what lies before `offset`, the rest is returned. A huge
  // page across the border becomes smaller ones. INVALID_ARGUMENT: `offset` is not a multiple of
  // 4 KiB. OUT_OF_RANGE: one of the two would be empty. RESOURCE_EXHAUSTED: no frame for a table.
  // FAILED_PRECONDITION as MapFrames, if a huge page crosses the border.
  absl::StatusOr<KVirtArea> Split(const CpuPin& pin, uint64_t offset);

  // Unmaps all; nothing if there is nothing. FAILED_PRECONDITION as MapFrames.
  absl::Status Destroy(const CpuPin& pin);

 private:
  // What is to be mapped where in an area.
  struct Shape {
    uint64_t area_size;
    uint64_t map_offset;
    uint64_t mapped_size;
  };
  using Step = absl::FunctionRef<absl::Status(KernelSpace::CursorMut&)>;

  KVirtArea(KernelSpace& kernel, VirtRange range) : kernel_(&kernel), range_(range) {}

  static absl::Status Check(const Shape& shape, PageProperty property);
  // Reserves addresses and locks those to be mapped; `prepare` does all that can fail, then `map`
  // maps.
  static absl::StatusOr<KVirtArea> Create(KernelSpace& kernel, const CpuPin& pin,
                                          const Shape& shape,
                                          absl::Span<const RangeAlignment> alignments, Step prepare,
                                          Step map);
  // Splits the huge page that crosses `border`, if there is one.
  absl::Status SplitLeaf(const CpuPin& pin, VirtAddr border);

  KernelSpace* kernel_ = nullptr;
  VirtRange range_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_KVIRT_AREA_H_

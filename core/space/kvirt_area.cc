// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/kvirt_area.h"

#include <optional>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/space/map_range.h"

namespace paddock {
namespace {

using Geo = Geometry<UserFormat>;
using Alignments = absl::InlinedVector<RangeAlignment, UserFormat::kLevels>;

// The alignments at which the most of `physical`, to be mapped `map_offset` bytes into an area, can
// be mapped with huge pages; last the one that is always enough.
Alignments AlignmentsFor(PhysRange physical, uint64_t map_offset) {
  Alignments alignments;
  for (int level = KernelPtConfig::kTopLevelRemovable ? Geo::kLevels : Geo::kLevels - 1; level > 1;
       --level) {
    if (!UserFormat::IsLeafLevel(level)) continue;
    const uint64_t span = Geo::EntrySpan(level);
    const std::optional<PhysAddr> first = physical.start.CheckedAlignUp(span);
    const std::optional<PhysAddr> last = first ? first->CheckedAdd(span - 1) : std::nullopt;
    if (!last || *last > physical.last()) continue;
    // The virtual address of the mapping and the physical one differ by a multiple of the span.
    alignments.push_back({span, (map_offset - physical.start.value()) & (span - 1)});
  }
  alignments.push_back({kPageSize, 0});
  return alignments;
}

PhysRange Physical(const USegment& frames) {
  return {frames.start(), frames.start().Plus(frames.pages() * kPageSize)};
}

absl::Status NotOfThisMachine() {
  return absl::InvalidArgumentError("a frame to map is empty or belongs to another machine");
}

}  // namespace

absl::Status KVirtArea::Check(const Shape& shape, PageProperty property) {
  if (shape.area_size == 0 || shape.area_size % kPageSize != 0 ||
      shape.map_offset % kPageSize != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "an area of %#x bytes, mapped from %#x on: not multiples of 4 KiB, or empty",
        shape.area_size, shape.map_offset));
  }
  if (shape.map_offset > shape.area_size ||
      shape.mapped_size > shape.area_size - shape.map_offset) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%#x bytes from %#x on do not fit into an area of %#x", shape.mapped_size,
                        shape.map_offset, shape.area_size));
  }
  if ((property.software & kUntrackedSoftwareBit) != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("software bits %#x of the property: %#x belongs to the kernel's table",
                        property.software, kUntrackedSoftwareBit));
  }
  return absl::OkStatus();
}

absl::StatusOr<KVirtArea> KVirtArea::Create(KernelSpace& kernel, const CpuPin& pin,
                                            const Shape& shape,
                                            absl::Span<const RangeAlignment> alignments,
                                            Step prepare, Step map) {
  const absl::StatusOr<VirtRange> area = kernel.Reserve(pin, shape.area_size, alignments);
  if (!area.ok()) return area.status();
  KVirtArea created(kernel, *area);
  absl::Status status;
  if (shape.mapped_size != 0) {
    const VirtAddr start = area->start.Plus(shape.map_offset);
    PendingFlush flush;
    {
      absl::StatusOr<KernelSpace::CursorMut> cursor =
          kernel.table().OpenCursorMut(pin, VirtRange{start, start.Plus(shape.mapped_size)});
      if (!cursor.ok()) {
        kernel.CancelReservation(pin, std::exchange(created.range_, VirtRange{}));
        return cursor.status();
      }
      status = prepare(*cursor);
      if (status.ok()) status = cursor->Jump(start);
      if (status.ok()) {
        const absl::Status mapped = map(*cursor);
        PADDOCK_CHECK(mapped.ok(), mapped.ToString());
      } else {
        // Tables that were made and are wholly inside go again.
        flush = KernelSpace::UnmapAll(*cursor);
      }
    }
    if (!status.ok()) {
      const VirtRange unused = std::exchange(created.range_, VirtRange{});
      if (flush.empty()) {
        kernel.CancelReservation(pin, unused);
      } else {
        kernel.Quarantine(pin, unused, std::move(flush));
      }
      return status;
    }
  }
  kernel.CheckAfterStep(pin);
  return created;
}

absl::StatusOr<KVirtArea> KVirtArea::MapFrames(Machine& machine, const CpuPin& pin,
                                               uint64_t area_size, uint64_t map_offset,
                                               USegment&& frames, PageProperty property) {
  const Shape shape{area_size, map_offset, frames.pages() * kPageSize};
  if (absl::Status status = Check(shape, property); !status.ok()) return status;
  Alignments alignments{RangeAlignment{}};
  if (!frames.empty()) {
    if (&frames.table() != &machine.frames()) return NotOfThisMachine();
    alignments = AlignmentsFor(Physical(frames), map_offset);
  }
  return Create(
      machine.kernel(), pin, shape, alignments,
      [&](KernelSpace::CursorMut& cursor) {
        return PrepareRange(cursor, frames.start(), frames.pages(), property);
      },
      [&](KernelSpace::CursorMut& cursor) {
        return MapRange(cursor, frames, property, PageSizes::kLargestThatFit).status;
      });
}

absl::StatusOr<KVirtArea> KVirtArea::MapFrames(Machine& machine, const CpuPin& pin,
                                               uint64_t area_size, uint64_t map_offset,
                                               absl::Span<UFrame> frames, PageProperty property) {
  const Shape shape{area_size, map_offset, frames.size() * kPageSize};
  if (absl::Status status = Check(shape, property); !status.ok()) return status;
  for (const UFrame& frame : frames) {
    if (frame.empty() || &frame.table() != &machine.frames()) return NotOfThisMachine();
  }
  return Create(
      machine.kernel(), pin, shape, {RangeAlignment{}},
      [&](KernelSpace::CursorMut& cursor) {
        for (const UFrame& frame : frames) {
          absl::Status status = cursor.Prepare(RawItem{frame.start(), 1, property});
          if (!status.ok()) return status;
        }
        return absl::OkStatus();
      },
      [&](KernelSpace::CursorMut& cursor) { return MapRange(cursor, frames, property).status; });
}

absl::StatusOr<KVirtArea> KVirtArea::MapUntracked(Machine& machine, const CpuPin& pin,
                                                  uint64_t area_size, uint64_t map_offset,
                                                  PhysRange physical, PageProperty property) {
  if (physical.IsEmpty() || physical.IsReversed() || !physical.IsAligned(kPageSize)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "physical addresses [%#x, %#x) are empty, reversed, or not aligned to 4 KiB",
        physical.start.value(), physical.end.value()));
  }
  const Shape shape{area_size, map_offset, physical.size()};
  if (absl::Status status = Check(shape, property); !status.ok()) return status;
  return Create(
      machine.kernel(), pin, shape, AlignmentsFor(physical, map_offset),
      [&](KernelSpace::CursorMut& cursor) {
        return PrepareRange(cursor, physical.start, physical.size() / kPageSize,
                            KernelPtConfig::AsUntracked(property));
      },
      [&](KernelSpace::CursorMut& cursor) { return MapRange(cursor, physical, property).status; });
}

KVirtArea::~KVirtArea() {
  if (!empty()) kernel_->Abandon(range_);
}

absl::StatusOr<KVirtArea::QueryResult> KVirtArea::Query(const CpuPin& pin, VirtAddr address) const {
  if (!range_.Contains(address)) {
    return absl::OutOfRangeError(absl::StrFormat("address %#x is outside of the area's %s",
                                                 address.value(), RangeText(range_)));
  }
  const VirtAddr page = address.AlignDown(kPageSize);
  absl::StatusOr<Cursor<KernelPtConfig>> cursor =
      kernel_->table().OpenCursor(pin, VirtRange{page, page.Plus(kPageSize)});
  if (!cursor.ok()) return cursor.status();
  return cursor->QueryItem();
}

absl::StatusOr<KVirtArea> KVirtArea::Split(const CpuPin& pin, uint64_t offset) {
  if (offset % kPageSize != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("offset %#x of a split is not a multiple of 4 KiB", offset));
  }
  if (offset == 0 || offset >= range_.size()) {
    return absl::OutOfRangeError(absl::StrFormat(
        "a split of %s at offset %#x leaves one side empty", RangeText(range_), offset));
  }
  if (!kernel_->cpus_.Owns(pin)) return CpuRegistry::ForeignPinError(pin);
  const VirtAddr middle = range_.start.Plus(offset);
  if (absl::Status status = SplitLeaf(pin, middle); !status.ok()) return status;
  kernel_->Split(pin, range_, middle);
  KVirtArea rest(*kernel_, VirtRange{middle, range_.end});
  range_.end = middle;
  return rest;
}

absl::Status KVirtArea::SplitLeaf(const CpuPin& pin, VirtAddr border) {
  std::optional<Translation> leaf;
  {
    RcuReadGuard section(kernel_->env_.rcu(), pin);
    leaf = kernel_->table().Walk(section, border);
  }
  // What was seen stays as it is: nobody but this area's owner changes it.
  if (!leaf || leaf->range.start == border) return absl::OkStatus();
  absl::StatusOr<KernelSpace::CursorMut> cursor =
      kernel_->table().OpenCursorMut(pin, leaf->range, {.intent = Intent::kNoMap});
  if (!cursor.ok()) return cursor.status();
  // A change of properties that changes nothing splits at the end of its stretch.
  return cursor
      ->ProtectNext(border.value() - leaf->range.start.value(),
                    [](PageProperty property) { return property; })
      .status();
}

absl::Status KVirtArea::Destroy(const CpuPin& pin) {
  if (empty()) return absl::OkStatus();
  absl::Status status = kernel_->Unmap(pin, range_, Wait::kForever);
  if (status.ok()) range_ = VirtRange{};
  return status;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/fuzz/areas.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "paddock/tests/support/checked_cursor.h"
#include "paddock/tests/support/soft_mmu.h"

namespace paddock::fuzz {
namespace {

using Geo = Geometry<UserFormat>;

// Far above the machine's memory.
constexpr PhysAddr kDevice(uint64_t{1} << 40);
constexpr uint32_t kMostSingleFrames = 40;

VirtRange PageAt(VirtAddr va) {
  const VirtAddr page = va.AlignDown(kPageSize);
  return {page, page.Plus(kPageSize)};
}

}  // namespace

bool Areas::AnyAlive() const {
  return std::any_of(areas_.begin(), areas_.end(), [](const KVirtArea& a) { return !a.empty(); });
}

absl::StatusOr<KVirtArea> Areas::Create(const CpuPin& pin, const NewAreaOp& op, Mapping& mapping) {
  const uint64_t size = (uint64_t{op.guard} + op.pages) * kPageSize;
  const uint64_t offset = uint64_t{op.guard} * kPageSize;
  mapping.property = kReadWriteKernel;
  const auto run_from = [&](PhysAddr first) {
    for (uint64_t i = 0; i < op.pages; ++i) mapping.pages.push_back(first.Plus(i * kPageSize));
  };
  switch (op.frames) {
    case AreaFrames::kNone:
      return KVirtArea::MapFrames(machine_, pin, size, offset, USegment(), kReadWriteKernel);
    case AreaFrames::kUntracked:
      run_from(kDevice);
      mapping.property = KernelPtConfig::AsUntracked(kReadWriteKernel);
      return KVirtArea::MapUntracked(machine_, pin, size, offset,
                                     {kDevice, kDevice.Plus(uint64_t{op.pages} * kPageSize)},
                                     kReadWriteKernel);
    case AreaFrames::kSegment: {
      absl::StatusOr<USegment> run =
          machine_.frames().AllocateSegment(op.pages, 1, Untyped{}, Zeroing::kLeave);
      if (!run.ok()) return run.status();
      run_from(run->start());
      return KVirtArea::MapFrames(machine_, pin, size, offset, *std::move(run), kReadWriteKernel);
    }
    case AreaFrames::kSingle:
      break;
  }
  std::vector<UFrame> frames;
  for (uint32_t i = 0; i < std::min(op.pages, kMostSingleFrames); ++i) {
    absl::StatusOr<UFrame> frame = machine_.frames().Allocate(Untyped{}, Zeroing::kLeave);
    if (!frame.ok()) return frame.status();
    mapping.pages.push_back(frame->start());
    frames.push_back(*std::move(frame));
  }
  absl::StatusOr<KVirtArea> area =
      KVirtArea::MapFrames(machine_, pin, size, offset, absl::MakeSpan(frames), kReadWriteKernel);
  if (frames.front().empty() != area.ok()) {
    return absl::InternalError("frames are consumed exactly if the area was made");
  }
  return area;
}

absl::Status Areas::Run(const CpuPin& pin, const NewAreaOp& op, Cursor cursor) {
  KVirtArea& slot = areas_[op.area];
  if (!slot.empty()) return absl::OkStatus();
  Mapping mapping;
  absl::StatusOr<KVirtArea> area = Create(pin, op, mapping);
  if (!area.ok()) {
    const bool refused = cursor == Cursor::kOpen && absl::IsFailedPrecondition(area.status());
    const bool exhausted = AnyAlive() && absl::IsResourceExhausted(area.status());
    if (!refused && !exhausted) return CheckCode("NewArea", area.status(), {});
    return Check(pin);
  }
  slot = *std::move(area);
  const VirtRange range = slot.range();
  const uint64_t size = (uint64_t{op.guard} + op.pages) * kPageSize;
  if (absl::Status held = CheckCount("NewArea", size / kPageSize, range.size() / kPageSize);
      !held.ok()) {
    return held;
  }
  if (expected_.CountMapped(range) != 0) return absl::InternalError("areas overlap");
  stale_.Unmap(range);
  VirtAddr at = range.start.Plus(uint64_t{op.guard} * kPageSize);
  for (const PhysAddr frame : mapping.pages) {
    expected_.Map(PageAt(at), frame, mapping.property);
    at = at.Plus(kPageSize);
  }
  return Check(pin);
}

absl::Status Areas::Run(const CpuPin& pin, const SplitAreaOp& op, Cursor cursor) {
  KVirtArea& area = areas_[op.area];
  if (area.empty()) return absl::OkStatus();
  RefusalCodes refusals;
  if (op.bytes % kPageSize != 0) refusals.push_back(absl::StatusCode::kInvalidArgument);
  if (op.bytes == 0 || op.bytes >= area.range().size()) {
    refusals.push_back(absl::StatusCode::kOutOfRange);
  }
  // The rest would have to be destroyed: with a cursor nobody may be able to.
  if (cursor == Cursor::kOpen && !areas_[op.rest].empty()) return absl::OkStatus();
  const VirtRange whole = area.range();
  absl::StatusOr<KVirtArea> rest = area.Split(pin, op.bytes);
  if (cursor == Cursor::kOpen && absl::IsFailedPrecondition(rest.status())) return Check(pin);
  if (absl::Status held = CheckCode("SplitArea", rest.status(), refusals); !held.ok()) return held;
  if (!rest.ok()) return Check(pin);
  const VirtAddr middle = whole.start.Plus(op.bytes);
  if (area.range() != VirtRange{whole.start, middle} ||
      rest->range() != VirtRange{middle, whole.end}) {
    return absl::InternalError("SplitArea: the two are not the halves");
  }
  if (areas_[op.rest].empty()) {
    areas_[op.rest] = *std::move(rest);
    return Check(pin);
  }
  absl::Status held = Destroy(pin, *rest, cursor);
  return All({held, Check(pin)});
}

absl::Status Areas::Destroy(const CpuPin& pin, KVirtArea& area, Cursor cursor) {
  const VirtRange range = area.range();
  const absl::Status status = area.Destroy(pin);
  if (cursor == Cursor::kOpen && absl::IsFailedPrecondition(status)) return absl::OkStatus();
  if (absl::Status held = CheckCode("DestroyArea", status, {}); !held.ok()) return held;
  expected_.ForEachRun(
      range, [&](const MappedRun& run) { stale_.Map(run.range, run.frame, run.property); });
  expected_.Unmap(range);
  return absl::OkStatus();
}

absl::Status Areas::Run(const CpuPin& pin, const DestroyAreaOp& op, Cursor cursor) {
  if (areas_[op.area].empty()) return absl::OkStatus();
  absl::Status held = Destroy(pin, areas_[op.area], cursor);
  return All({held, Check(pin)});
}

absl::Status Areas::Run(const CpuPin& pin, const KernelAccessOp& op, Cursor) {
  const VirtAddr va(kWindowStart.value() + op.bytes);
  RefusalCodes refusals;
  if (!va.IsAligned(sizeof(uint64_t))) refusals.push_back(absl::StatusCode::kInvalidArgument);
  if (!kKernelRange.Contains(va)) refusals.push_back(absl::StatusCode::kOutOfRange);
  std::optional<MappedRun> page;
  if (refusals.empty()) {
    page = expected_.Query(va);
    if (!page) {
      refusals.push_back(absl::StatusCode::kNotFound);
    } else if (!machine_.frames().Contains(page->frame)) {
      refusals.push_back(absl::StatusCode::kFailedPrecondition);
    }
  }
  const absl::StatusOr<AccessResult> access = op.kind == AccessKind::kLoad
                                                  ? machine_.KernelLoad(pin, va)
                                                  : machine_.KernelStore(pin, va, va.value());
  // A translation of an area that was destroyed: of the frame that it had.
  const std::optional<MappedRun> old = stale_.Query(va);
  if (!page && old && (access.ok() || absl::IsFailedPrecondition(access.status()))) {
    if (!access.ok()) return absl::OkStatus();
    page = old;
  } else if (absl::Status held = CheckCode("KernelAccess", access.status(), refusals); !held.ok()) {
    return held;
  }
  if (!access.ok()) return absl::OkStatus();
  if (access->frame != page->frame) {
    return absl::InternalError(absl::StrFormat("%#x reaches frame %#x, mapped is %#x", va.value(),
                                               access->frame.value(), page->frame.value()));
  }
  if (access->generation_at_fill != access->generation_now) {
    return absl::InternalError(absl::StrFormat("%#x reaches a frame that was freed", va.value()));
  }
  return absl::OkStatus();
}

absl::Status Areas::Run(const CpuPin& pin, const FlushAreasOp&, Cursor cursor) {
  machine_.kernel().FlushDestroyedAreas(pin);
  if (cursor == Cursor::kClosed) {
    stale_.Clear();
    if (machine_.kernel().stats().quarantined_pages != 0) {
      return absl::InternalError("FlushAreas: addresses stay in quarantine");
    }
  }
  return Check(pin);
}

absl::Status Areas::Check(const CpuPin& pin) {
  const AbstractTable actual =
      ViewOf<UserFormat>(machine_.memory(), machine_.kernel_table().root(),
                         KernelPtConfig::kTopLevelFirst, KernelPtConfig::kTopLevelLast);
  if (const auto difference = FirstDifference(expected_, actual, HardwareBits::kIgnore)) {
    return absl::InternalError("kernel areas: " + Describe(*difference));
  }
  return machine_.kernel().CheckInvariants(pin);
}

absl::Status Areas::Finish(const CpuPin& pin) {
  for (KVirtArea& area : areas_) {
    if (absl::Status held = Destroy(pin, area, Cursor::kClosed); !held.ok()) return held;
  }
  if (absl::Status held = Run(pin, FlushAreasOp{}, Cursor::kClosed); !held.ok()) return held;
  const KernelSpaceStats stats = machine_.kernel().stats();
  if (stats.areas != 0 || stats.free_pages != kWindowPages) {
    return absl::InternalError(absl::StrFormat("at the end %u areas are left, and %u pages free",
                                               stats.areas, stats.free_pages));
  }
  const uint64_t span = Geo::EntrySpan(Geo::kLevels);
  auto tables = machine_.kernel_table().OpenCursorMut(
      pin, {kWindowStart.AlignDown(span), kWindowStart.AlignDown(span).Plus(span)},
      {.intent = Intent::kNoMap});
  if (!tables.ok()) return tables.status();
  AbstractTable nothing;
  return CheckedUnmap(*tables, nothing, tables->remaining());
}

}  // namespace paddock::fuzz

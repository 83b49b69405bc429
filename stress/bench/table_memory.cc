// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/table_memory.h"

#include <cstdint>
#include <memory>

#include "paddock/core/frame/meta_slot.h"
#include "paddock/core/space/map_range.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/stress/bench/bench_world.h"

namespace paddock::bench {
namespace {

constexpr uint64_t kBytes = uint64_t{1} << 30;
constexpr uint64_t kPages = kBytes / kPageSize;

uint64_t FramesInUse(FrameTable& frames) {
  uint64_t count = 0;
  frames.ForEachInUse([&count](PhysAddr, const MetaSlot&) { ++count; });
  return count;
}

}  // namespace

Figure MeasureTableMemory() {
  BenchThread thread(0);
  FrameTable& frames = thread.machine().frames();
  const uint64_t before = FramesInUse(frames);
  const std::shared_ptr<VmSpace> space = Must(VmSpace::Create(thread.machine(), thread.pin()));
  const VirtRange range{VirtAddr(kRootEntrySpan), VirtAddr(kRootEntrySpan + kBytes)};
  USegment mapped = Must(frames.AllocateSegment(kPages, 1, Untyped{}, Zeroing::kLeave));
  {
    auto cursor = Must(space->OpenCursorMut(thread.pin(), range));
    Require(MapRange(cursor, mapped, kReadWriteUser, PageSizes::kBaseOnly).status);
  }
  const uint64_t tables = FramesInUse(frames) - before - kPages;
  const uint64_t bytes = (kPages + tables) * sizeof(MetaSlot) + tables * kPageSize;
  constexpr double kTargetPercent = 1.8;
  return {kTableMemoryFigure, "% of the memory mapped",
          100 * static_cast<double>(bytes) / static_cast<double>(kBytes), kTargetPercent};
}

}  // namespace paddock::bench

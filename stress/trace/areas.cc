// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/areas.h"

#include <iterator>

namespace paddock {
namespace {

constexpr TraceAccess kReadWrite = kTraceRead | kTraceWrite;

}  // namespace

void TraceAreas::SplitAt(uint64_t addr) {
  auto after = areas_.upper_bound(addr);
  if (after == areas_.begin()) return;
  auto area = std::prev(after);
  if (area->first == addr || area->second.end <= addr) return;
  const Area upper = area->second;
  area->second.end = addr;
  areas_.emplace(addr, upper);
}

void TraceAreas::Clear(VirtRange range) {
  SplitAt(range.start.value());
  SplitAt(range.end.value());
  areas_.erase(areas_.lower_bound(range.start.value()), areas_.lower_bound(range.end.value()));
}

void TraceAreas::Set(VirtRange range, TraceAccess access) {
  Clear(range);
  areas_.emplace(range.start.value(), Area{range.end.value(), access});
}

std::optional<TraceAccess> TraceAreas::At(VirtAddr addr) const {
  auto after = areas_.upper_bound(addr.value());
  if (after == areas_.begin()) return std::nullopt;
  const auto& [start, area] = *std::prev(after);
  if (area.end <= addr.value()) return std::nullopt;
  return area.access;
}

void TraceAreas::Apply(TraceOperation& operation) {
  switch (operation.kind) {
    case TraceOpKind::kFault:
    case TraceOpKind::kPopulate:
      // What could be touched was accessible, whatever the recording's order of lines says.
      operation.access = At(operation.range.start).value_or(0);
      if (operation.access == 0) operation.access = kReadWrite;
      break;
    case TraceOpKind::kReserve:
    case TraceOpKind::kProtect:
    case TraceOpKind::kHeapGrow:
      Set(operation.range, operation.access);
      break;
    case TraceOpKind::kUnmap:
    case TraceOpKind::kShrink:
    case TraceOpKind::kHeapShrink:
      Clear(operation.range);
      break;
    case TraceOpKind::kDiscard:
      break;
    case TraceOpKind::kMove:
      operation.access = At(operation.source.start).value_or(kReadWrite);
      if (!operation.source.IsEmpty()) Clear(operation.source);
      Set(operation.range, operation.access);
      break;
    case TraceOpKind::kGrow:
      operation.access = At(VirtAddr(operation.range.start.value() - 1)).value_or(kReadWrite);
      Set(operation.range, operation.access);
      break;
  }
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/meaning.h"

#include <algorithm>

namespace paddock {
namespace {

// Linux, uapi/asm-generic/mman*.h and uapi/linux/mman.h.
constexpr uint64_t kMapPopulate = 0x8000;
constexpr uint64_t kMadvDontNeed = 4;
constexpr uint64_t kMadvFree = 8;
constexpr uint64_t kMadvRemove = 9;
constexpr uint64_t kMadvPageOut = 21;
constexpr uint64_t kMadvPopulateRead = 22;
constexpr uint64_t kMadvPopulateWrite = 23;
constexpr uint64_t kMadvDontNeedLocked = 24;
constexpr uint64_t kMadvGuardInstall = 102;

constexpr std::string_view kNotUser = "outside user space";
constexpr std::string_view kEmptyRange = "empty range";

bool IsError(uint64_t result) { return result > ~uint64_t{4095}; }

TraceMeaning Skip(std::string_view reason) { return {std::nullopt, reason}; }

TraceMeaning Operation(TraceOpKind kind, VirtRange range) {
  TraceOperation operation;
  operation.kind = kind;
  operation.range = range;
  return {operation, {}};
}

std::optional<uint64_t> PageUp(uint64_t value) {
  const std::optional<VirtAddr> up = VirtAddr(value).CheckedAlignUp(kPageSize);
  return up ? std::optional<uint64_t>(up->value()) : std::nullopt;
}

// The pages of [start, start + length); none if they leave user space.
std::optional<VirtRange> Pages(uint64_t start, uint64_t length, uint64_t user_end) {
  const std::optional<VirtAddr> end = VirtAddr(start).CheckedAdd(length);
  if (!end) return std::nullopt;
  const std::optional<uint64_t> page_end = PageUp(end->value());
  if (!page_end || *page_end > user_end) return std::nullopt;
  return VirtRange{VirtAddr(start).AlignDown(kPageSize), VirtAddr(*page_end)};
}

TraceMeaning OnRange(TraceOpKind kind, const TraceEvent& enter, uint64_t user_end) {
  const std::optional<VirtRange> range = Pages(enter.args[0], enter.args[1], user_end);
  if (!range) return Skip(kNotUser);
  if (range->IsEmpty()) return Skip(kEmptyRange);
  return Operation(kind, *range);
}

TraceMeaning Mmap(const TraceEvent& enter, uint64_t result, uint64_t user_end) {
  const std::optional<VirtRange> range = Pages(result, enter.args[1], user_end);
  if (!range) return Skip(kNotUser);
  if (range->IsEmpty()) return Skip(kEmptyRange);
  TraceMeaning meaning = Operation(TraceOpKind::kReserve, *range);
  meaning.operation->access = enter.args[2] & 7;
  if (enter.args[3] & kMapPopulate) {
    if (range->size() > kMaxTracePopulateBytes) return Skip("populating more than 4 GiB");
    if (meaning.operation->access != 0) meaning.operation->backing = TraceBacking::kNow;
  }
  return meaning;
}

TraceMeaning Mprotect(const TraceEvent& enter, uint64_t user_end) {
  TraceMeaning meaning = OnRange(TraceOpKind::kProtect, enter, user_end);
  if (meaning.operation) meaning.operation->access = enter.args[2] & 7;
  return meaning;
}

TraceMeaning Madvise(const TraceEvent& enter, uint64_t user_end) {
  switch (enter.args[2]) {
    case kMadvDontNeed:
    case kMadvFree:
    case kMadvRemove:
    case kMadvPageOut:
    case kMadvDontNeedLocked:
    case kMadvGuardInstall:
      return OnRange(TraceOpKind::kDiscard, enter, user_end);
    case kMadvPopulateRead:
    case kMadvPopulateWrite: {
      TraceMeaning meaning = OnRange(TraceOpKind::kPopulate, enter, user_end);
      if (meaning.operation && meaning.operation->range.size() > kMaxTracePopulateBytes) {
        return Skip("populating more than 4 GiB");
      }
      return meaning;
    }
    default:
      return Skip("advice that maps and unmaps nothing");
  }
}

// brk returns the end of the heap: the one asked for, or on failure the old one.
TraceMeaning Brk(const TraceEvent& enter, uint64_t result, uint64_t user_end, TraceHeap& heap) {
  const std::optional<uint64_t> old_end = heap.end;
  heap.end = result;
  if (enter.args[0] == 0) return Skip("query of the heap's end");
  if (result != enter.args[0]) return Skip("failed brk");
  if (!old_end) return Skip("brk before the heap's end is known");
  const uint64_t low = std::min(result, *old_end);
  const std::optional<uint64_t> from = PageUp(low);
  const std::optional<uint64_t> to = PageUp(std::max(result, *old_end));
  if (!from || !to || *to > user_end) return Skip(kNotUser);
  if (*from == *to) return Skip("brk within a page");
  const bool grows = result > *old_end;
  TraceMeaning meaning = Operation(grows ? TraceOpKind::kHeapGrow : TraceOpKind::kHeapShrink,
                                   VirtRange{VirtAddr(*from), VirtAddr(*to)});
  if (grows) meaning.operation->access = kTraceRead | kTraceWrite;
  return meaning;
}

TraceMeaning Mremap(const TraceEvent& enter, uint64_t result, uint64_t user_end) {
  const std::optional<VirtRange> source = Pages(enter.args[0], enter.args[1], user_end);
  const std::optional<VirtRange> target = Pages(result, enter.args[2], user_end);
  if (!source || !target) return Skip(kNotUser);
  if (target->IsEmpty()) return Skip(kEmptyRange);
  if (source->start != target->start) {
    if (source->Intersects(*target)) return Skip("mremap onto its own source");
    TraceMeaning meaning = Operation(TraceOpKind::kMove, *target);
    // An empty source asks for a second view of a shared area: nothing leaves, nothing is mapped.
    meaning.operation->source = *source;
    return meaning;
  }
  if (source->end == target->end) return Skip("mremap that changes nothing");
  if (source->end < target->end) {
    return Operation(TraceOpKind::kGrow, VirtRange{source->end, target->end});
  }
  return Operation(TraceOpKind::kShrink, VirtRange{target->end, source->end});
}

}  // namespace

TraceMeaning InterpretTraceCall(const TraceEvent& enter, const TraceEvent& exit, uint64_t user_end,
                                TraceHeap& heap) {
  const uint64_t result = exit.args[0];
  switch (enter.call) {
    case TraceCall::kMmap:
      return IsError(result) ? Skip("failed mmap") : Mmap(enter, result, user_end);
    case TraceCall::kMunmap:
      return IsError(result) ? Skip("failed munmap")
                             : OnRange(TraceOpKind::kUnmap, enter, user_end);
    case TraceCall::kMprotect:
      return IsError(result) ? Skip("failed mprotect") : Mprotect(enter, user_end);
    case TraceCall::kBrk:
      return Brk(enter, result, user_end, heap);
    case TraceCall::kMadvise:
      return IsError(result) ? Skip("failed madvise") : Madvise(enter, user_end);
    case TraceCall::kMremap:
      return IsError(result) ? Skip("failed mremap") : Mremap(enter, result, user_end);
    case TraceCall::kPageFault:
      break;
  }
  return InterpretTraceFault(enter, user_end);
}

TraceMeaning InterpretTraceFault(const TraceEvent& fault, uint64_t user_end) {
  const uint64_t address = fault.args[0];
  if (address < kPageSize) return Skip("fault on the null page");
  const std::optional<VirtRange> page = Pages(address, 1, user_end);
  if (!page) return Skip(kNotUser);
  return Operation(TraceOpKind::kFault, *page);
}

TraceCall TraceCallOf(TraceOpKind kind) {
  switch (kind) {
    case TraceOpKind::kFault:
      return TraceCall::kPageFault;
    case TraceOpKind::kReserve:
      return TraceCall::kMmap;
    case TraceOpKind::kProtect:
      return TraceCall::kMprotect;
    case TraceOpKind::kUnmap:
      return TraceCall::kMunmap;
    case TraceOpKind::kDiscard:
    case TraceOpKind::kPopulate:
      return TraceCall::kMadvise;
    case TraceOpKind::kMove:
    case TraceOpKind::kGrow:
    case TraceOpKind::kShrink:
      return TraceCall::kMremap;
    case TraceOpKind::kHeapGrow:
    case TraceOpKind::kHeapShrink:
      return TraceCall::kBrk;
  }
  return TraceCall::kPageFault;
}

}  // namespace paddock

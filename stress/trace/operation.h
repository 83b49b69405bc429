// SPDX-License-Identifier: Apache-2.0
//
// One step of a recorded thread, as a change of an address space.
//
// Thread safety: values.

#ifndef PADDOCK_STRESS_TRACE_OPERATION_H_
#define PADDOCK_STRESS_TRACE_OPERATION_H_

#include <cstdint>
#include <string_view>

#include "paddock/arch/address.h"

namespace paddock {

enum class TraceOpKind : uint8_t {
  kFault,       // one page is touched: map a frame there, unless one is mapped already
  kReserve,     // mmap: `range` becomes an area of `access`, with nothing mapped in it; whatever
                // was mapped there before is unmapped first, whether the program asked for that
                // (MAP_FIXED) or not: a plan that starts in the middle of a program's life, or
                // threads that run free, meet mappings where the program had none
  kProtect,     // mprotect: what is mapped in `range`, and the area, get `access`
  kUnmap,       // munmap: area and mappings go
  kDiscard,     // madvise that drops pages: mappings go, the area stays
  kPopulate,    // madvise that fetches pages: as a fault on every page of `range`
  kMove,        // mremap to another address: what was mapped in `source` is mapped at the same
                // offset in `range`; destination and source are empty otherwise
  kGrow,        // mremap in place: `range` is the new end of the area, with nothing mapped in it
  kShrink,      // mremap in place: `range` is the end that goes, mappings included
  kHeapGrow,    // brk: `range` is added to the heap, readable and writable
  kHeapShrink,  // brk: `range` is taken from the heap, mappings included
};

inline constexpr int kTraceOpKinds = 11;
std::string_view TraceOpKindName(TraceOpKind kind);

// Permissions, as the PROT_ bits of Linux.
using TraceAccess = uint8_t;
inline constexpr TraceAccess kTraceRead = 1;
inline constexpr TraceAccess kTraceWrite = 2;
inline constexpr TraceAccess kTraceExecute = 4;

enum class TraceBacking : uint8_t { kOnFault, kNow /* MAP_POPULATE: map every page at once */ };

struct TraceOperation {
  TraceOpKind kind = TraceOpKind::kFault;
  // kReserve, kProtect: the new permissions, possibly none. kFault, kPopulate, kMove, kGrow,
  // kHeapGrow: those of the area as far as the recording tells, else read and write.
  TraceAccess access = 0;
  TraceBacking backing = TraceBacking::kOnFault;  // kReserve
  // Where it stands in the recording, from 1; both are the same line for a fault.
  uint32_t first_line = 0;
  uint32_t last_line = 0;
  // Its part of TraceProcess::waits.
  uint32_t first_wait = 0;
  uint32_t wait_count = 0;
  // invariant: whole pages, not empty, in user space; one page for a fault.
  VirtRange range = {};
  VirtRange source = {};  // kMove: whole pages, may be empty or of another length than `range`
  // Nanoseconds of the recording's clock; never decreasing along a thread, begin <= end.
  uint64_t begin_ns = 0;
  uint64_t end_ns = 0;

  // How many lines of the recording it is: an enter and its exit are two.
  uint64_t lines() const { return first_line == last_line ? 1 : 2; }
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_OPERATION_H_

// SPDX-License-Identifier: Apache-2.0
//
// What a recorded system call, its enter and its exit together, did to the address space: an
// operation, or nothing, with the reason. The meanings are those of the Linux manual pages
// (mmap(2), mprotect(2), brk(2), madvise(2), mremap(2)).
//
//   TraceHeap heap;   // one per process
//   TraceMeaning meaning = InterpretTraceCall(enter, exit, user_end, heap);
//   if (meaning.operation) Use(*meaning.operation); else ++skipped[meaning.skipped];
//
// Thread safety: a pure function but for `heap`. Failure: none; what has no effect is a reason.

#ifndef PADDOCK_STRESS_TRACE_MEANING_H_
#define PADDOCK_STRESS_TRACE_MEANING_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "paddock/arch/address.h"
#include "paddock/stress/trace/operation.h"
#include "paddock/stress/trace/parser.h"

namespace paddock {

// More than this is not populated at once: a recording of a few bytes could otherwise ask for all
// memory.
inline constexpr uint64_t kMaxTracePopulateBytes = uint64_t{4} << 30;

// The end of the heap, once a call has told it.
struct TraceHeap {
  std::optional<uint64_t> end;
};

struct TraceMeaning {
  // Kind, range, source, access and backing are set; access is that of the call, or none.
  std::optional<TraceOperation> operation;
  // Why there is no operation; one of a fixed set of texts.
  std::string_view skipped;
};

// `enter` and `exit` are of the same call; addresses at or above `user_end` are the kernel's.
TraceMeaning InterpretTraceCall(const TraceEvent& enter, const TraceEvent& exit, uint64_t user_end,
                                TraceHeap& heap);

// The same for a page fault.
TraceMeaning InterpretTraceFault(const TraceEvent& fault, uint64_t user_end);

// The event whose meaning such an operation is.
TraceCall TraceCallOf(TraceOpKind kind);

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_MEANING_H_

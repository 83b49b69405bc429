// SPDX-License-Identifier: Apache-2.0
//
// One line of `perf script --ns -F pid,tid,time,event,addr,trace` as an event. The forms:
//
//   PID/TID  SECONDS.FRACTION:  page-faults:  HEX
//   PID/TID  SECONDS.FRACTION:  syscalls:sys_enter_CALL: NAME: 0xHEX, NAME: 0xHEX, ...  0
//   PID/TID  SECONDS.FRACTION:  syscalls:sys_exit_CALL: 0xHEX  0
//
// CALL is mmap, munmap, mprotect, brk, madvise or mremap. The page-fault event may carry modifiers
// (`page-faults:u`) or be called minor-faults, major-faults or faults. Arguments are found by name,
// in any order; names that are not needed are passed over. The lone number that perf prints for the
// address of a tracepoint (it has none) may stand before or after the arguments, or be absent. The
// fraction has 1 to 9 digits.
//
//   absl::StatusOr<TraceEvent> event = ParseTraceLine(line);
//
// Thread safety: pure functions. Failure: INVALID_ARGUMENT with what is wrong; what a line says
// about another event, or about lost events, is not understood either. Cost: no allocation on
// success.

#ifndef PADDOCK_STRESS_TRACE_PARSER_H_
#define PADDOCK_STRESS_TRACE_PARSER_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace paddock {

enum class TraceCall : uint8_t { kPageFault, kMmap, kMunmap, kMprotect, kBrk, kMadvise, kMremap };

// The name of a call as in the recording: "page-faults", "mmap", ...
std::string_view TraceCallName(TraceCall call);

enum class TracePhase : uint8_t { kInstant /* a page fault */, kEnter, kExit };

struct TraceEvent {
  uint32_t pid = 0;
  uint32_t tid = 0;
  uint64_t time_ns = 0;  // of the recording's clock
  TraceCall call = TraceCall::kPageFault;
  TracePhase phase = TracePhase::kInstant;
  // kInstant: {address}. kExit: {result}. kEnter, by call:
  //   mmap {addr, len, prot, flags}; munmap {addr, len}; mprotect {start, len, prot}; brk {brk};
  //   madvise {start, len_in, behavior}; mremap {addr, old_len, new_len, flags, new_addr}.
  std::array<uint64_t, 5> args = {};
};

absl::StatusOr<TraceEvent> ParseTraceLine(std::string_view line);

// Whether the line is blank or a comment ('#', as in the header that perf script can print).
bool IsTraceComment(std::string_view line);

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_PARSER_H_

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/operation.h"

namespace paddock {

std::string_view TraceOpKindName(TraceOpKind kind) {
  switch (kind) {
    case TraceOpKind::kFault:
      return "fault";
    case TraceOpKind::kReserve:
      return "reserve";
    case TraceOpKind::kProtect:
      return "protect";
    case TraceOpKind::kUnmap:
      return "unmap";
    case TraceOpKind::kDiscard:
      return "discard";
    case TraceOpKind::kPopulate:
      return "populate";
    case TraceOpKind::kMove:
      return "move";
    case TraceOpKind::kGrow:
      return "grow";
    case TraceOpKind::kShrink:
      return "shrink";
    case TraceOpKind::kHeapGrow:
      return "heap-grow";
    case TraceOpKind::kHeapShrink:
      return "heap-shrink";
  }
  return "?";
}

}  // namespace paddock

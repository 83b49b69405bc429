// SPDX-License-Identifier: Apache-2.0
//
// The areas of a recorded process and their permissions, as far as the recording tells them: what
// existed before it began, or was inherited by a fork, is unknown.
//
//   areas.Set(range, kTraceRead);
//   std::optional<TraceAccess> access = areas.At(va);   // none: unknown
//
// Thread safety: one thread at a time. Cost: O(log n) and the areas that a range covers.

#ifndef PADDOCK_STRESS_TRACE_AREAS_H_
#define PADDOCK_STRESS_TRACE_AREAS_H_

#include <cstdint>
#include <optional>

#include "absl/container/btree_map.h"
#include "paddock/arch/address.h"
#include "paddock/stress/trace/operation.h"

namespace paddock {

class TraceAreas {
 public:
  // Precondition of both: `range` is neither empty nor reversed and does not reach 2^64.
  void Set(VirtRange range, TraceAccess access);
  void Clear(VirtRange range);

  std::optional<TraceAccess> At(VirtAddr addr) const;

  // Carries out what `operation` does to areas, and fills in its access where the call has none of
  // its own: the area's, else read and write.
  void Apply(TraceOperation& operation);

  // The number of areas, neighbours of equal permissions not joined.
  size_t size() const { return areas_.size(); }

 private:
  struct Area {
    uint64_t end;
    TraceAccess access;
  };

  // Splits the area around `addr` there.
  void SplitAt(uint64_t addr);

  absl::btree_map<uint64_t, Area> areas_;  // by start; disjoint
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_AREAS_H_

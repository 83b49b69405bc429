// SPDX-License-Identifier: Apache-2.0
//
// A changing set of named ranges, some of which overlap, and the question which of them overlap a
// given one.
//
//   RangeIndex index;
//   index.Insert(range, /*id=*/1);
//   std::optional<uint64_t> in_the_way = index.FirstOverlap(other, [](uint64_t id) { ... });
//
// Thread safety: a value. Failure: none. Preconditions: ranges are not reversed; an id is in the
// index once. Cost: logarithmic in the number of ranges, plus linear in the overlaps of the range
// that is inserted, erased or asked for.

#ifndef PADDOCK_CORE_SPACE_RANGE_INDEX_H_
#define PADDOCK_CORE_SPACE_RANGE_INDEX_H_

#include <cstdint>
#include <map>
#include <optional>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "paddock/arch/address.h"

namespace paddock {

class RangeIndex {
 public:
  // An empty range overlaps nothing and is not kept.
  void Insert(VirtRange range, uint64_t id);
  void Erase(VirtRange range, uint64_t id);

  // The first range, by address, that overlaps `range` and counts.
  std::optional<uint64_t> FirstOverlap(VirtRange range,
                                       absl::FunctionRef<bool(uint64_t id)> counts) const;

  bool empty() const { return stretches_.empty(); }

 private:
  using Ids = absl::InlinedVector<uint64_t, 2>;
  // Addresses over which the same ranges lie.
  struct Stretch {
    uint64_t last;  // inclusive
    Ids ids;        // in the order of insertion
  };
  // invariant: by first address; disjoint; no stretch is without ids, and two that touch differ in
  // their ids.
  using Stretches = std::map<uint64_t, Stretch>;

  // Splits the stretch that contains `va`, so that one starts there.
  void SplitAt(uint64_t va);
  // Joins the stretch that starts at `va` with the one before if they have the same ids.
  void JoinAt(uint64_t va);

  Stretches stretches_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_RANGE_INDEX_H_

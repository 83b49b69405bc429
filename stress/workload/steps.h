// SPDX-License-Identifier: Apache-2.0
//
// What generators have in common: regions of pages, random properties, and transactions of usual
// shapes.
//
//   Append(ops, OpenOp{.space = 0, .range = region.Pages(4, 2)}, MapOp{}, MapOp{}, CloseOp{});
//
// Thread safety: pure functions but for the generator of random numbers.

#ifndef PADDOCK_STRESS_WORKLOAD_STEPS_H_
#define PADDOCK_STRESS_WORKLOAD_STEPS_H_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "paddock/stress/ops.h"
#include "paddock/stress/rng.h"

namespace paddock {

inline constexpr uint64_t kHugePages = 512;
inline constexpr uint64_t kHugeBytes = kHugePages * kPageSize;
inline constexpr uint64_t kGiB = uint64_t{1} << 30;

struct Region {
  uint64_t start = 0;
  uint64_t pages = 0;

  VirtAddr Page(uint64_t index) const { return VirtAddr(start + index * kPageSize); }
  VirtRange Pages(uint64_t first, uint64_t count) const {
    return VirtRange{Page(first), Page(first + count)};
  }
  // 1 to `longest` pages anywhere inside.
  VirtRange Random(StreamRng& rng, uint64_t longest) const {
    const uint64_t first = rng.Below(pages);
    return Pages(first, rng.Between(1, std::min(longest, pages - first)));
  }
};

template <typename... O>
void Append(std::vector<Op>& ops, O&&... op) {
  (ops.emplace_back(std::forward<O>(op)), ...);
}

inline PageProperty RandomProperty(StreamRng& rng) {
  PageProperty property = kReadUser;
  if (!rng.Chance(4)) property.flags |= PageFlags::kWrite;
  if (rng.Chance(4)) property.flags |= PageFlags::kExecute;
  if (rng.Chance(16)) property.cache = CachePolicy::kUncacheable;
  property.software = static_cast<uint8_t>(rng.Below(4));
  return property;
}

inline PropertyEdit RandomEdit(StreamRng& rng) {
  switch (rng.Below(5)) {
    case 0:
      return {.set = PageFlags::kWrite};
    case 1:
      return {.clear = PageFlags::kWrite};
    case 2:
      return {.clear = PageFlags::kExecute, .software_set = 1, .software_clear = 2};
    case 3:
      return {.set = PageFlags::kExecute, .software_set = 2};
    default:
      return {.clear = PageFlags::kAccessed | PageFlags::kDirty};
  }
}

// Mostly waits as long as it takes.
inline Wait RandomWait(StreamRng& rng) {
  const uint64_t draw = rng.Below(16);
  return draw == 0 ? Wait::kTry : draw == 1 ? Wait::kDeadline : Wait::kForever;
}

// Fresh frames over the whole range.
inline void AppendFill(std::vector<Op>& ops, StreamRng& rng, uint32_t space, VirtRange range) {
  Append(ops, OpenOp{.space = space, .range = range, .wait = RandomWait(rng)});
  const PageProperty property = RandomProperty(rng);
  for (uint64_t at = 0; at < range.size(); at += kPageSize) {
    Append(ops, MapOp{.property = property});
  }
  Append(ops, CloseOp{});
}

inline void AppendUnmap(std::vector<Op>& ops, StreamRng& rng, uint32_t space, VirtRange range) {
  Append(ops,
         OpenOp{.space = space, .range = range, .intent = Intent::kNoMap, .wait = RandomWait(rng)},
         UnmapOp{range.size()}, CloseOp{});
}

// Looks at a few places of the range.
inline void AppendLook(std::vector<Op>& ops, StreamRng& rng, uint32_t space, VirtRange range) {
  Append(ops,
         OpenOp{.space = space,
                .range = range,
                .kind = CursorKind::kLook,
                .intent = Intent::kNoMap,
                .wait = RandomWait(rng)},
         QueryOp{}, FindNextOp{range.size()});
  for (uint64_t i = rng.Below(4); i > 0; --i) {
    const VirtAddr va(range.start.value() + rng.Below(range.size() / kPageSize) * kPageSize);
    Append(ops, JumpOp{va}, QueryOp{});
  }
  Append(ops, CloseOp{});
}

}  // namespace paddock

#endif  // PADDOCK_STRESS_WORKLOAD_STEPS_H_

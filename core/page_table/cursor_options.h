// SPDX-License-Identifier: Apache-2.0
//
// How a cursor is to be opened: what it will do, where it locks, how long it may wait.

#ifndef PADDOCK_CORE_PAGE_TABLE_CURSOR_OPTIONS_H_
#define PADDOCK_CORE_PAGE_TABLE_CURSOR_OPTIONS_H_

#include <cstdint>

#include "paddock/concurrency/sync.h"

namespace paddock {

enum class Intent : uint8_t {
  kMap,    // creates missing tables on the way to the range
  kNoMap,  // stops at a hole and allocates nothing; for unmapping, protecting, harvesting
};

enum class Anchor : uint8_t {
  kHigh,  // a range that is exactly one entry's span locks the entry itself: it can take a huge
          // item, and the table below it can be cut out
  kLow,   // the same range locks only the table below; for callers that touch smaller pages only
};

enum class Wait : uint8_t {
  kForever,
  kTry,       // not at all: UNAVAILABLE
  kDeadline,  // until `deadline_ns`: DEADLINE_EXCEEDED
};

struct CursorOptions {
  Intent intent = Intent::kMap;
  Anchor anchor = Anchor::kHigh;
  Wait wait = Wait::kForever;
  // On the clock of sync::NowNs(), any value; used with kDeadline only. One in the past waits a few
  // microseconds.
  uint64_t deadline_ns = sync::kNoDeadline;

  // When a wait ends at the latest.
  uint64_t LatestNs() const { return wait == Wait::kDeadline ? deadline_ns : sync::kNoDeadline; }
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_CURSOR_OPTIONS_H_

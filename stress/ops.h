// SPDX-License-Identifier: Apache-2.0
//
// The vocabulary of the harness: one step of a stream of operations, as a value. Generators make
// them, an executor carries them out, and they print as C++ that can be pasted into a test:
//
//   std::vector<Op> ops = {OpenOp{.range = VirtRange{VirtAddr(0x1000), VirtAddr(0x3000)}}, MapOp{},
//                          CloseOp{}};
//   puts(Print(ops).c_str());
//
// A transaction is OpenOp, any number of cursor operations, CloseOp; all other operations stand
// outside of transactions. Spaces are named by slot, not by identity, so that a stream means the
// same in every run. Thread safety: values. Cost: no allocation but in Print.

#ifndef PADDOCK_STRESS_OPS_H_
#define PADDOCK_STRESS_OPS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/types/span.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/core/page_table/cursor_options.h"
#include "paddock/core/spec/property_edit.h"

namespace paddock {

enum class CursorKind : uint8_t { kChange, kLook };
enum class AccessKind : uint8_t { kLoad, kStore };
// What fresh frames hold when they are mapped.
enum class MapContent : uint8_t { kStamp, kWords };  // their stamp only; all of memory_words.h

// Opens a cursor. With Wait::kDeadline the executor waits a fraction of a millisecond.
struct OpenOp {
  uint32_t space = 0;
  VirtRange range = {};
  CursorKind kind = CursorKind::kChange;
  Intent intent = Intent::kMap;
  Anchor anchor = Anchor::kHigh;
  Wait wait = Wait::kForever;
  friend bool operator==(const OpenOp&, const OpenOp&) = default;
};
// Maps fresh frames where the cursor stands, `pages` of them (1 or 512) with one entry.
struct MapOp {
  uint32_t pages = 1;
  MapContent content = MapContent::kStamp;
  PageProperty property = kReadWriteUser;
  friend bool operator==(const MapOp&, const MapOp&) = default;
};
struct UnmapOp {
  uint64_t bytes = kPageSize;
  friend bool operator==(const UnmapOp&, const UnmapOp&) = default;
};
struct ProtectOp {
  uint64_t bytes = kPageSize;
  PropertyEdit edit;
  friend bool operator==(const ProtectOp&, const ProtectOp&) = default;
};
struct ProtectNextOp {
  uint64_t bytes = kPageSize;
  PropertyEdit edit;
  friend bool operator==(const ProtectNextOp&, const ProtectNextOp&) = default;
};
struct QueryOp {
  friend bool operator==(const QueryOp&, const QueryOp&) = default;
};
struct FindNextOp {
  uint64_t bytes = kPageSize;
  friend bool operator==(const FindNextOp&, const FindNextOp&) = default;
};
struct JumpOp {
  VirtAddr to;
  friend bool operator==(const JumpOp&, const JumpOp&) = default;
};
struct TakeNextOp {
  uint64_t bytes = kPageSize;
  friend bool operator==(const TakeNextOp&, const TakeNextOp&) = default;
};
// Waits until every CPU has done the cursor's flushes so far.
struct SyncOp {
  friend bool operator==(const SyncOp&, const SyncOp&) = default;
};
struct CloseOp {
  friend bool operator==(const CloseOp&, const CloseOp&) = default;
};

// An access as user code of the space makes it, through the CPU's TLB; the space is activated
// first.
struct AccessOp {
  uint32_t space = 0;
  VirtAddr va;
  AccessKind kind = AccessKind::kLoad;
  friend bool operator==(const AccessOp&, const AccessOp&) = default;
};
// Through which function of core/io/ memory is read or written.
enum class IoWay : uint8_t {
  kCopy,     // to or from frames of the kernel, by a reader or writer of the space
  kValue,    // ReadVal, WriteVal
  kOnce,     // ReadOnce, WriteOnce
  kBytes,    // ReadBytes, WriteBytes by user address
  kPair,     // by one half of a ReaderWriter
  kCollect,  // Collect; writes: Fill
};
// What becomes of page faults under it.
enum class OnFault : uint8_t { kEnd, kMap };

// Reads user memory as kernel code does; the space is activated first.
struct ReadMemoryOp {
  uint32_t space = 0;
  VirtAddr va;
  uint64_t bytes = 8;
  IoWay way = IoWay::kCopy;
  OnFault on_fault = OnFault::kEnd;
  friend bool operator==(const ReadMemoryOp&, const ReadMemoryOp&) = default;
};
struct WriteMemoryOp {
  uint32_t space = 0;
  VirtAddr va;
  uint64_t bytes = 8;
  IoWay way = IoWay::kCopy;
  OnFault on_fault = OnFault::kEnd;
  friend bool operator==(const WriteMemoryOp&, const WriteMemoryOp&) = default;
};
// A walk without locks, by the table's own code and by the independent MMU model.
struct WalkOp {
  uint32_t space = 0;
  VirtAddr va;
  friend bool operator==(const WalkOp&, const WalkOp&) = default;
};
struct ActivateOp {
  uint32_t space = 0;
  friend bool operator==(const ActivateOp&, const ActivateOp&) = default;
};
struct DeactivateOp {
  friend bool operator==(const DeactivateOp&, const DeactivateOp&) = default;
};
// The CPU goes idle and wakes again.
struct IdleOp {
  uint32_t yields = 1;
  friend bool operator==(const IdleOp&, const IdleOp&) = default;
};
struct CreateSpaceOp {
  uint32_t space = 0;
  friend bool operator==(const CreateSpaceOp&, const CreateSpaceOp&) = default;
};
struct DestroySpaceOp {
  uint32_t space = 0;
  friend bool operator==(const DestroySpaceOp&, const DestroySpaceOp&) = default;
};
// Replaces the object that is published in `cell` and retires the one before.
struct RetireOp {
  uint32_t cell = 0;
  friend bool operator==(const RetireOp&, const RetireOp&) = default;
};
// Looks at the object in `cell` twice within one read-side section, `spins` apart.
struct ReadOp {
  uint32_t cell = 0;
  uint32_t spins = 0;
  friend bool operator==(const ReadOp&, const ReadOp&) = default;
};
// What a kernel area maps.
enum class AreaKind : uint8_t {
  kNothing,
  kFrames,   // single frames
  kSegment,  // adjacent frames
  kDevice,   // physical addresses of the machine's memory that nobody counts
  kOutside,  // physical addresses outside of the machine's memory
};
// How an area goes.
enum class AreaEnd : uint8_t { kDestroy, kDestructor, kDestructorOnIdleCpu };

// Creates a kernel area in a slot, of `before` unmapped pages, `pages` mapped ones, and `behind`
// unmapped ones. Nothing if the slot is taken.
struct CreateAreaOp {
  uint32_t area = 0;
  AreaKind kind = AreaKind::kFrames;
  uint32_t before = 0;
  uint32_t pages = 1;
  uint32_t behind = 0;
  AccessKind rights = AccessKind::kStore;  // kLoad: read only
  friend bool operator==(const CreateAreaOp&, const CreateAreaOp&) = default;
};
struct DestroyAreaOp {
  uint32_t area = 0;
  AreaEnd end = AreaEnd::kDestroy;
  friend bool operator==(const DestroyAreaOp&, const DestroyAreaOp&) = default;
};
// Moves what lies behind page `page` (modulo the size) of the area to the slot `rest`.
struct SplitAreaOp {
  uint32_t area = 0;
  uint32_t rest = 1;
  uint32_t page = 1;
  friend bool operator==(const SplitAreaOp&, const SplitAreaOp&) = default;
};
struct QueryAreaOp {
  uint32_t area = 0;
  uint32_t page = 0;
  friend bool operator==(const QueryAreaOp&, const QueryAreaOp&) = default;
};
// An access of kernel code to page `page` (modulo the size) of the area, through the CPU's TLB.
struct AccessAreaOp {
  uint32_t area = 0;
  uint32_t page = 0;
  AccessKind kind = AccessKind::kLoad;
  friend bool operator==(const AccessAreaOp&, const AccessAreaOp&) = default;
};
// Waits until the addresses of destroyed areas are free.
struct FlushAreasOp {
  friend bool operator==(const FlushAreasOp&, const FlushAreasOp&) = default;
};
// Checks the invariants of the store of areas.
struct CheckAreasOp {
  friend bool operator==(const CheckAreasOp&, const CheckAreasOp&) = default;
};
// Waits for a whole grace period.
struct GraceOp {
  friend bool operator==(const GraceOp&, const GraceOp&) = default;
};

using Op = std::variant<OpenOp, MapOp, UnmapOp, ProtectOp, ProtectNextOp, QueryOp, FindNextOp,
                        JumpOp, TakeNextOp, SyncOp, CloseOp, AccessOp, WalkOp, ActivateOp,
                        DeactivateOp, IdleOp, CreateSpaceOp, DestroySpaceOp, RetireOp, ReadOp,
                        GraceOp, ReadMemoryOp, WriteMemoryOp, CreateAreaOp, DestroyAreaOp,
                        SplitAreaOp, QueryAreaOp, AccessAreaOp, FlushAreasOp, CheckAreasOp>;

inline constexpr size_t kOpKinds = std::variant_size_v<Op>;

// The name of the kind of operation that stands at `index` in Op: "open", "map", ...
std::string_view OpName(size_t index);

// As C++ initialisers: "MapOp{.pages = 1, .property = PageProperty{...}}"; of several, one a line
// in braces.
std::string Print(const Op& op);
std::string Print(absl::Span<const Op> ops);

// Extends the digest of a stream by one operation; the same on every machine.
uint64_t DigestOp(uint64_t digest, const Op& op);

}  // namespace paddock

#endif  // PADDOCK_STRESS_OPS_H_

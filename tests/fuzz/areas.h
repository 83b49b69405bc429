// SPDX-License-Identifier: Apache-2.0
//
// The kernel areas of a program that is replayed, and what they should map.
//
//   Areas areas(machine);
//   absl::Status held = areas.Run(pin, NewAreaOp{.pages = 5}, Areas::Cursor::kClosed);
//   held = areas.Finish(pin);
//
// INTERNAL: what is wrong. While this CPU holds a cursor, areas may refuse to change. A translation
// of a destroyed area may be used until its addresses are flushed or another area has them.
// Thread safety: one thread at a time.

#ifndef PADDOCK_TESTS_FUZZ_AREAS_H_
#define PADDOCK_TESTS_FUZZ_AREAS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/kvirt_area.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/tests/fuzz/steps.h"

namespace paddock::fuzz {

class Areas {
 public:
  static constexpr uint64_t kWindowPages = 2048;  // four huge pages
  static constexpr VirtAddr kWindowStart{0xffff'fe00'0000'0000};

  // Whether this CPU holds one.
  enum class Cursor : uint8_t { kClosed, kOpen };

  explicit Areas(Machine& machine) : machine_(machine) {}

  absl::Status Run(const CpuPin& pin, const NewAreaOp& op, Cursor cursor);
  absl::Status Run(const CpuPin& pin, const SplitAreaOp& op, Cursor cursor);
  absl::Status Run(const CpuPin& pin, const DestroyAreaOp& op, Cursor cursor);
  absl::Status Run(const CpuPin& pin, const KernelAccessOp& op, Cursor cursor);
  absl::Status Run(const CpuPin& pin, const FlushAreasOp& op, Cursor cursor);

  // Destroys all areas, flushes them, and takes out the tables that they left.
  absl::Status Finish(const CpuPin& pin);

 private:
  // The frame of each page behind the guard.
  struct Mapping {
    std::vector<PhysAddr> pages;
    PageProperty property;
  };

  bool AnyAlive() const;
  absl::StatusOr<KVirtArea> Create(const CpuPin& pin, const NewAreaOp& op, Mapping& mapping);
  absl::Status Destroy(const CpuPin& pin, KVirtArea& area, Cursor cursor);
  // The tables map what they should, and the store is sound.
  absl::Status Check(const CpuPin& pin);

  Machine& machine_;
  std::array<KVirtArea, kAreas> areas_;
  AbstractTable expected_;
  // What destroyed areas mapped where CPUs may still find it.
  AbstractTable stale_;
};

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_AREAS_H_

// SPDX-License-Identifier: Apache-2.0
//
// What the fuzzer runs: a sequence of steps of one thread on a machine, as a value. Steps are the
// operations of the harness (stress/ops.h) and those on kernel areas and CPUs, which are only here.
// A program prints as the C++ that makes it, and is read back from that text (text.h):
//
//   const Program program = {OpenOp{.range = VirtRange{VirtAddr(0x1000), VirtAddr(0x3000)}},
//                            MapOp{}, CpuOp{.cpu = 1}, AccessOp{.va = VirtAddr(0x1000)}};
//   puts(Print(program).c_str());
//   absl::Status held = Replay(program);               // replay.h
//
// Thread safety: values.

#ifndef PADDOCK_TESTS_FUZZ_STEPS_H_
#define PADDOCK_TESTS_FUZZ_STEPS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "paddock/stress/op_fields.h"
#include "paddock/stress/op_text.h"
#include "paddock/stress/ops.h"

namespace paddock::fuzz {

// The thread goes on as another CPU; a cursor is closed.
struct CpuOp {
  uint32_t cpu = 0;
  friend bool operator==(const CpuOp&, const CpuOp&) = default;
};

enum class AreaFrames : uint8_t { kNone, kSingle, kSegment, kUntracked };

// Makes a kernel area of `guard` + `pages` pages, the last `pages` of which are mapped. Nothing if
// the slot `area` has one.
struct NewAreaOp {
  uint32_t area = 0;
  uint32_t guard = 0;
  uint32_t pages = 1;
  AreaFrames frames = AreaFrames::kSingle;
  friend bool operator==(const NewAreaOp&, const NewAreaOp&) = default;
};
// What lies behind the first `bytes` of the area becomes an area of its own, in slot `rest` if that
// is free, else it is destroyed.
struct SplitAreaOp {
  uint32_t area = 0;
  uint32_t rest = 1;
  uint64_t bytes = kPageSize;
  friend bool operator==(const SplitAreaOp&, const SplitAreaOp&) = default;
};
struct DestroyAreaOp {
  uint32_t area = 0;
  friend bool operator==(const DestroyAreaOp&, const DestroyAreaOp&) = default;
};
// An access as kernel code makes it, `bytes` behind the start of the window of areas.
struct KernelAccessOp {
  uint64_t bytes = 0;
  AccessKind kind = AccessKind::kLoad;
  friend bool operator==(const KernelAccessOp&, const KernelAccessOp&) = default;
};
struct FlushAreasOp {
  friend bool operator==(const FlushAreasOp&, const FlushAreasOp&) = default;
};

using Step = std::variant<OpenOp, MapOp, UnmapOp, ProtectOp, ProtectNextOp, QueryOp, FindNextOp,
                          JumpOp, TakeNextOp, SyncOp, CloseOp, AccessOp, WalkOp, ActivateOp,
                          DeactivateOp, IdleOp, CreateSpaceOp, DestroySpaceOp, GraceOp, CpuOp,
                          NewAreaOp, SplitAreaOp, DestroyAreaOp, KernelAccessOp, FlushAreasOp>;
using Program = std::vector<Step>;

// Slots of spaces and areas, and CPUs.
inline constexpr uint32_t kSpaces = 2;
inline constexpr uint32_t kAreas = 4;
inline constexpr uint32_t kCpus = 2;

inline std::string Text(AreaFrames frames) {
  switch (frames) {
    case AreaFrames::kNone:
      return "AreaFrames::kNone";
    case AreaFrames::kSingle:
      return "AreaFrames::kSingle";
    case AreaFrames::kSegment:
      return "AreaFrames::kSegment";
    case AreaFrames::kUntracked:
      return "AreaFrames::kUntracked";
  }
  return "AreaFrames()";
}

template <MaybeConst<CpuOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("CpuOp");
  visit("cpu", op.cpu);
}
template <MaybeConst<NewAreaOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("NewAreaOp");
  visit("area", op.area);
  visit("guard", op.guard);
  visit("pages", op.pages);
  visit("frames", op.frames);
}
template <MaybeConst<SplitAreaOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("SplitAreaOp");
  visit("area", op.area);
  visit("rest", op.rest);
  visit("bytes", op.bytes);
}
template <MaybeConst<DestroyAreaOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("DestroyAreaOp");
  visit("area", op.area);
}
template <MaybeConst<KernelAccessOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("KernelAccessOp");
  visit("bytes", op.bytes);
  visit("kind", op.kind);
}
template <MaybeConst<FlushAreasOp> O, typename Visit>
void VisitFields(O&, Visit& visit) {
  visit("FlushAreasOp");
}

// As C++ initialisers, in braces, a step a line.
std::string Print(const Step& step);
std::string Print(const Program& program);

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_STEPS_H_

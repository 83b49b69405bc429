// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/fuzz/replay.h"

#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/segment.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/tests/fuzz/areas.h"
#include "paddock/tests/support/checked_cursor.h"
#include "paddock/tests/support/soft_mmu.h"

namespace paddock::fuzz {
namespace {

constexpr VirtRange kUserRange{VirtAddr(0), kUserEnd};
constexpr PageFlags kSetByHardware = PageFlags::kAccessed | PageFlags::kDirty;
constexpr uint64_t kPatience = 1'000'000'000;

// Small where that makes the rare frequent: TLBs, tags, batches. More memory than a program of
// bounded length can use up.
Machine::Options SmallMachine() {
  Machine::Options options;
  options.cpus = kCpus;
  options.memory_bytes = uint64_t{512} << 20;
  options.rcu.batch_size = 4;
  options.tlb.tlb_sets = 4;
  options.tlb.tlb_ways = 2;
  options.tlb.tags_per_cpu = 2;
  options.tlb.full_flush_threshold = 4;
  options.kernel.dynamic_window = {Areas::kWindowStart,
                                   Areas::kWindowStart.Plus(Areas::kWindowPages * kPageSize)};
  options.kernel.quarantine_areas = 3;
  return options;
}

class Replayer {
 public:
  Replayer() = default;

  absl::Status Run(const Program& program) {
    if (absl::Status status = Start(); !status.ok()) return status;
    for (size_t i = 0; i < program.size(); ++i) {
      absl::Status held = std::visit([&](const auto& op) { return Do(op); }, program[i]);
      if (!held.ok()) return At(absl::StrCat("step ", i, ", ", Print(program[i])), held);
    }
    return At("at the end", Finish());
  }

 private:
  struct Space {
    std::shared_ptr<VmSpace> space;
    AbstractTable expected;
  };

  static absl::Status At(const std::string& where, const absl::Status& held) {
    if (held.ok()) return held;
    return absl::InternalError(absl::StrCat(where, ": ", held.message()));
  }

  absl::Status Start() {
    absl::StatusOr<std::unique_ptr<Machine>> machine = Machine::Create(SmallMachine());
    if (!machine.ok()) return machine.status();
    machine_ = *std::move(machine);
    areas_.emplace(*machine_);
    if (absl::Status status = PinTo(0); !status.ok()) return status;
    frames_at_start_ = machine_->frames().used_pages();
    for (uint32_t slot = 0; slot < kSpaces; ++slot) {
      if (absl::Status held = Do(CreateSpaceOp{slot}); !held.ok()) return held;
    }
    return absl::OkStatus();
  }
  absl::Status Finish() {
    CloseCursor();
    if (absl::Status held = areas_->Finish(*pin_); !held.ok()) return held;
    for (Space& space : spaces_) space = Space();
    for (const uint32_t cpu : {1u, 0u}) {
      if (absl::Status status = PinTo(cpu); !status.ok()) return status;
      machine_->DeactivateSpace(*pin_);
    }
    machine_->bus().Poll(*pin_);
    machine_->rcu().Drain(*pin_);
    const RcuStats rcu = machine_->rcu().stats();
    if (rcu.retired != rcu.reclaimed) return absl::InternalError("not all is reclaimed");
    return CheckCount("frames in use", frames_at_start_, machine_->frames().used_pages());
  }

  absl::Status PinTo(uint32_t cpu) {
    CloseCursor();
    pin_.reset();
    absl::StatusOr<CpuPin> pin = machine_->Pin(CpuId{cpu});
    if (!pin.ok()) return pin.status();
    pin_.emplace(*std::move(pin));
    cpu_ = cpu;
    return absl::OkStatus();
  }

  // --- Cursors.

  bool HasCursor() const { return look_.has_value() || change_.has_value(); }
  void CloseCursor() {
    look_.reset();
    change_.reset();
  }
  Areas::Cursor CursorState() const {
    return HasCursor() ? Areas::Cursor::kOpen : Areas::Cursor::kClosed;
  }

  static RefusalCodes RangeRefusals(VirtRange range) {
    RefusalCodes refusals;
    if (range.IsEmpty() || range.IsReversed() || !range.IsAligned(kPageSize)) {
      refusals.push_back(absl::StatusCode::kInvalidArgument);
    }
    if (!kUserRange.Contains(range)) refusals.push_back(absl::StatusCode::kOutOfRange);
    return refusals;
  }

  absl::Status Do(const OpenOp& op) {
    const std::shared_ptr<VmSpace>& space = spaces_[op.space].space;
    if (space == nullptr) return absl::OkStatus();
    RefusalCodes refusals = RangeRefusals(op.range);
    if (HasCursor() && !MayOpenSecond(op)) {
      refusals.push_back(absl::StatusCode::kFailedPrecondition);
    }
    const CursorOptions options{.intent = op.intent,
                                .anchor = op.anchor,
                                .wait = op.wait,
                                .deadline_ns = sync::NowNs() + kPatience};
    if (op.kind == CursorKind::kLook) {
      absl::StatusOr<VmSpace::Cursor> cursor = space->OpenCursor(*pin_, op.range, options);
      const absl::Status status = cursor.status();
      if (cursor.ok() && refusals.empty() && !HasCursor()) {
        look_.emplace(*std::move(cursor));
        NoteCursor(op);
      }
      return CheckCode("OpenCursor", status, refusals);
    }
    absl::StatusOr<VmSpace::CursorMut> cursor = space->OpenCursorMut(*pin_, op.range, options);
    const absl::Status status = cursor.status();
    if (cursor.ok() && refusals.empty() && !HasCursor()) {
      change_.emplace(*std::move(cursor));
      NoteCursor(op);
    }
    return CheckCode("OpenCursorMut", status, refusals);
  }
  // In another table, of higher identity unless the call does not wait.
  bool MayOpenSecond(const OpenOp& op) const {
    const uint64_t held = spaces_[cursor_space_].space->table().identity();
    const uint64_t wanted = spaces_[op.space].space->table().identity();
    return wanted > held || (wanted < held && op.wait == Wait::kTry);
  }
  void NoteCursor(const OpenOp& op) {
    cursor_space_ = op.space;
    anchor_ = op.anchor;
  }

  // Calls `work(cursor, expected)` with whichever cursor there is.
  template <typename Work>
  absl::Status Look(Work work) {
    if (look_) return work(*look_, spaces_[cursor_space_].expected);
    if (change_) return work(*change_, spaces_[cursor_space_].expected);
    return absl::OkStatus();
  }
  // The same with one that changes; what was issued is dispatched, and the whole table compared.
  template <typename Work>
  absl::Status Change(Work work) {
    if (!change_) return absl::OkStatus();
    Space& space = spaces_[cursor_space_];
    absl::Status held = work(*change_, space.expected);
    if (change_->flusher().pending()) change_->flusher().Dispatch();
    return All({held, Compare(space)});
  }

  absl::Status Do(const MapOp& op) {
    if (!change_) return absl::OkStatus();
    // To a multiple of the next power of two: 512 pages are a huge page.
    absl::StatusOr<USegment> frames =
        machine_->frames().AllocateSegment(op.pages, op.pages, Untyped{}, Zeroing::kLeave);
    if (!frames.ok()) return frames.status();
    return Change([&](auto& cursor, AbstractTable& expected) {
      return CheckedMap(cursor, expected, spaces_[cursor_space_].space->table().config(), anchor_,
                        MappedFrames(*std::move(frames), op.property));
    });
  }
  absl::Status Do(const UnmapOp& op) {
    return Change([&](auto& cursor, auto& table) { return CheckedUnmap(cursor, table, op.bytes); });
  }
  absl::Status Do(const ProtectOp& op) {
    return Change([&](auto& cursor, auto& table) {
      return CheckedProtect(cursor, table, op.bytes, op.edit);
    });
  }
  absl::Status Do(const ProtectNextOp& op) {
    return Change([&](auto& cursor, auto& table) {
      return CheckedProtectNext(cursor, table, op.bytes, op.edit);
    });
  }
  absl::Status Do(const TakeNextOp& op) {
    return Change(
        [&](auto& cursor, auto& table) { return CheckedTakeNext(cursor, table, op.bytes); });
  }
  absl::Status Do(const QueryOp&) {
    return Look([](auto& cursor, auto& table) { return CheckedQuery(cursor, table); });
  }
  absl::Status Do(const FindNextOp& op) {
    return Look(
        [&](auto& cursor, auto& table) { return CheckedFindNext(cursor, table, op.bytes); });
  }
  absl::Status Do(const JumpOp& op) {
    return Look([&](auto& cursor, auto&) { return CheckedJump(cursor, op.to); });
  }
  absl::Status Do(const SyncOp&) {
    if (change_) change_->flusher().Sync();
    return absl::OkStatus();
  }
  absl::Status Do(const CloseOp&) {
    CloseCursor();
    return absl::OkStatus();
  }

  // What an independent walker finds in memory is what the model says.
  absl::Status Compare(const Space& space) const {
    const AbstractTable actual =
        ViewOf<UserFormat>(machine_->memory(), space.space->root(), UserPtConfig::kTopLevelFirst,
                           UserPtConfig::kTopLevelLast);
    const auto difference = FirstDifference(space.expected, actual, HardwareBits::kExact);
    if (!difference) return absl::OkStatus();
    return absl::InternalError(Describe(*difference));
  }

  // --- Accesses.

  absl::Status Do(const AccessOp& op) {
    Space& slot = spaces_[op.space];
    if (slot.space == nullptr) return absl::OkStatus();
    if (!slot.space->IsActiveOn(*pin_)) slot.space->Activate(*pin_);
    const Access access = op.kind == AccessKind::kLoad ? Access::kRead : Access::kWrite;
    RefusalCodes refusals;
    std::optional<MappedRun> page;
    if (!op.va.IsAligned(sizeof(uint64_t))) refusals.push_back(absl::StatusCode::kInvalidArgument);
    if (op.va >= kUserEnd) refusals.push_back(absl::StatusCode::kOutOfRange);
    if (refusals.empty()) {
      page = slot.expected.Query(op.va);
      if (!page) {
        refusals.push_back(absl::StatusCode::kNotFound);
      } else if (!HasAll(page->property.flags, FlagsNeeded(access, Privilege::kUser))) {
        refusals.push_back(absl::StatusCode::kPermissionDenied);
      }
    }
    const absl::StatusOr<AccessResult> result = op.kind == AccessKind::kLoad
                                                    ? slot.space->Load(*pin_, op.va)
                                                    : slot.space->Store(*pin_, op.va, 1);
    if (absl::Status held = CheckCode("Access", result.status(), refusals); !held.ok()) return held;
    if (!result.ok()) return Compare(slot);
    if (result->frame != page->frame) {
      return absl::InternalError(absl::StrFormat("reached frame %#x, mapped is %#x",
                                                 result->frame.value(), page->frame.value()));
    }
    if (result->generation_at_fill != result->generation_now) {
      return absl::InternalError("reached a frame that was freed since the TLB was filled");
    }
    return All({NoteHardwareBits(slot, op.va, access), Compare(slot)});
  }

  // The hardware has set bits in the leaf: some it had to, others it may have.
  absl::Status NoteHardwareBits(Space& slot, VirtAddr va, Access access) const {
    const std::optional<MappedPage> page =
        SoftWalk<UserFormat>(machine_->memory(), slot.space->root(), va);
    const PageFlags wanted = access == Access::kWrite ? kSetByHardware : PageFlags::kAccessed;
    if (!page || !HasAll(page->property.flags, wanted)) {
      return absl::InternalError("the access left no accessed or dirty bit");
    }
    const PageFlags set = page->property.flags & kSetByHardware;
    const uint64_t span = Geometry<UserFormat>::EntrySpan(page->level);
    const VirtAddr start = va.AlignDown(span);
    slot.expected.Protect({start, start.Plus(span)}, [&](PageProperty property) {
      property.flags |= set;
      return property;
    });
    return absl::OkStatus();
  }

  absl::Status Do(const WalkOp& op) {
    const Space& slot = spaces_[op.space];
    if (slot.space == nullptr) return absl::OkStatus();
    const RcuReadGuard section(machine_->rcu(), *pin_);
    const std::optional<Translation> found = slot.space->Walk(section, op.va);
    std::optional<MappedRun> page;
    if (op.va < kUserEnd) page = slot.expected.Query(op.va);
    if (found.has_value() != page.has_value()) {
      return absl::InternalError(found ? "finds what is not mapped" : "does not find the mapping");
    }
    if (!found) return absl::OkStatus();
    if (found->address.value() != page->frame.value() + op.va.value() % kPageSize ||
        found->item.property != page->property) {
      return absl::InternalError(
          absl::StrFormat("finds %#x with %s, mapped is %s", found->address.value(),
                          Describe(found->item.property).c_str(), Describe(page)));
    }
    return absl::OkStatus();
  }

  // --- Spaces, CPUs, the rest.

  absl::Status Do(const ActivateOp& op) {
    if (spaces_[op.space].space != nullptr) spaces_[op.space].space->Activate(*pin_);
    return absl::OkStatus();
  }
  absl::Status Do(const DeactivateOp&) {
    machine_->DeactivateSpace(*pin_);
    return absl::OkStatus();
  }
  absl::Status Do(const CreateSpaceOp& op) {
    Space& slot = spaces_[op.space];
    if (slot.space != nullptr) return absl::OkStatus();
    absl::StatusOr<std::shared_ptr<VmSpace>> space = VmSpace::Create(*machine_, *pin_);
    if (!space.ok()) return space.status();
    slot.space = *std::move(space);
    return Compare(slot);
  }
  absl::Status Do(const DestroySpaceOp& op) {
    if (HasCursor() && cursor_space_ == op.space) CloseCursor();
    spaces_[op.space] = Space();
    return absl::OkStatus();
  }
  absl::Status Do(const IdleOp&) { return PinTo(cpu_); }
  absl::Status Do(const CpuOp& op) { return op.cpu == cpu_ ? absl::OkStatus() : PinTo(op.cpu); }
  absl::Status Do(const GraceOp&) { return machine_->Synchronize(*pin_); }

  // Kernel areas.
  template <typename O>
  absl::Status Do(const O& op) {
    return areas_->Run(*pin_, op, CursorState());
  }

  std::unique_ptr<Machine> machine_;
  std::optional<Areas> areas_;
  std::optional<CpuPin> pin_;
  uint32_t cpu_ = 0;
  uint64_t frames_at_start_ = 0;
  std::array<Space, kSpaces> spaces_;
  // At most one; of space `cursor_space_`.
  std::optional<VmSpace::Cursor> look_;
  std::optional<VmSpace::CursorMut> change_;
  uint32_t cursor_space_ = 0;
  Anchor anchor_ = Anchor::kHigh;
};

}  // namespace

absl::Status Replay(const Program& program) { return Replayer().Run(program); }

}  // namespace paddock::fuzz

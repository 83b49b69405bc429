// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/executor.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

namespace paddock {
namespace {

// One function for each alternative of a variant.
template <typename... Fn>
struct Overloaded : Fn... {
  using Fn::operator()...;
};
template <typename... Fn>
Overloaded(Fn...) -> Overloaded<Fn...>;

size_t TransactionLength(absl::Span<const Op> ops) {
  size_t length = 1;
  while (length < ops.size() && !std::holds_alternative<CloseOp>(ops[length - 1])) ++length;
  return length;
}

}  // namespace

void Executor::Run(absl::Span<const Op> ops) {
  while (!ops.empty() && !stream_.world().failed()) {
    size_t length = 1;
    if (std::holds_alternative<OpenOp>(ops.front())) {
      length = TransactionLength(ops);
      RunTransaction(ops.first(length));
    } else {
      RunOutside(ops.front());
    }
    ops.remove_prefix(length);
  }
  stream_.injector().BetweenSteps(stream_.machine().rcu(), stream_.pin());
  stream_.Poll();
}

void Executor::RunTransaction(absl::Span<const Op> ops) {
  const OpenOp& how = std::get<OpenOp>(ops.front());
  const SpaceRef& space = stream_.Space(how.space);
  if (!space || !Prepare(ops)) return;
  absl::Status status;
  {
    RecordedCursor cursor(stream_, space);
    status = cursor.Open(how);
    for (size_t i = 1; i + 1 < ops.size() && status.ok(); ++i) status = Apply(cursor, ops[i]);
  }
  frames_.clear();
  if (absl::IsResourceExhausted(status)) stream_.AwaitMemory();
}

bool Executor::Prepare(absl::Span<const Op> ops) {
  frames_.clear();
  for (const Op& op : ops) {
    const MapOp* const map = std::get_if<MapOp>(&op);
    if (map == nullptr) continue;
    std::optional<USegment> frames = stream_.Allocate(map->pages);
    if (!frames) {
      frames_.clear();
      return false;
    }
    frames_.push_back(*std::move(frames));
  }
  std::reverse(frames_.begin(), frames_.end());
  return true;
}

absl::Status Executor::Apply(RecordedCursor& cursor, const Op& op) {
  return std::visit(
      Overloaded{
          [&](const MapOp& map) {
            USegment frames = std::move(frames_.back());
            frames_.pop_back();
            return cursor.Map(MappedFrames(std::move(frames), map.property));
          },
          [&](const UnmapOp& unmap) { return cursor.Unmap(unmap.bytes); },
          [&](const ProtectOp& protect) { return cursor.Protect(protect.bytes, protect.edit); },
          [&](const ProtectNextOp& protect) {
            return cursor.ProtectNext(protect.bytes, protect.edit);
          },
          [&](const QueryOp&) { return cursor.Query().status(); },
          [&](const FindNextOp& find) { return cursor.FindNext(find.bytes).status(); },
          [&](const JumpOp& jump) { return cursor.Jump(jump.to); },
          [&](const TakeNextOp& take) { return cursor.TakeNext(take.bytes).status(); },
          [&](const SyncOp&) {
            cursor.Sync();
            return absl::OkStatus();
          },
          // What does not belong into a transaction is no part of it.
          [](const auto&) { return absl::OkStatus(); },
      },
      op);
}

void Executor::CreateSpace(uint32_t slot) {
  stream_.Starts<CreateSpaceOp>(0, {});
  if (stream_.Space(slot)) return;
  stream_.StartLap();
  absl::StatusOr<SpaceRef> fresh = stream_.world().NewSpace(stream_.pin());
  if (!fresh.ok()) {
    if (absl::IsResourceExhausted(fresh.status())) {
      stream_.NoteExhausted("creating a space", {}, fresh.status());
      return stream_.AwaitMemory();
    }
    return stream_.ReportError("creating a space", {}, fresh.status());
  }
  stream_.world().spaces().Put(slot, *std::move(fresh));
  stream_.Lap<CreateSpaceOp>();
}

void Executor::DestroySpace(uint32_t slot) {
  stream_.Starts<DestroySpaceOp>(0, {});
  stream_.StartLap();
  stream_.world().spaces().Take(slot);
  // Lets go of the cached reference too: often the last one.
  (void)stream_.Space(slot);
  stream_.Lap<DestroySpaceOp>();
}

void Executor::RunOutside(const Op& op) {
  RcuTorture& torture = stream_.world().torture();
  stream_.StartLap();
  std::visit(Overloaded{
                 [&](const AccessOp& access) {
                   if (const SpaceRef& space = stream_.Space(access.space)) {
                     stream_.Access(space, access.va, access.kind);
                   }
                 },
                 [&](const WalkOp& walk) {
                   if (const SpaceRef& space = stream_.Space(walk.space)) {
                     stream_.Walk(space, walk.va);
                   }
                 },
                 [&](const ActivateOp& activate) {
                   if (const SpaceRef& space = stream_.Space(activate.space)) {
                     stream_.Activate(space);
                   }
                 },
                 [&](const DeactivateOp&) { stream_.Deactivate(); },
                 [&](const IdleOp& idle) { stream_.Idle(idle.yields); },
                 [&](const CreateSpaceOp& create) { CreateSpace(create.space); },
                 [&](const DestroySpaceOp& destroy) { DestroySpace(destroy.space); },
                 [&](const RetireOp& retire) {
                   stream_.Starts<RetireOp>(0, {});
                   torture.Replace(stream_.pin(), retire.cell);
                   stream_.Lap<RetireOp>();
                 },
                 [&](const ReadOp& read) {
                   stream_.Starts<ReadOp>(0, {});
                   torture.Read(stream_.pin(), read.cell, read.spins);
                   stream_.Lap<ReadOp>();
                 },
                 [&](const GraceOp&) { stream_.Grace(); },
                 [](const auto&) {},
             },
             op);
}

}  // namespace paddock

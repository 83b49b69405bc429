// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/executor.h"

#include <algorithm>
#include <optional>
#include <span>
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

// Of the eight that a stream has for memory IO.
uint64_t PageOf(VirtAddr va) { return va.value() % kIoOwnBytes / kPageSize; }

PageRight RightOf(PageProperty property) {
  return HasAll(property.flags, PageFlags::kWrite) ? PageRight::kWrite : PageRight::kRead;
}
PageRight AfterEdit(PageRight right, const PropertyEdit& edit) {
  if (right == PageRight::kAbsent) return right;
  return RightOf(edit.Apply(right == PageRight::kWrite ? kReadWriteUser : kReadUser));
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
  OwnPages* const own = how.kind == CursorKind::kChange ? memory_.Own(how) : nullptr;
  if (own != nullptr) own->BeginChange();
  absl::Status status;
  {
    RecordedCursor cursor(stream_, space);
    status = cursor.Open(how);
    for (size_t i = 1; i + 1 < ops.size() && status.ok(); ++i) {
      status = Apply(cursor, ops[i], space, own);
    }
    // Whoever reads these pages from here on sees what has become of them. (Of a right to write
    // only their own stream makes use.)
    const bool replaced = std::any_of(ops.begin(), ops.end(), [](const Op& op) {
      return std::holds_alternative<MapOp>(op) || std::holds_alternative<UnmapOp>(op);
    });
    if (own != nullptr && replaced && cursor.open()) cursor.Sync();
  }
  if (own != nullptr) own->EndChange();
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

absl::Status Executor::Map(RecordedCursor& cursor, const MapOp& map, const SpaceRef& space,
                           OwnPages* own) {
  USegment frames = std::move(frames_.back());
  frames_.pop_back();
  if (map.content == MapContent::kStamp) {
    return cursor.Map(MappedFrames(std::move(frames), map.property));
  }
  const VirtAddr va = cursor.virt_addr();
  const std::span<const std::byte> content = memory_.Fill(frames, space.id, va);
  absl::Status status = cursor.Map(MappedFrames(std::move(frames), map.property));
  if (status.ok() && own != nullptr) own->Mapped(PageOf(va), RightOf(map.property), content);
  return status;
}

absl::Status Executor::Apply(RecordedCursor& cursor, const Op& op, const SpaceRef& space,
                             OwnPages* own) {
  const VirtAddr at = cursor.virt_addr();
  // What a change of `bytes` from here on makes of the rights of the pages.
  const auto note = [&](uint64_t bytes, absl::Status status, auto change) {
    if (own == nullptr || !status.ok()) return status;
    for (uint64_t i = PageOf(at); i < PageOf(at) + bytes / kPageSize; ++i) {
      own->SetRight(i, change(own->right(i)));
    }
    return status;
  };
  return std::visit(
      Overloaded{
          [&](const MapOp& map) { return Map(cursor, map, space, own); },
          [&](const UnmapOp& unmap) {
            return note(unmap.bytes, cursor.Unmap(unmap.bytes),
                        [](PageRight) { return PageRight::kAbsent; });
          },
          [&](const ProtectOp& protect) {
            return note(protect.bytes, cursor.Protect(protect.bytes, protect.edit),
                        [&](PageRight right) { return AfterEdit(right, protect.edit); });
          },
          [&](const ProtectNextOp& protect) {
            return cursor.ProtectNext(protect.bytes, protect.edit);
          },
          [&](const QueryOp&) {
            const absl::StatusOr<QueryResult> found = cursor.Query();
            if (own != nullptr && found.ok()) {
              std::optional<PhysAddr> frame;
              if (found->item) frame = found->item->frame;
              memory_.CheckFrame(*own, space.id, at, frame);
            }
            return found.status();
          },
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
                 [&](const ReadMemoryOp& read) {
                   if (const SpaceRef& space = stream_.Space(read.space)) memory_.Read(read, space);
                 },
                 [&](const WriteMemoryOp& write) {
                   if (const SpaceRef& space = stream_.Space(write.space)) {
                     memory_.Write(write, space);
                   }
                 },
                 [&](const CreateAreaOp& create) { areas_.Create(create); },
                 [&](const DestroyAreaOp& destroy) { areas_.Destroy(destroy); },
                 [&](const SplitAreaOp& split) { areas_.Split(split); },
                 [&](const QueryAreaOp& query) { areas_.Query(query); },
                 [&](const AccessAreaOp& access) { areas_.Access(access); },
                 [&](const FlushAreasOp&) { areas_.Flush(); },
                 [&](const CheckAreasOp&) { areas_.Check(); },
                 [](const auto&) {},
             },
             op);
}

}  // namespace paddock

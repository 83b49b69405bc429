// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/tlb_flusher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "paddock/concurrency/check.h"

namespace paddock {

ShootdownBatch& TlbFlusher::batch() {
  if (batch_ != nullptr) return *batch_;
  batch_ = &system_->TakeBatch(*pin_, *context_);
  if (issued_ != 0) batch_->AddRange(range_, system_->options().full_flush_threshold);
  batch_->issued_ = std::exchange(issued_, 0);
  if (run_.pages != 0) batch_->runs_.Add(*pin_, system_->chunks_, std::exchange(run_, FrameRun{}));
  batch_->held_pages_ = std::exchange(held_pages_, 0);
  return *batch_;
}

void TlbFlusher::TakeOver(TlbFlusher& other) {
  batch_ = std::exchange(other.batch_, nullptr);
  issued_ = std::exchange(other.issued_, 0);
  range_ = other.range_;
  run_ = std::exchange(other.run_, FrameRun{});
  held_pages_ = std::exchange(other.held_pages_, 0);
  tickets_.swap(other.tickets_);
}

void TlbFlusher::IssueSlowly(VirtRange range) {
  if (!range.IsEmpty()) batch().AddRange(range, system_->options().full_flush_threshold);
}

void TlbFlusher::IssueAll() { batch().AddEverything(); }

void TlbFlusher::RetireSlowly(FrameRun run, uint64_t held_pages) {
  ShootdownBatch& batch = this->batch();
  batch.runs_.Add(*pin_, system_->chunks_, run);
  batch.held_pages_ += held_pages;
}

void TlbFlusher::Name(FrameRun run) {
  if (names_frames() && run.pages != 0) batch().named_.Add(*pin_, system_->chunks_, run);
}

PendingFlush TlbFlusher::Detach() {
  if (pending()) batch();
  return PendingFlush(std::exchange(batch_, nullptr));
}

void TlbFlusher::Attach(PendingFlush&& pending) {
  ShootdownBatch* const other = std::exchange(pending.batch_, nullptr);
  if (other == nullptr) return;
  PADDOCK_DCHECK(other->tag() == context_->tag(), "a pending flush of another space is attached");
  if (!this->pending()) {
    batch_ = other;
    return;
  }
  ShootdownBatch& mine = batch();
  const uint32_t issued = mine.issued_ + other->issued_;
  const uint64_t held_pages = mine.held_pages_ + other->held_pages_;
  if (other->full()) IssueAll();
  for (const VirtRange range : other->ranges()) Issue(range);
  mine.issued_ = issued;
  other->runs_.ForEach([this](FrameRun run) { Retire(run); });
  mine.held_pages_ = held_pages;
  other->named_.ForEach([this](FrameRun run) { Name(run); });
  system_->Recycle(*pin_, *other);
}

void TlbFlusher::Dispatch() {
  if (const std::optional<ShootdownTicket> ticket = DispatchForLater()) Remember(*ticket);
}

void TlbFlusher::Remember(ShootdownTicket ticket) {
  if (tickets_.size() == tickets_.capacity()) {
    const auto done = [](const ShootdownTicket& t) { return t.IsDone(); };
    tickets_.erase(std::remove_if(tickets_.begin(), tickets_.end(), done), tickets_.end());
  }
  tickets_.push_back(ticket);
}

bool TlbFlusher::DispatchAlone() {
  if (issued_ != 0 && !system_->FlushAlone(*pin_, *context_, range_, issued_)) return false;
  issued_ = 0;
  if (run_.pages != 0) system_->RetireRun(*pin_, run_, held_pages_);
  run_.pages = 0;
  held_pages_ = 0;
  return true;
}

std::optional<ShootdownTicket> TlbFlusher::DispatchForLater() {
  return DispatchBatch(TlbSystem::Answers::kLater);
}

std::optional<ShootdownTicket> TlbFlusher::DispatchBatch(TlbSystem::Answers answers) {
  if (!pending()) return std::nullopt;
  std::optional<ShootdownTicket> ticket;
  if (batch_ != nullptr || !DispatchAlone()) {
    ShootdownBatch& all = batch();
    batch_ = nullptr;
    ticket = system_->Dispatch(*pin_, *context_, all, answers);
  }
  system_->rcu_.Relieve(*pin_);
  return ticket;
}

void TlbFlusher::Sync() {
  const std::optional<ShootdownTicket> last = DispatchBatch(TlbSystem::Answers::kAwaited);
  for (const ShootdownTicket& ticket : tickets_) system_->Wait(*pin_, ticket);
  if (last) system_->Wait(*pin_, *last);
  tickets_.clear();
}

}  // namespace paddock

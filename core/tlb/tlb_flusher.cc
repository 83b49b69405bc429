// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/tlb_flusher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "paddock/concurrency/check.h"

namespace paddock {

ShootdownBatch& TlbFlusher::batch() {
  if (batch_ == nullptr) batch_ = &system_->TakeBatch(*pin_, *context_);
  return *batch_;
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

PendingFlush TlbFlusher::Detach() { return PendingFlush(std::exchange(batch_, nullptr)); }

void TlbFlusher::Attach(PendingFlush&& pending) {
  ShootdownBatch* const other = std::exchange(pending.batch_, nullptr);
  if (other == nullptr) return;
  PADDOCK_DCHECK(other->tag() == context_->tag(), "a pending flush of another space is attached");
  if (batch_ == nullptr) {
    batch_ = other;
    return;
  }
  const uint32_t issued = batch_->issued_ + other->issued_;
  const uint64_t held_pages = batch_->held_pages_ + other->held_pages_;
  if (other->full()) IssueAll();
  for (const VirtRange range : other->ranges()) Issue(range);
  batch_->issued_ = issued;
  other->runs_.ForEach([this](FrameRun run) { Retire(run); });
  batch_->held_pages_ = held_pages;
  other->named_.ForEach([this](FrameRun run) { Name(run); });
  system_->Recycle(*pin_, *other);
}

void TlbFlusher::Dispatch() {
  const std::optional<ShootdownTicket> ticket = DispatchForLater();
  if (!ticket) return;
  if (tickets_.size() == tickets_.capacity()) {
    const auto done = [](const ShootdownTicket& t) { return t.IsDone(); };
    tickets_.erase(std::remove_if(tickets_.begin(), tickets_.end(), done), tickets_.end());
  }
  tickets_.push_back(*ticket);
}

std::optional<ShootdownTicket> TlbFlusher::DispatchForLater() {
  if (batch_ == nullptr) return std::nullopt;
  const std::optional<ShootdownTicket> ticket =
      system_->Dispatch(*pin_, *context_, *std::exchange(batch_, nullptr));
  system_->rcu_.Relieve(*pin_);
  return ticket;
}

void TlbFlusher::Sync() {
  Dispatch();
  for (const ShootdownTicket& ticket : tickets_) system_->Wait(*pin_, ticket);
  tickets_.clear();
}

}  // namespace paddock

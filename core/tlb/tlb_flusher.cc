// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/tlb_flusher.h"

#include <algorithm>
#include <optional>

namespace paddock {

ShootdownBatch& TlbFlusher::batch() {
  if (batch_ == nullptr) batch_ = &system_->TakeBatch(*pin_, *context_);
  return *batch_;
}

void TlbFlusher::IssueSlowly(VirtRange range) {
  if (!range.IsEmpty()) batch().AddRange(range, system_->options().full_flush_threshold);
}

void TlbFlusher::IssueAll() { batch().AddEverything(); }

void TlbFlusher::Retire(FrameRun run) {
  if (run.pages != 0) batch().runs_.Add(*pin_, system_->chunks_, run);
}

void TlbFlusher::Name(FrameRun run) {
  if (names_frames() && run.pages != 0) batch().named_.Add(*pin_, system_->chunks_, run);
}

void TlbFlusher::Dispatch() {
  if (batch_ == nullptr) return;
  ShootdownBatch& batch = *std::exchange(batch_, nullptr);
  const std::optional<ShootdownTicket> ticket = system_->Dispatch(*pin_, *context_, batch);
  if (!ticket) return;
  if (tickets_.size() == tickets_.capacity()) {
    const auto done = [](const ShootdownTicket& t) { return t.batch->IsDone(t.sequence); };
    tickets_.erase(std::remove_if(tickets_.begin(), tickets_.end(), done), tickets_.end());
  }
  tickets_.push_back(*ticket);
}

void TlbFlusher::Sync() {
  Dispatch();
  for (const ShootdownTicket& ticket : tickets_) system_->Wait(*pin_, ticket);
  tickets_.clear();
}

}  // namespace paddock

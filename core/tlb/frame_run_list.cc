// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/frame_run_list.h"

#include <utility>

namespace paddock {

void FrameRunList::AddChunk(const CpuPin& pin, CpuPool<FrameRunChunk>& chunks) {
  FrameRunChunk* chunk = chunks.Take(pin);
  chunk->next = nullptr;
  chunk->count = 0;
  (last_ == nullptr ? first_ : last_->next) = chunk;
  last_ = chunk;
}

void FrameRunList::ForEach(absl::FunctionRef<void(FrameRun)> visit) const {
  for (uint32_t i = 0; i < inline_count_; ++i) visit(inline_[i]);
  for (const FrameRunChunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    for (uint32_t i = 0; i < chunk->count; ++i) visit(chunk->runs[i]);
  }
}

void FrameRunList::Clear(const CpuPin& pin, CpuPool<FrameRunChunk>& chunks) {
  inline_count_ = 0;
  last_ = nullptr;
  for (FrameRunChunk* chunk = std::exchange(first_, nullptr); chunk != nullptr;) {
    FrameRunChunk* next = chunk->next;
    chunks.Put(pin, chunk);
    chunk = next;
  }
}

}  // namespace paddock

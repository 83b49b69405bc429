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

void FrameRunList::GiveBackChunks(const CpuPin& pin, CpuPool<FrameRunChunk>& chunks) {
  last_ = nullptr;
  for (FrameRunChunk* chunk = std::exchange(first_, nullptr); chunk != nullptr;) {
    FrameRunChunk* next = chunk->next;
    chunks.Put(pin, chunk);
    chunk = next;
  }
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// The frames a batch keeps: runs of contiguous frames, a few inline, the others in pooled chunks.
// Nothing that is added is ever left out, however many there are.
//
// Thread safety: one thread at a time; read by many once nobody adds. Cost: a run next to the last
// one costs no space; a new chunk every kRuns runs, from the CPU's pool.

#ifndef PADDOCK_CORE_TLB_FRAME_RUN_LIST_H_
#define PADDOCK_CORE_TLB_FRAME_RUN_LIST_H_

#include <cstdint>

#include "paddock/concurrency/cpu.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/tlb/cpu_pool.h"

namespace paddock {

// On lines of its own, as the batches that it belongs to.
struct alignas(kCpuStride) FrameRunChunk {
  static constexpr uint32_t kRuns = 30;

  FrameRunChunk* next = nullptr;
  FrameRunChunk* pool_next = nullptr;
  uint32_t count = 0;
  FrameRun runs[kRuns];
};

class FrameRunList {
 public:
  static constexpr uint32_t kInlineRuns = 8;

  FrameRunList() = default;
  FrameRunList(const FrameRunList&) = delete;
  FrameRunList& operator=(const FrameRunList&) = delete;

  bool empty() const { return inline_count_ == 0; }

  void Add(const CpuPin& pin, CpuPool<FrameRunChunk>& chunks, FrameRun run) {
    if (run.pages == 0 || TryAdd(run)) return;
    AddChunk(pin, chunks);
    last_->runs[last_->count++] = run;
  }
  // Add, if that takes no new chunk; else does nothing. Precondition: the run is not empty.
  bool TryAdd(FrameRun run) {
    if (inline_count_ < kInlineRuns) {
      if (inline_count_ == 0 || !inline_[inline_count_ - 1].Join(run)) {
        inline_[inline_count_++] = run;
      }
      return true;
    }
    FrameRun& last = last_ != nullptr ? last_->runs[last_->count - 1] : inline_[kInlineRuns - 1];
    if (last.Join(run)) return true;
    if (last_ == nullptr || last_->count == FrameRunChunk::kRuns) return false;
    last_->runs[last_->count++] = run;
    return true;
  }
  // In the order in which they were added, neighbours merged.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (uint32_t i = 0; i < inline_count_; ++i) visit(inline_[i]);
    for (const FrameRunChunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
      for (uint32_t i = 0; i < chunk->count; ++i) visit(chunk->runs[i]);
    }
  }
  // Forgets the runs and gives the chunks back.
  void Clear(const CpuPin& pin, CpuPool<FrameRunChunk>& chunks) {
    inline_count_ = 0;
    if (first_ != nullptr) GiveBackChunks(pin, chunks);
  }

 private:
  void GiveBackChunks(const CpuPin& pin, CpuPool<FrameRunChunk>& chunks);
  void AddChunk(const CpuPin& pin, CpuPool<FrameRunChunk>& chunks);

  uint32_t inline_count_ = 0;
  FrameRunChunk* first_ = nullptr;
  FrameRunChunk* last_ = nullptr;
  FrameRun inline_[kInlineRuns];
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_FRAME_RUN_LIST_H_

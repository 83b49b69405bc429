// SPDX-License-Identifier: Apache-2.0
//
// A small stack of frame numbers, and the pair of them that a CPU has.
//
// Thread safety: the owner's, except for count(), which any thread may read. Cost: one or two cache
// lines.

#ifndef PADDOCK_CORE_FRAME_MAGAZINE_H_
#define PADDOCK_CORE_FRAME_MAGAZINE_H_

#include <array>
#include <cstdint>

#include "paddock/concurrency/sync.h"

namespace paddock {

class Magazine {
 public:
  static constexpr uint32_t kMaxCapacity = 512;  // as many as one table maps

  // order: relaxed; the owner reads its own stores, for others it is a statistic.
  uint32_t count() const { return count_.load(sync::relaxed); }

  // Precondition: count() < kMaxCapacity.
  void Push(uint32_t frame) {
    const uint32_t at = count();
    frames_[at] = frame;
    count_.store(at + 1, sync::relaxed);  // order: relaxed, as in count().
  }
  // Precondition: count() > 0.
  uint32_t Pop() {
    const uint32_t at = count() - 1;
    count_.store(at, sync::relaxed);  // order: relaxed, as in count().
    return frames_[at];
  }

 private:
  // invariant: written by the owner only.
  sync::Atomic<uint32_t> count_{0};
  std::array<uint32_t, kMaxCapacity> frames_;
};

class MagazinePair {
 public:
  Magazine& loaded() { return magazines_[loaded_]; }
  Magazine& previous() { return magazines_[1 - loaded_]; }
  void Exchange() { loaded_ = 1 - loaded_; }

  // Any thread.
  uint32_t count() const { return magazines_[0].count() + magazines_[1].count(); }

 private:
  uint32_t loaded_ = 0;
  std::array<Magazine, 2> magazines_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_MAGAZINE_H_

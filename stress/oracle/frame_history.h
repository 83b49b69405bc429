// SPDX-License-Identifier: Apache-2.0
//
// Where each frame was mapped, lately: one ring per worker, searched only when a violation has to
// be explained.
//
//   FrameHistory history(workers, /*mappings_per_worker=*/1 << 14);
//   history.Record(worker, {.ns = NowNs(), .frame = 0x5000, .va = 0x7000, ...});
//   puts(history.Describe(0x5000).c_str());
//
// Thread safety: one writer per worker index; anybody reads at any time. A mapping that is
// overwritten while it is read is left out. Cost: seven stores, in memory of the worker's own.

#ifndef PADDOCK_STRESS_ORACLE_FRAME_HISTORY_H_
#define PADDOCK_STRESS_ORACLE_FRAME_HISTORY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace paddock {

struct FrameMapping {
  uint64_t ns = 0;
  uint64_t frame = 0;  // physical address of the first page
  uint64_t va = 0;     // where that was mapped
  uint32_t pages = 1;  // with one entry
  uint32_t generation = 0;
  uint32_t space = 0;
  uint32_t cpu = 0;
};

class FrameHistory {
 public:
  // `mappings_per_worker` is rounded up to a power of two.
  FrameHistory(uint32_t workers, uint64_t mappings_per_worker);

  void Record(uint32_t worker, const FrameMapping& mapping);

  // The mappings of the page at `frame` that are still remembered, by time.
  std::vector<FrameMapping> Of(uint64_t frame) const;
  // One line per mapping, at most the last `lines`; "nothing is remembered" if there is none.
  std::string Describe(uint64_t frame, size_t lines = 20) const;

 private:
  // invariant: `sequence` is 2n+1 while mapping number n is being written here, 2n+2 when it is
  // complete.
  struct Slot {
    std::atomic<uint64_t> sequence{0};
    std::atomic<uint64_t> words[5] = {};
  };
  struct alignas(64) Ring {
    std::unique_ptr<Slot[]> slots;
    uint64_t next = 0;  // the writer's
  };

  const uint64_t mask_;
  std::vector<Ring> rings_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_FRAME_HISTORY_H_

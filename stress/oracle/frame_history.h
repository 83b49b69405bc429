// SPDX-License-Identifier: Apache-2.0
//
// What happened to which frame, lately: one ring of events per worker, searched only when a
// violation has to be explained.
//
//   FrameHistory history(workers, /*events_per_worker=*/1 << 14);
//   history.Record(worker, {.frame = 0x5000, .kind = FrameEventKind::kUnmapped, ...});
//   puts(history.Describe(0x5000).c_str());
//
// Thread safety: one writer per worker index; anybody reads at any time. An event that is
// overwritten while it is read is left out. Cost: six relaxed stores and two ordered ones per
// event, in memory of the worker's own.

#ifndef PADDOCK_STRESS_ORACLE_FRAME_HISTORY_H_
#define PADDOCK_STRESS_ORACLE_FRAME_HISTORY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace paddock {

enum class FrameEventKind : uint8_t {
  kAllocated,
  kMapped,
  kUnmapped,
  kFreed,
  kFlushed,
  kAccessed,
};

struct FrameEvent {
  uint64_t ns = 0;
  uint64_t frame = 0;  // physical address
  uint64_t va = 0;
  uint32_t generation = 0;
  uint32_t space = 0;
  uint32_t cpu = 0;
  FrameEventKind kind = FrameEventKind::kMapped;
};

class FrameHistory {
 public:
  // `events_per_worker` is rounded up to a power of two.
  FrameHistory(uint32_t workers, uint64_t events_per_worker);

  void Record(uint32_t worker, const FrameEvent& event);

  // The events of the page at `frame` that are still remembered, by time.
  std::vector<FrameEvent> Of(uint64_t frame) const;
  // One line per event, at most the last `lines`; "nothing is remembered" if there is none.
  std::string Describe(uint64_t frame, size_t lines = 20) const;

 private:
  // invariant: `sequence` is 2n+1 while event number n is being written here, 2n+2 when it is
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

// SPDX-License-Identifier: Apache-2.0
//
// Physical memory for one execution. Frames that are given back are poisoned: an access to an entry
// in one of them is a violation, and so is a frame that is freed without being ordered after the
// last access.
//
//   FrameBytes bytes(/*frames=*/64);
//   std::unique_ptr<PhysicalMemory> memory = bytes.NewMemory();
//   auto frames = Must(FrameTable::Create(*memory, cpus, Poisoning(*memory)));
//   ...
//   ExpectNothingClaimed(*frames);
//
// Thread safety: none; made, checked and destroyed on the scenario's own thread.

#ifndef PADDOCK_STRESS_EXPLORE_POISONED_MEMORY_H_
#define PADDOCK_STRESS_EXPLORE_POISONED_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/concurrency/model/scenario.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/physical_memory.h"

namespace paddock::explore {

// Takes the value out, or fails the execution.
template <class T>
T Must(absl::StatusOr<T> result, std::source_location where = std::source_location::current()) {
  model::Expect(result.ok(), std::string(result.status().message()), where);
  return *std::move(result);
}
inline void Must(const absl::Status& status,
                 std::source_location where = std::source_location::current()) {
  model::Expect(status.ok(), std::string(status.message()), where);
}

class FrameBytes {
 public:
  explicit FrameBytes(uint64_t frames);
  ~FrameBytes();
  FrameBytes(const FrameBytes&) = delete;
  FrameBytes& operator=(const FrameBytes&) = delete;

  // These bytes, which outlive it, as physical memory.
  std::unique_ptr<PhysicalMemory> NewMemory() const {
    return Must(PhysicalMemory::CallerOwned(bytes_));
  }

 private:
  const std::span<std::byte> bytes_;
};

// For a frame table over `memory` that tells the explorer when frames change hands.
FrameTable::Options Poisoning(PhysicalMemory& memory);

// No granule of any frame is claimed, and nobody is marked as waiting for one.
void ExpectNothingClaimed(FrameTable& frames);

// Names every slot and the first entries of every frame. For traces only: it takes longer than an
// execution.
void NameFrames(FrameTable& frames);
template <class T>
void NameField(const T& field, const std::string& owner, const char* name) {
  model::Name(&field, sizeof(field), owner + name);
}

}  // namespace paddock::explore

#endif  // PADDOCK_STRESS_EXPLORE_POISONED_MEMORY_H_

// SPDX-License-Identifier: Apache-2.0
//
// A frame table with its memory and CPUs for one test; at the end it checks that every frame came
// back.
//
//   FrameWorld world({.pages = 1024});
//   UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kZero);

#ifndef PADDOCK_TESTS_CORE_FRAME_FRAME_WORLD_H_
#define PADDOCK_TESTS_CORE_FRAME_FRAME_WORLD_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/physical_memory.h"
#include "paddock/core/frame/unique_frame.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {

struct FrameWorldOptions {
  uint64_t pages = 1024;
  uint32_t cpus = 2;
  PhysAddr base{0};
  FrameTable::Options frames = {};
};

class FrameWorld {
 public:
  explicit FrameWorld(FrameWorldOptions options = {})
      : memory_(*PhysicalMemory::Anonymous(options.pages * kPageSize, options.base)),
        cpus_(options.cpus),
        frames_(*FrameTable::Create(*memory_, cpus_, std::move(options.frames))) {}
  ~FrameWorld() {
    frames_->allocator().DrainMagazines();
    EXPECT_EQ(frames_->used_pages(), 0u);
    frames_->ForEachInUse([](PhysAddr address, const MetaSlot& slot) {
      ADD_FAILURE() << "frame " << std::hex << address.value() << " is still in use as "
                    << slot.kind.load(sync::seq_cst)->name;
    });
  }
  FrameWorld(const FrameWorld&) = delete;
  FrameWorld& operator=(const FrameWorld&) = delete;

  PhysicalMemory& memory() { return *memory_; }
  CpuRegistry& cpus() { return cpus_; }
  FrameTable& frames() { return *frames_; }
  FrameAllocator& allocator() { return frames_->allocator(); }
  uint32_t count(PhysAddr address) { return frames_->slot(address).ref_count.load(sync::seq_cst); }

 private:
  std::unique_ptr<PhysicalMemory> memory_;
  CpuRegistry cpus_;
  std::unique_ptr<FrameTable> frames_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_CORE_FRAME_FRAME_WORLD_H_

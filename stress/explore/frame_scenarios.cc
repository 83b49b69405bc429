// SPDX-License-Identifier: Apache-2.0
//
// Reference counts and the allocator.

#include <array>
#include <memory>
#include <optional>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/any_frame.h"
#include "paddock/core/frame/buddy_allocator.h"
#include "paddock/core/frame/unique_frame.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

// Each owner writes to the frame and lets it go: the last one's release must be ordered after all.
void OwnersLetGo() {
  SmallWorld world;
  UFrame frame = world.NewFrame();
  UFrame second = Must(frame.Clone());
  auto* const words = reinterpret_cast<uint64_t*>(frame.Data());
  std::array<UFrame, 2> owners = {std::move(frame), std::move(second)};
  const auto use_and_drop = [&](uint32_t me) {
    return [&, me](const CpuPin&) {
      sync::AtomicRef<uint64_t>(words[me]).store(1, sync::relaxed);
      owners[me] = UFrame();
    };
  };
  world.Run({use_and_drop(0), use_and_drop(1)});
}

// One owner lets go while somebody without a reference tries to become another.
void TakingWhatIsBeingDropped() {
  SmallWorld world;
  UFrame frame = world.NewFrame();
  const PhysAddr address = frame.start();
  world.Run({[&](const CpuPin&) { frame = UFrame(); },
             [&](const CpuPin&) {
               const absl::StatusOr<AnyFrame> found = world.frames().FromInUse(address);
               model::Reach(found.ok() ? "became an owner" : "came too late");
             }});
}

// Somebody who was told the address only, without any order, becomes an owner of a new frame: what
// the frame is used as is there.
void TakingWhatIsBeingBuilt() {
  SmallWorld world;
  sync::Atomic<uint64_t> told(0);
  world.Run({[&](const CpuPin&) {
               const UFrame frame = world.NewFrame();
               told.store(frame.start().value() + 1, sync::relaxed);
             },
             [&](const CpuPin&) {
               const uint64_t address = told.load(sync::relaxed);
               if (address == 0) return model::Reach("came too early");
               const absl::StatusOr<AnyFrame> found =
                   world.frames().FromInUse(PhysAddr(address - 1));
               if (!found.ok()) return;
               model::Reach("became an owner");
               model::Expect(found->Is<Untyped>(), "a frame in use is used as something");
             }});
}

// Somebody walks over all frames while one is made.
void LookingAtAllFrames() {
  SmallWorld world;
  const UFrame there = world.NewFrame();
  UFrame made;
  uint32_t seen = 0;
  world.Run({[&](const CpuPin&) { made = world.NewFrame(); },
             [&](const CpuPin&) {
               world.frames().ForEachInUse([&](PhysAddr, const MetaSlot& slot) {
                 ++seen;
                 model::Expect(slot.kind.load(sync::relaxed) == &MetaVtableOf<Untyped>(),
                               "a frame in use is used as something");
               });
             }});
  model::Reach(seen == 2 ? "saw the new frame" : "came too early");
}

// The last of two owners becomes the only one: what the other wrote is there.
void BecomingTheOnlyOwner() {
  SmallWorld world;
  UFrame frame = world.NewFrame();
  UFrame second = Must(frame.Clone());
  sync::Plain<int> contents;
  world.Run({[&](const CpuPin&) {
               contents.Write(1);
               second = UFrame();
             },
             [&](const CpuPin&) {
               const absl::StatusOr<UniqueFrame<Untyped>> only = std::move(frame).IntoUnique();
               if (!only.ok()) return model::Reach("there is another owner");
               model::Reach("became the only owner");
               contents.Write(contents.Read() + 1);
             }});
}

// The only owner shares its frame; somebody who knows the address becomes the second.
void SharingAgain() {
  SmallWorld world;
  UniqueFrame<Untyped> only = Must(world.frames().AllocateUnique(Untyped{}, Zeroing::kLeave));
  const PhysAddr address = only.start();
  sync::Plain<int> contents;
  world.Run({[&](const CpuPin&) {
               contents.Write(1);
               const UFrame shared = std::move(only).IntoShared();
             },
             [&](const CpuPin&) {
               const absl::StatusOr<AnyFrame> found = world.frames().FromInUse(address);
               if (!found.ok()) return model::Reach("it is not shared");
               model::Reach("became the second owner");
               model::Expect(contents.Read() == 1, "the only owner's changes are there");
             }});
}

// Two CPUs allocate and free: nobody gets what another has, and nothing is lost.
void AllocateOnTwoCpus() {
  SmallWorld world;
  std::array<PhysAddr, 4> got;
  const auto work = [&](uint32_t me) {
    return [&, me](const CpuPin&) {
      UFrame kept = world.NewFrame();
      const UFrame other = world.NewFrame();
      got[2 * me] = kept.start();
      got[2 * me + 1] = other.start();
      auto* const word = reinterpret_cast<uint64_t*>(kept.Data());
      sync::AtomicRef<uint64_t>(*word).store(me, sync::relaxed);
      kept = UFrame();
    };
  };
  world.Run({work(0), work(1)});
  model::Reach(got[0] == got[2] || got[0] == got[3] || got[1] == got[2] || got[1] == got[3]
                   ? "a frame changed hands"
                   : "everybody had frames of their own");
}

// Frames allocated on one CPU and freed on the other, through the shared lists.
void FreeOnAnotherCpu() {
  SmallWorld world;
  constexpr uint32_t kMany = 6;  // more than both magazines of a CPU hold
  sync::Atomic<uint32_t> ready(0);
  std::array<UFrame, kMany> frames;
  world.Run({[&](const CpuPin&) {
               for (UFrame& frame : frames) frame = world.NewFrame();
               ready.store(1, sync::release);
             },
             [&](const CpuPin&) {
               sync::Spin([&] { return ready.load(sync::acquire) == 1; });
               for (UFrame& frame : frames) frame = UFrame();
               const UFrame again = world.NewFrame();
             }});
}

// One CPU takes the block again that it gave back last, while another one needs it as a part of all
// the memory: one of them gets it.
void BlockThatAnotherNeeds() {
  constexpr uint32_t kFrames = 32;
  constexpr int kAll = 5;
  const auto slots = std::make_unique<MetaSlot[]>(kFrames);
  CpuRegistry cpus(1);
  BuddyAllocator allocator(slots.get(), PhysRange{PhysAddr(0), PhysAddr(kFrames * kPageSize)},
                           cpus);
  {
    const CpuPin pin = Must(cpus.Pin(CpuId{0}));
    allocator.Free(*allocator.Allocate(1), 1);
  }
  std::optional<PhysAddr> again;
  std::optional<PhysAddr> all;
  {
    // The second thread has no CPU, and thus keeps nothing.
    sync::Thread other([&] { all = allocator.Allocate(kAll); });
    const CpuPin pin = Must(cpus.Pin(CpuId{0}));
    again = allocator.Allocate(1);
    if (again) allocator.Free(*again, 1);
  }
  model::Reach(again ? "the CPU got its block again" : "the CPU came too late");
  model::Reach(all ? "the other got all memory" : "the other came too late");
  model::Expect(again || all, "nobody gets the block");
  const uint64_t taken = all ? kFrames : 0;
  model::Expect(allocator.free_pages() == kFrames - taken, "the free frames are counted");
}

}  // namespace

std::vector<model::Scenario> FrameScenarios() {
  return {
      {.name = "frame_owners",
       .what = "two owners of a frame let it go",
       .body = &OwnersLetGo,
       .bound = 4},
      {.name = "frame_from_in_use",
       .what = "a frame is dropped while another thread tries to share it",
       .body = &TakingWhatIsBeingDropped,
       .must_reach = {"became an owner", "came too late"},
       .bound = 4},
      {.name = "frame_publish",
       .what = "a frame is made while another thread tries to share it",
       .body = &TakingWhatIsBeingBuilt,
       .must_reach = {"became an owner", "came too early"},
       .bound = 3},
      {.name = "frames_in_use",
       .what = "a frame is made while another thread looks at all frames in use",
       .body = &LookingAtAllFrames,
       .must_reach = {"saw the new frame", "came too early"},
       .bound = 2},
      {.name = "frame_unique",
       .what = "one of two owners lets go while the other tries to become the only one",
       .body = &BecomingTheOnlyOwner,
       .must_reach = {"there is another owner", "became the only owner"},
       .bound = 4},
      {.name = "frame_shared_again",
       .what = "the only owner of a frame shares it, and another thread tries to join",
       .body = &SharingAgain,
       .must_reach = {"it is not shared", "became the second owner"},
       .bound = 4},
      {.name = "magazines",
       .what = "two CPUs allocate and free frames",
       .body = &AllocateOnTwoCpus,
       .must_reach = {"everybody had frames of their own"},
       .bound = 3},
      {.name = "frames_migrate",
       .what = "frames are allocated on one CPU and freed on another",
       .body = &FreeOnAnotherCpu,
       .bound = 3},
      {.name = "shelf",
       .what = "a CPU takes the block again that another thread needs",
       .body = &BlockThatAnotherNeeds,
       .must_reach = {"the CPU got its block again", "the CPU came too late",
                      "the other got all memory", "the other came too late"},
       .bound = 4},
  };
}

}  // namespace paddock::explore

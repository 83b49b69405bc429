// SPDX-License-Identifier: Apache-2.0
//
// What one CPU does to itself, or to lists that all share, takes no line from those who do something
// else.
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/arch/page_property.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/core/tlb/cpu_pool.h"
#include "paddock/core/tlb/soft_tlb.h"
#include "paddock/core/tlb/tag_table.h"
#include "paddock/tests/scaling/scaling_world.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

constexpr uint32_t kCpus = 4;

template <typename Step>
void As(LineRecorder& recorder, const CpuPin& pin, Step step) {
  RecordingScope scope(recorder, pin.cpu().value);
  step();
}

// More frames than both magazines of a CPU hold.
void ExhaustMagazines(Machine& machine) {
  std::vector<UFrame> frames;
  for (int i = 0; i < 3000; ++i) {
    frames.push_back(Must(machine.frames().Allocate(Untyped{}, Zeroing::kLeave)));
  }
}

TEST(FalseSharing, ExchangesOfMagazinesDisturbNobodyElse) {
  ScalingWorld world(kCpus, Spaces::kOneNeverRun);
  world.ForEachPage(EnsureMapped);
  world.ForEachPage(EnsureUnmapped);
  world.Settle();
  world.FillMagazines();
  LineRecorder recorder;
  for (uint64_t i = 0; i < 16; ++i) {
    world.cpus().OnEach([&](const CpuPin& pin) {
      As(recorder, pin,
         [&] { pin.cpu().value == 0 ? ExhaustMagazines(world.machine()) : Map(world, pin, i); });
    });
  }
  EXPECT_EQ(recorder.transfers(), 0u) << recorder.Describe();
}

struct Pooled {
  alignas(kCpuStride) Pooled* pool_next = nullptr;
};

TEST(FalseSharing, ExchangesOfHandfulsDisturbNobodyElse) {
  ScalingWorld world(kCpus, Spaces::kOneNeverRun);
  CpuPool<Pooled> pool(world.machine().cpus(), 4, [] { return std::make_unique<Pooled>(); });
  const auto take_and_put = [&pool](const CpuPin& pin, uint32_t count) {
    std::vector<Pooled*> taken;
    for (uint32_t i = 0; i < count; ++i) taken.push_back(pool.Take(pin));
    for (Pooled* const object : taken) pool.Put(pin, object);
  };
  world.cpus().OnEach([&](const CpuPin& pin) { take_and_put(pin, 4); });
  LineRecorder recorder;
  for (int round = 0; round < 16; ++round) {
    world.cpus().OnEach([&](const CpuPin& pin) {
      As(recorder, pin, [&] { take_and_put(pin, pin.cpu().value == 0 ? 100 : 1); });
    });
  }
  EXPECT_EQ(recorder.transfers(), 0u) << recorder.Describe();
}

// Heap neighbours by turns, as a machine makes those of its CPUs.
TEST(FalseSharing, TlbsOfDifferentCpusShareNoLine) {
  struct Tlb {
    std::unique_ptr<SoftTlb> entries = std::make_unique<SoftTlb>(4, 3);
    std::unique_ptr<TagTable> tags = std::make_unique<TagTable>(3);
  };
  ScalingWorld world(kCpus, Spaces::kOneNeverRun);
  std::vector<Tlb> tlbs(kCpus);
  LineRecorder recorder;
  for (uint64_t i = 0; i < 64; ++i) {
    world.cpus().OnEach([&](const CpuPin& pin) {
      Tlb& tlb = tlbs[pin.cpu().value];
      As(recorder, pin, [&] {
        const uint64_t tag = 1 + i % 5;
        const VirtAddr page(i * kPageSize);
        tlb.tags->FindOrEvict(tag);
        tlb.entries->Insert(tag, TlbEntry{page, kPageSize, PhysAddr(0), kReadWriteUser, 0});
        tlb.entries->Find(tag, page);
        tlb.entries->FlushRange(tag, VirtRange{page, page.Plus(kPageSize)});
      });
    });
  }
  EXPECT_EQ(recorder.transfers(), 0u) << recorder.Describe();
}

// On the heap, one of these spaces starts at each offset into a line.
TEST(FalseSharing, SwitchingSpacesDisturbsNoWalk) {
  ScalingWorld world(kCpus, Spaces::kOneNeverRun);
  std::vector<std::shared_ptr<VmSpace>> spaces;
  std::vector<std::unique_ptr<char[]>> gaps;
  world.cpus().On(0, [&](const CpuPin& pin) {
    for (int i = 0; i < 16; ++i) {
      gaps.push_back(std::make_unique<char[]>(16 * (i % 4)));
      spaces.push_back(Must(VmSpace::Create(world.machine(), pin)));
    }
  });
  for (const std::shared_ptr<VmSpace>& space : spaces) {
    world.cpus().OnEach([&](const CpuPin& pin) {
      UFrame frame = Must(world.machine().frames().Allocate(Untyped{}, Zeroing::kLeave));
      auto cursor = Must(space->OpenCursorMut(pin, world.Page(pin, 0)));
      Must(cursor.Map(MappedFrames(std::move(frame), kReadWriteUser)));
    });
    LineRecorder recorder;
    for (int round = 0; round < 8; ++round) {
      world.cpus().OnEach([&](const CpuPin& pin) {
        As(recorder, pin, [&] {
          if (pin.cpu().value == 0) {
            round % 2 == 0 ? space->Activate(pin) : world.machine().DeactivateSpace(pin);
            return;
          }
          Must(space->OpenCursor(pin, world.Page(pin, 0)).status());
        });
      });
    }
    EXPECT_EQ(recorder.transfers(), 0u) << recorder.Describe();
  }
}

}  // namespace
}  // namespace paddock

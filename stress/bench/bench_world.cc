// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/bench_world.h"

#include <utility>

#include "paddock/concurrency/check.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/mapped_frames.h"

namespace paddock::bench {
namespace {

CpuPin PinOrStop(Machine& machine, uint32_t cpu) {
  absl::StatusOr<CpuPin> pin = machine.Pin(CpuId{cpu});
  PADDOCK_CHECK(pin.ok(), "a benchmark thread cannot be pinned");
  return *std::move(pin);
}

}  // namespace

BenchWorld& BenchWorld::Get() {
  static BenchWorld* const world = [] {
    auto* created = new BenchWorld;
    Machine::Options options;
    options.cpus = kMaxThreads;
    options.memory_bytes = uint64_t{4} << 30;
    auto machine = Machine::Create(std::move(options));
    PADDOCK_CHECK(machine.ok(), "the benchmarks' machine cannot be created");
    created->machine = *std::move(machine);
    const CpuPin pin = PinOrStop(*created->machine, 0);
    for (auto* const space : {&created->never_run, &created->run}) {
      auto made = VmSpace::Create(*created->machine, pin);
      PADDOCK_CHECK(made.ok(), "a space of the benchmarks cannot be created");
      *space = *std::move(made);
    }
    return created;
  }();
  return *world;
}

BenchThread::BenchThread(int index, SpaceKind kind)
    : world_(BenchWorld::Get()),
      space_(kind == SpaceKind::kRun ? *world_.run : *world_.never_run),
      pin_(PinOrStop(*world_.machine, static_cast<uint32_t>(index))) {
  // 512 GiB apart: another entry of the root for each thread.
  const VirtAddr start((static_cast<uint64_t>(index) + 1) << 39);
  region_ = VirtRange{start, start.Plus(kRegionPages * kPageSize)};
}

BenchThread::~BenchThread() { UnmapAll(); }

void BenchThread::MapAll() {
  auto cursor = space().OpenCursorMut(pin_, region_);
  PADDOCK_CHECK(cursor.ok(), "the region cannot be locked");
  while (cursor->remaining() > 0) {
    auto frame = machine().frames().Allocate(Untyped{}, Zeroing::kLeave);
    PADDOCK_CHECK(frame.ok(), "out of frames");
    const absl::Status mapped = cursor->Map(MappedFrames(*std::move(frame), kReadWriteUser));
    PADDOCK_CHECK(mapped.ok(), "a page cannot be mapped");
  }
}

void BenchThread::UnmapAll() {
  {
    // The low anchor keeps the leaf table.
    auto cursor =
        space().OpenCursorMut(pin_, region_, {.intent = Intent::kNoMap, .anchor = Anchor::kLow});
    PADDOCK_CHECK(cursor.ok(), "the region cannot be locked");
    PADDOCK_CHECK(cursor->Unmap(region_.size()).ok(), "the region cannot be unmapped");
  }
  PADDOCK_CHECK(machine().Synchronize(pin_).ok(), "a benchmark is inside a section");
}

}  // namespace paddock::bench

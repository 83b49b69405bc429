// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/bench_world.h"

#include <utility>

#include "paddock/core/space/mapped_frames.h"

namespace paddock::bench {
namespace {

// Root entries from which threads have theirs; the others are for cases with places of their own.
constexpr uint64_t kFirstRootEntry = 1;
constexpr uint64_t kSharedRootEntry = 32;

VirtRange RegionOf(int index, Place place) {
  const auto number = static_cast<uint64_t>(index);
  if (place == Place::kOwnRootEntry) {
    const VirtAddr start((kFirstRootEntry + number) * kRootEntrySpan);
    return VirtRange{start, start.Plus(kTableSpan)};
  }
  const VirtAddr start(kSharedRootEntry * kRootEntrySpan + number * (kTableSpan / 2));
  return VirtRange{start, start.Plus(kTableSpan / 2)};
}

}  // namespace

BenchWorld& BenchWorld::Get() {
  static BenchWorld* const world = [] {
    auto* created = new BenchWorld;
    Machine::Options options;
    options.cpus = kMaxThreads;
    options.memory_bytes = uint64_t{8} << 30;
    created->machine = Must(Machine::Create(std::move(options)));
    const CpuPin pin = Must(created->machine->Pin(CpuId{0}));
    for (auto* const space : {&created->never_run, &created->run}) {
      *space = Must(VmSpace::Create(*created->machine, pin));
    }
    return created;
  }();
  return *world;
}

BenchThread::BenchThread(int index, Place place, SpaceKind kind)
    : world_(BenchWorld::Get()),
      space_(kind == SpaceKind::kRun ? *world_.run : *world_.never_run),
      pin_(Must(world_.machine->Pin(CpuId{static_cast<uint32_t>(index)}))),
      region_(RegionOf(index, place)) {
  MapAll();
  UnmapAll();
}

BenchThread::~BenchThread() { UnmapAll(); }

void BenchThread::MapAll() {
  VmSpace::CursorMut cursor = OpenRegion();
  while (cursor.remaining() > 0) Require(cursor.Map(MappedFrames(NewFrame(), kReadWriteUser)));
}

void BenchThread::UnmapAll() {
  Require(OpenRegion().Unmap(region_.size()).status());
  Reclaim();
}

}  // namespace paddock::bench

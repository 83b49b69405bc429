// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/scaling/scaling_world.h"

#include <utility>
#include <vector>

#include "paddock/arch/page_property.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/node.h"
#include "paddock/core/space/configs.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

constexpr uint64_t kGranule = UserPtConfig::Format::kEntriesPerGranule;

Machine::Options OptionsFor(uint32_t cpus) {
  Machine::Options options;
  options.cpus = cpus;
  // Enough for magazines of full size.
  options.memory_bytes = uint64_t{cpus} << 26;
  return options;
}

VmSpace::CursorMut Open(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  return Must(world.space(pin).OpenCursorMut(pin, world.Page(pin, i)));
}

bool IsMapped(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  RcuReadGuard section(world.machine().rcu(), pin);
  return world.space(pin).Walk(section, world.Page(pin, i).start).has_value();
}

}  // namespace

ScalingWorld::ScalingWorld(uint32_t cpus, Spaces spaces, Tables tables)
    : tables_(tables), machine_(Must(Machine::Create(OptionsFor(cpus)))) {
  {
    const CpuPin pin = Must(machine_->Pin(CpuId{0}));
    for (uint32_t i = 0; i < (spaces == Spaces::kOneForEach ? cpus : 1); ++i) {
      spaces_.push_back(Must(VmSpace::Create(*machine_, pin)));
    }
  }
  cpus_ = std::make_unique<Lockstep>(*machine_, cpus);
  if (tables_ == Tables::kOneForAll) MoveLocks();
  if (spaces == Spaces::kOneNeverRun) return;
  cpus_->OnEach([this](const CpuPin& pin) { space(pin).Activate(pin); });
}

ScalingWorld::~ScalingWorld() {
  ForEachPage(EnsureUnmapped);
  cpus_->OnEach([this](const CpuPin& pin) { machine_->DeactivateSpace(pin); });
  Settle();
}

uint64_t ScalingWorld::pages() const {
  if (tables_ == Tables::kOneForEach) return kPages;
  return kPages / kGranule / cpus_->size() * kGranule;
}

void ScalingWorld::MoveLocks() {
  cpus_->OnEach([this](const CpuPin& pin) {
    if (pin.cpu().value != 0) return;
    Map(*this, pin, 0);
    const VirtRange first = Page(pin, 0);
    const auto cursor = Must(space(pin).OpenCursor(pin, first));
    using F = UserPtConfig::Format;
    Node<F> node(machine_->frames(), space(pin).root());
    for (int level = F::kLevels; level > 1; --level) {
      const uint64_t index = Geometry<F>::Index(Geometry<F>::ToOffset(first.start), level);
      node = Node<F>::Child(machine_->frames(), node.Load(index), level);
    }
    node.lock(1).Move(1);
  });
  // Now that one has moved, the others do.
  ForEachPage(EnsureMapped);
}

VirtRange ScalingWorld::Page(const CpuPin& pin, uint64_t i) const {
  const uint64_t cpu = pin.cpu().value;
  i %= pages();
  const uint64_t page =
      tables_ == Tables::kOneForEach
          ? (cpu + 1) * kPages + i
          : kPages + (i / kGranule * cpus_->size() + cpu) * kGranule + i % kGranule;
  return VirtRange{VirtAddr(page * kPageSize), VirtAddr((page + 1) * kPageSize)};
}

void ScalingWorld::Settle() {
  cpus_->OnEach([this](const CpuPin& pin) { machine_->Poll(pin); });
  cpus_->OnEach([this](const CpuPin& pin) { machine_->rcu().Drain(pin); });
}

void ScalingWorld::ForEachPage(PageStep step) {
  cpus_->OnEach([&](const CpuPin& pin) {
    for (uint64_t i = 0; i < pages(); ++i) step(*this, pin, i);
  });
}

void ScalingWorld::FillMagazines() {
  cpus_->OnEach([this](const CpuPin&) {
    std::vector<UFrame> frames;
    for (uint64_t i = 0; i < kPages; ++i) {
      frames.push_back(Must(machine_->frames().Allocate(Untyped{}, Zeroing::kLeave)));
    }
  });
}

Figure ScalingWorld::Record(PageStep step, uint64_t count) {
  LineRecorder recorder;
  for (uint64_t i = 0; i < count; ++i) {
    cpus_->OnEach([&](const CpuPin& pin) {
      RecordingScope scope(recorder, pin.cpu().value);
      step(*this, pin, i);
      machine_->Poll(pin);
    });
  }
  return Figure{count * cpus_->size(), recorder.touches(), recorder.transfers(),
                recorder.Describe()};
}

void LookUp(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  PADDOCK_CHECK(IsMapped(world, pin, i), "a lookup finds nothing");
}

void Query(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  auto cursor = Must(world.space(pin).OpenCursor(pin, world.Page(pin, i)));
  PADDOCK_CHECK(Must(cursor.Query()).item.has_value(), "a query finds nothing");
}

void Map(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  UFrame frame = Must(world.machine().frames().Allocate(Untyped{}, Zeroing::kLeave));
  Must(Open(world, pin, i).Map(MappedFrames(std::move(frame), kReadWriteUser)));
}

void Protect(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  const auto toggle_write = [](PageProperty property) {
    property.flags = HasAny(property.flags, PageFlags::kWrite) ? property.flags & ~PageFlags::kWrite
                                                               : property.flags | PageFlags::kWrite;
    return property;
  };
  Must(Open(world, pin, i).Protect(kPageSize, toggle_write).status());
}

void Unmap(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  PADDOCK_CHECK(Must(Open(world, pin, i).Unmap(kPageSize)).pages == 1, "nothing is unmapped");
}

void Load(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  Must(world.space(pin).Load(pin, world.Page(pin, i).start).status());
}

void EnsureMapped(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  if (!IsMapped(world, pin, i)) Map(world, pin, i);
}

void EnsureUnmapped(ScalingWorld& world, const CpuPin& pin, uint64_t i) {
  if (IsMapped(world, pin, i)) Unmap(world, pin, i);
}

}  // namespace paddock

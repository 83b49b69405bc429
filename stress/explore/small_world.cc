// SPDX-License-Identifier: Apache-2.0
#include "paddock/stress/explore/small_world.h"

#include <cstddef>
#include <new>
#include <optional>
#include <string>

#include "paddock/concurrency/model/execution.h"
#include "paddock/concurrency/sync.h"

namespace paddock::explore {
namespace {

constexpr uint64_t kMemoryBytes = SmallWorld::kFrames * kPageSize;

// Tells the explorer when memory changes hands.
class PoisoningAllocator final : public FrameAllocator {
 public:
  PoisoningAllocator(std::unique_ptr<FrameAllocator> inner, PhysicalMemory& memory)
      : inner_(std::move(inner)), memory_(memory) {}

  std::optional<PhysAddr> Allocate(int order) override {
    const std::optional<PhysAddr> block = inner_->Allocate(order);
    if (block) model::TakeMemory(memory_.Data(*block), kPageSize << order);
    return block;
  }
  bool AllocateAt(PhysAddr address) override {
    if (!inner_->AllocateAt(address)) return false;
    model::TakeMemory(memory_.Data(address), kPageSize);
    return true;
  }
  void Free(PhysAddr block, int order) override {
    model::ReleaseMemory(memory_.Data(block), kPageSize << order);
    inner_->Free(block, order);
  }
  uint64_t free_pages() const override { return inner_->free_pages(); }
  uint64_t peak_used_pages() const override { return inner_->peak_used_pages(); }
  void DrainMagazines() override { inner_->DrainMagazines(); }

 private:
  const std::unique_ptr<FrameAllocator> inner_;
  PhysicalMemory& memory_;
};

std::unique_ptr<PhysicalMemory> NewMemory() {
  auto* const bytes =
      static_cast<std::byte*>(::operator new(kMemoryBytes, std::align_val_t{kPageSize}));
  return Must(PhysicalMemory::CallerOwned({bytes, kMemoryBytes}));
}

FrameTable::Options Poisoning(PhysicalMemory& memory) {
  FrameTable::Options options;
  options.wrap_allocator = [&memory](std::unique_ptr<FrameAllocator> inner) {
    return std::make_unique<PoisoningAllocator>(std::move(inner), memory);
  };
  return options;
}

template <class T>
void NameField(const T& field, const std::string& owner, const char* name) {
  model::Name(&field, sizeof(field), owner + name);
}

// For traces only: it takes longer than an execution.
void NameEverything(FrameTable& frames) {
  const PhysAddr base = frames.memory().base();
  for (uint64_t i = 0; i < SmallWorld::kFrames; ++i) {
    const MetaSlot& slot = frames.slot(base.Plus(i * kPageSize));
    const std::string owner = "slot[" + std::to_string(i) + "].";
    NameField(slot.ref_count, owner, "ref_count");
    NameField(slot.level, owner, "level");
    NameField(slot.stray, owner, "stray");
    NameField(slot.flags, owner, "flags");
    NameField(slot.kind, owner, "kind");
    NameField(slot.lock, owner, "lock");
    NameField(slot.waiters, owner, "waiters");
    NameField(slot.occupancy, owner, "occupancy");
    NameField(slot.identity, owner, "identity");
    NameField(slot.generation, owner, "generation");
    auto* const entries = reinterpret_cast<const Pte*>(frames.Data(base.Plus(i * kPageSize)));
    constexpr uint64_t kEntriesOfInterest = 4;
    for (uint64_t entry = 0; entry < kEntriesOfInterest; ++entry) {
      NameField(entries[entry], "frame[" + std::to_string(i) + "]",
                ("[" + std::to_string(entry) + "]").c_str());
    }
  }
}

}  // namespace

SmallWorld::SmallWorld()
    : cpus_(kCpus),
      rcu_(cpus_, {.batch_size = 1}),
      bus_(cpus_),
      memory_(NewMemory()),
      frames_(Must(FrameTable::Create(*memory_, cpus_, Poisoning(*memory_)))),
      tlb_(cpus_, rcu_, bus_, *frames_, {.tlb_sets = 1, .tlb_ways = 2}),
      env_(cpus_, rcu_, bus_, *frames_, tlb_) {
  if (!model::IsTraced()) return;
  NameEverything(*frames_);
  NameField(cpus_, "", "cpus");
  NameField(rcu_, "", "rcu");
  NameField(bus_, "", "bus");
  NameField(tlb_, "", "tlb");
  NameField(env_, "", "env");
}

SmallWorld::~SmallWorld() {
  {
    const CpuPin pin = Pin(kSetupCpu);
    bus_.Poll(pin);
    rcu_.Drain(pin);
  }
  const RcuStats stats = rcu_.stats();
  model::Expect(stats.retired == stats.reclaimed, "everything retired is reclaimed");
  model::Expect(frames_->used_pages() == 0, "every frame is free again");
  for (uint64_t i = 0; i < kFrames; ++i) {
    const MetaSlot& slot = frames_->slot(frames_->memory().base().Plus(i * kPageSize));
    model::Expect(slot.lock.load(sync::seq_cst) == 0, "no granule stays claimed");
    model::Expect(slot.waiters.load(sync::seq_cst) == 0, "nobody stays marked as waiting");
  }
  ::operator delete(frames_->memory().Data(frames_->memory().base()), std::align_val_t{kPageSize});
}

void SmallWorld::Run(const std::vector<std::function<void(const CpuPin&)>>& bodies) {
  std::vector<sync::Thread> threads;
  for (uint32_t cpu = 0; cpu < bodies.size(); ++cpu) {
    threads.emplace_back([this, cpu, &body = bodies[cpu]] {
      model::NameThread("CPU " + std::to_string(cpu));
      const CpuPin pin = Pin(cpu);
      body(pin);
    });
  }
}

}  // namespace paddock::explore

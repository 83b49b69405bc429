// SPDX-License-Identifier: Apache-2.0
#include "paddock/stress/explore/poisoned_memory.h"

#include <new>
#include <optional>

#include "paddock/arch/paging_format.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/meta_slot.h"

namespace paddock::explore {
namespace {

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

std::byte* Allocate(uint64_t bytes) {
  return static_cast<std::byte*>(::operator new(bytes, std::align_val_t{kPageSize}));
}

}  // namespace

FrameBytes::FrameBytes(uint64_t frames)
    : bytes_(Allocate(frames * kPageSize), frames * kPageSize) {}

FrameBytes::~FrameBytes() { ::operator delete(bytes_.data(), std::align_val_t{kPageSize}); }

FrameTable::Options Poisoning(PhysicalMemory& memory) {
  FrameTable::Options options;
  options.wrap_allocator = [&memory](std::unique_ptr<FrameAllocator> inner) {
    return std::make_unique<PoisoningAllocator>(std::move(inner), memory);
  };
  return options;
}

void ExpectNothingClaimed(FrameTable& frames) {
  for (uint64_t i = 0; i < frames.total_pages(); ++i) {
    const MetaSlot& slot = frames.slot(frames.memory().base().Plus(i * kPageSize));
    model::Expect(slot.lock.load(sync::seq_cst) == 0, "no granule stays claimed");
    model::Expect(slot.waiters.load(sync::seq_cst) == 0, "nobody stays marked as waiting");
  }
}

void NameFrames(FrameTable& frames) {
  for (uint64_t i = 0; i < frames.total_pages(); ++i) {
    const PhysAddr frame = frames.memory().base().Plus(i * kPageSize);
    const MetaSlot& slot = frames.slot(frame);
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
    NameField(slot.payload, owner, "payload");
    auto* const entries = reinterpret_cast<const Pte*>(frames.Data(frame));
    constexpr uint64_t kEntriesOfInterest = 4;
    for (uint64_t entry = 0; entry < kEntriesOfInterest; ++entry) {
      NameField(entries[entry], "frame[" + std::to_string(i) + "]",
                ("[" + std::to_string(entry) + "]").c_str());
    }
  }
}

}  // namespace paddock::explore

// SPDX-License-Identifier: Apache-2.0
//
// An allocator that refuses at random, wrapped around the real one.
//
//   FailingSwitch failing(0.01, seed);
//   options.frames.wrap_allocator = [&](auto inner) { return failing.Wrap(std::move(inner)); };
//   failing.Set(true);
//
// Thread safety: any thread. Cost: one shared counter, which a test run can afford.

#ifndef PADDOCK_STRESS_INJECT_FAILING_ALLOCATOR_H_
#define PADDOCK_STRESS_INJECT_FAILING_ALLOCATOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/frame_allocator.h"
#include "paddock/stress/rng.h"

namespace paddock {

// Outlives the allocators that it wrapped. Off at first.
class FailingSwitch {
 public:
  FailingSwitch(double probability, uint64_t seed)
      : threshold_(static_cast<uint64_t>(probability * 0x1p64)), seed_(seed) {}

  void Set(bool on) { on_.store(on ? 1 : 0, sync::seq_cst); }
  uint64_t refused() const { return refused_.load(sync::seq_cst); }

  bool Refuses() {
    if (on_.load(sync::seq_cst) == 0) return false;
    const uint64_t draw = MixBits(seed_ + draws_.fetch_add(1, sync::seq_cst));
    if (draw >= threshold_) return false;
    refused_.fetch_add(1, sync::seq_cst);
    return true;
  }

  std::unique_ptr<FrameAllocator> Wrap(std::unique_ptr<FrameAllocator> inner);

 private:
  const uint64_t threshold_;
  const uint64_t seed_;
  sync::Atomic<uint32_t> on_{0};
  sync::Atomic<uint64_t> draws_{0};
  sync::Atomic<uint64_t> refused_{0};
};

class FailingAllocator final : public FrameAllocator {
 public:
  FailingAllocator(std::unique_ptr<FrameAllocator> inner, FailingSwitch& failing)
      : inner_(std::move(inner)), failing_(failing) {}

  std::optional<PhysAddr> Allocate(int order) override {
    if (failing_.Refuses()) return std::nullopt;
    return inner_->Allocate(order);
  }
  bool AllocateAt(PhysAddr address) override { return inner_->AllocateAt(address); }
  void Free(PhysAddr block, int order) override { inner_->Free(block, order); }
  uint64_t free_pages() const override { return inner_->free_pages(); }
  uint64_t peak_used_pages() const override { return inner_->peak_used_pages(); }
  void DrainMagazines() override { inner_->DrainMagazines(); }

 private:
  const std::unique_ptr<FrameAllocator> inner_;
  FailingSwitch& failing_;
};

inline std::unique_ptr<FrameAllocator> FailingSwitch::Wrap(std::unique_ptr<FrameAllocator> inner) {
  return std::make_unique<FailingAllocator>(std::move(inner), *this);
}

}  // namespace paddock

#endif  // PADDOCK_STRESS_INJECT_FAILING_ALLOCATOR_H_

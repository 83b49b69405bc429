// SPDX-License-Identifier: Apache-2.0
//
// A frame allocator that runs out of memory on command, in front of another one.
//
//   FailingAllocator* failing = nullptr;
//   FrameTable::Options options;
//   options.wrap_allocator = FailingAllocator::Wrap(&failing);
//   ... create the frame table or the machine with `options` ...
//   failing->FailNth(3);              // the third allocation from now on fails, once
//   failing->FailRandomly(seed, 50);  // 50 of 1000 fail, from now on
//   failing->Heal();
//
// An allocation of any order counts as one. Thread safety: every function from any thread; with
// several threads, which of their allocations is the n-th is theirs to race for.

#ifndef PADDOCK_TESTS_SUPPORT_FAILING_ALLOCATOR_H_
#define PADDOCK_TESTS_SUPPORT_FAILING_ALLOCATOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "paddock/arch/address.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/frame_allocator.h"

namespace paddock {

class FailingAllocator final : public FrameAllocator {
 public:
  explicit FailingAllocator(std::unique_ptr<FrameAllocator> inner) : inner_(std::move(inner)) {}

  // For FrameTable::Options::wrap_allocator. Stores where the allocator is, which lives as long as
  // the frame table.
  static std::function<std::unique_ptr<FrameAllocator>(std::unique_ptr<FrameAllocator>)> Wrap(
      FailingAllocator** made) {
    return [made](std::unique_ptr<FrameAllocator> inner) {
      auto failing = std::make_unique<FailingAllocator>(std::move(inner));
      *made = failing.get();
      return failing;
    };
  }

  // The `n`-th allocation from now on fails, and only that one. n >= 1.
  void FailNth(uint64_t n) { countdown_.store(n, sync::seq_cst); }
  // Every allocation from the `n`-th on fails. n >= 1.
  void FailFrom(uint64_t n) {
    sticky_.store(1, sync::seq_cst);
    FailNth(n);
  }
  // Each allocation fails with a probability of `per_mille` / 1000; the n-th of them depends on the
  // seed and on n alone.
  void FailRandomly(uint64_t seed, uint32_t per_mille) {
    seed_.store(seed, sync::seq_cst);
    per_mille_.store(per_mille, sync::seq_cst);
  }
  // No more failures.
  void Heal() {
    countdown_.store(0, sync::seq_cst);
    sticky_.store(0, sync::seq_cst);
    per_mille_.store(0, sync::seq_cst);
  }

  // Allocations asked for, and those that were made to fail, since creation.
  uint64_t attempts() const { return attempts_.load(sync::seq_cst); }
  uint64_t failures() const { return failures_.load(sync::seq_cst); }

  std::optional<PhysAddr> Allocate(int order) override {
    if (Fails()) return std::nullopt;
    return inner_->Allocate(order);
  }
  bool AllocateAt(PhysAddr address) override { return !Fails() && inner_->AllocateAt(address); }
  void Free(PhysAddr block, int order) override { inner_->Free(block, order); }
  uint64_t free_pages() const override { return inner_->free_pages(); }
  uint64_t peak_used_pages() const override { return inner_->peak_used_pages(); }
  void DrainMagazines() override { inner_->DrainMagazines(); }

 private:
  bool Fails() {
    const uint64_t attempt = attempts_.fetch_add(1, sync::seq_cst);
    const bool fails = CountdownFails() || LuckFails(attempt);
    if (fails) failures_.fetch_add(1, sync::seq_cst);
    return fails;
  }
  bool CountdownFails() {
    uint64_t left = countdown_.load(sync::seq_cst);
    while (left != 0) {
      const bool last = left == 1;
      if (last && sticky_.load(sync::seq_cst) != 0) return true;
      if (countdown_.compare_exchange(left, left - 1, sync::seq_cst, sync::seq_cst)) return last;
    }
    return false;
  }
  bool LuckFails(uint64_t attempt) const {
    const uint32_t per_mille = per_mille_.load(sync::seq_cst);
    if (per_mille == 0) return false;
    // splitmix64
    uint64_t x = seed_.load(sync::seq_cst) + (attempt + 1) * 0x9e37'79b9'7f4a'7c15u;
    x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9u;
    x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11ebu;
    return (x ^ (x >> 31)) % 1000 < per_mille;
  }

  const std::unique_ptr<FrameAllocator> inner_;
  sync::Atomic<uint64_t> countdown_{0};  // 0: disarmed
  sync::Atomic<uint32_t> sticky_{0};
  sync::Atomic<uint64_t> seed_{0};
  sync::Atomic<uint32_t> per_mille_{0};
  sync::Atomic<uint64_t> attempts_{0};
  sync::Atomic<uint64_t> failures_{0};
};

// What must be there before the world that it fails: a variable, or a first base class.
//
//   HasFailingAllocator memory;
//   auto machine = Machine::Create(memory.Failing(std::move(options)));
//   memory.failing->FailFrom(1);
struct HasFailingAllocator {
  // The same options, with an allocator that fails on command.
  template <typename Options>
  Options Failing(Options options) {
    options.frames.wrap_allocator = FailingAllocator::Wrap(&failing);
    return options;
  }
  FailingAllocator* failing = nullptr;  // set when the world is created
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_FAILING_ALLOCATOR_H_

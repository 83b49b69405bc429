// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_CPU_SET_H_
#define PADDOCK_CONCURRENCY_CPU_SET_H_

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>

#include "paddock/concurrency/check.h"
#include "paddock/concurrency/sync.h"

// Sets of CPUs: CpuSet is a value, AtomicCpuSet is shared by threads.
//
//   AtomicCpuSet active(registry.size());
//   active.Add(pin.cpu(), sync::seq_cst);
//   CpuSet targets = active.Load(sync::seq_cst);
//   targets.Remove(pin.cpu());
//   targets.ForEach([&](CpuId cpu) { bus.Send(cpu, &request); });
//
// A CPU outside of [0, kMaxCpus), or outside of the size of an AtomicCpuSet, is a broken invariant;
// Contains and EmptyExcept of an AtomicCpuSet look at the size in debug builds only. Neither class
// allocates.
namespace paddock {

inline constexpr uint32_t kMaxCpus = 1024;

// A logical CPU of one CpuRegistry: 0 .. registry.size() - 1.
struct CpuId {
  uint32_t value = 0;
  friend constexpr bool operator==(CpuId, CpuId) = default;
  friend constexpr std::strong_ordering operator<=>(CpuId, CpuId) = default;
};

// A value of 136 bytes; not thread-safe. What concerns all members costs a step for each 64 CPUs up
// to the highest that was ever added.
class CpuSet {
 public:
  constexpr CpuSet() = default;

  // The CPUs 0 .. cpus - 1.
  static constexpr CpuSet All(uint32_t cpus) {
    PADDOCK_CHECK(cpus <= kMaxCpus, "more CPUs than a set can hold");
    CpuSet all;
    for (uint32_t cpu = 0; cpu < cpus; ++cpu) all.Add(CpuId{cpu});
    return all;
  }

  constexpr void Add(CpuId cpu) {
    words_[Word(cpu)] |= Bit(cpu);
    used_ = std::max(used_, cpu.value / 64 + 1);
  }
  constexpr void Remove(CpuId cpu) { words_[Word(cpu)] &= ~Bit(cpu); }
  constexpr bool Contains(CpuId cpu) const { return (words_[Word(cpu)] & Bit(cpu)) != 0; }

  constexpr bool Empty() const {
    for (uint32_t i = 0; i < used_; ++i) {
      if (words_[i] != 0) return false;
    }
    return true;
  }
  constexpr uint32_t Count() const {
    uint32_t count = 0;
    for (uint32_t i = 0; i < used_; ++i) count += static_cast<uint32_t>(std::popcount(words_[i]));
    return count;
  }

  // Calls `visit(CpuId)` for each member in ascending order.
  template <class Visit>
  constexpr void ForEach(Visit visit) const {
    for (uint32_t i = 0; i < used_; ++i) {
      for (uint64_t word = words_[i]; word != 0; word &= word - 1) {
        visit(CpuId{i * 64 + static_cast<uint32_t>(std::countr_zero(word))});
      }
    }
  }

  constexpr CpuSet& operator|=(const CpuSet& other) {
    for (uint32_t i = 0; i < other.used_; ++i) words_[i] |= other.words_[i];
    used_ = std::max(used_, other.used_);
    return *this;
  }
  // Without the members of `other`.
  constexpr CpuSet& operator-=(const CpuSet& other) {
    for (uint32_t i = 0; i < std::min(used_, other.used_); ++i) words_[i] &= ~other.words_[i];
    return *this;
  }
  friend constexpr CpuSet operator|(CpuSet a, const CpuSet& b) { return a |= b; }
  friend constexpr CpuSet operator-(CpuSet a, const CpuSet& b) { return a -= b; }
  friend constexpr bool operator==(const CpuSet& a, const CpuSet& b) {
    return a.words_ == b.words_;
  }

 private:
  friend class AtomicCpuSet;
  static constexpr size_t kWords = kMaxCpus / 64;

  static constexpr size_t Word(CpuId cpu) {
    PADDOCK_CHECK(cpu.value < kMaxCpus, "a CPU outside of the largest set");
    return cpu.value / 64;
  }
  static constexpr uint64_t Bit(CpuId cpu) { return uint64_t{1} << (cpu.value % 64); }

  uint32_t used_ = 0;  // invariant: the words from here on are 0
  std::array<uint64_t, kWords> words_{};
};

// A set that threads change and read at the same time. Each operation on one CPU is atomic; Load
// and EmptyExcept read word after word, so with more than 64 CPUs a concurrent change may be seen
// in one word and an earlier one missed in another. What the caller changed itself is always seen,
// and so is every change that was ordered before the call. Cost: one operation on one word; Load
// and EmptyExcept read one word for each 64 CPUs.
class AtomicCpuSet {
 public:
  // Empty; for the CPUs 0 .. cpus - 1.
  explicit AtomicCpuSet(uint32_t cpus) : cpus_(cpus) {
    PADDOCK_CHECK(cpus <= kMaxCpus, "more CPUs than a set can hold");
  }

  void Add(CpuId cpu, sync::Order order) { Word(cpu).fetch_or(CpuSet::Bit(cpu), order); }
  void Remove(CpuId cpu, sync::Order order) { Word(cpu).fetch_and(~CpuSet::Bit(cpu), order); }
  bool Contains(CpuId cpu, sync::Order order) const {
    PADDOCK_DCHECK(cpu.value < cpus_, "a CPU outside of the set's size");
    return (words_[CpuSet::Word(cpu)].load(order) & CpuSet::Bit(cpu)) != 0;
  }

  CpuSet Load(sync::Order order) const {
    CpuSet set;
    set.used_ = (cpus_ + 63) / 64;
    for (uint32_t i = 0; i < set.used_; ++i) set.words_[i] = words_[i].load(order);
    return set;
  }

  // Whether no CPU but `cpu` is a member; reads with seq_cst.
  bool EmptyExcept(CpuId cpu) const {
    PADDOCK_DCHECK(cpu.value < cpus_, "a CPU outside of the set's size");
    for (uint32_t i = 0; i * 64 < cpus_; ++i) {
      const uint64_t self = i == cpu.value / 64 ? CpuSet::Bit(cpu) : 0;
      if ((words_[i].load(sync::seq_cst) & ~self) != 0) return false;
    }
    return true;
  }

 private:
  sync::Atomic<uint64_t>& Word(CpuId cpu) {
    PADDOCK_CHECK(cpu.value < cpus_, "a CPU outside of the set's size");
    return words_[CpuSet::Word(cpu)];
  }

  uint32_t cpus_;
  std::array<sync::Atomic<uint64_t>, CpuSet::kWords> words_{};
};

}  // namespace paddock

#endif  // PADDOCK_CONCURRENCY_CPU_SET_H_

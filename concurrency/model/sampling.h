// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_SAMPLING_H_
#define PADDOCK_CONCURRENCY_MODEL_SAMPLING_H_

#include <array>
#include <cstdint>

#include "paddock/concurrency/model/arena.h"
#include "paddock/concurrency/model/strategy.h"

// Strategies that look at some executions instead of all: at random, by priorities, or at one.
namespace paddock::model {

// splitmix64: small, seedable, and the same everywhere.
class RandomBits {
 public:
  explicit RandomBits(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  // 0 .. bound - 1.
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(Next() % bound); }

 private:
  uint64_t state_;
};

// Each runnable thread with the same probability at every point; an old value one time in four.
class UniformRandom final : public Strategy {
 public:
  UniformRandom(uint64_t seed, uint64_t executions) : random_(seed), left_(executions) {}
  bool Begin() override {
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  uint32_t PickThread(const ThreadChoice& choice) override;
  uint32_t PickValue(const ValueChoice& choice) override;

 private:
  RandomBits random_;
  uint64_t left_;
};

// Probabilistic concurrency testing (S. Burckhardt et al., ASPLOS 2010): random priorities, of
// which the highest runs, and `depth` - 1 random ticks at which the running thread drops below all
// others. A bug that needs `depth` orderings to be right is found with probability at least 1 / (n
// * k^(d-1)) per execution of n threads and k ticks. Loads read as in UniformRandom.
class PriorityRandom final : public Strategy {
 public:
  PriorityRandom(uint64_t seed, uint64_t executions, uint32_t depth)
      : random_(seed), left_(executions), depth_(depth) {}
  bool Begin() override;
  uint32_t PickThread(const ThreadChoice& choice) override;
  uint32_t PickValue(const ValueChoice& choice) override;

 private:
  RandomBits random_;
  uint64_t left_;
  const uint32_t depth_;
  uint32_t longest_ = 1;  // ticks of the longest execution so far
  std::array<uint64_t, kMaxThreads> priorities_{};
  HostVector<uint32_t> drops_;
  uint64_t lowest_ = 0;
};

// One execution: the default one with the given deviations, as far as they are possible.
class Replay final : public Strategy {
 public:
  explicit Replay(const Schedule& schedule) : schedule_(schedule) {}
  bool Begin() override;
  uint32_t PickThread(const ThreadChoice& choice) override;
  uint32_t PickValue(const ValueChoice& choice) override;

 private:
  const Deviation* Find(uint32_t tick, Deviation::Kind kind);

  const Schedule& schedule_;
  size_t at_ = 0;
  bool done_ = false;
};

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_SAMPLING_H_

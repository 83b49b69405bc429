// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_DEPTH_FIRST_H_
#define PADDOCK_CONCURRENCY_MODEL_DEPTH_FIRST_H_

#include <array>
#include <cstdint>

#include "paddock/concurrency/model/arena.h"
#include "paddock/concurrency/model/strategy.h"

// Every execution once, depth first, up to a bound.
//
//   DepthFirst search(/*bound=*/2);        // or DepthFirst::kUnbounded
//   while (search.Begin()) { ... }
//   search.was_cut()                       // whether the bound kept something out
//
// The bound counts deviations from the default schedule: preemptions, old values read, deadlines
// that pass early. Switching away from a thread that blocks or ends costs nothing, so a bound of 2
// reaches states of any depth (M. Musuvathi and S. Qadeer, "Iterative context bounding", PLDI
// 2007).
//
// No thread is preempted in front of an operation on a location that only one thread uses: it
// commutes with what the others do, so the same states are reached by preempting later. Which
// locations those are is learnt while searching; the explorer starts over when one turns out to be
// shared, so the last search is complete for what it knew.
//
// Without a bound, sleep sets (P. Godefroid, 1996) cut executions that only reorder independent
// operations. They would be unsound together with a bound, where the execution that is kept may be
// one that the bound forbids; so a bounded search does without. What a load may read is part of its
// operation: all values are tried before it sleeps, and it wakes when its location is written (for
// a seq_cst load, also when it is read seq_cst).
namespace paddock::model {

class DepthFirst final : public Strategy {
 public:
  static constexpr uint32_t kUnbounded = ~0u;

  enum class Reduction : uint8_t { kSleepSets, kNone };

  explicit DepthFirst(uint32_t bound, Reduction reduction = Reduction::kSleepSets)
      : bound_(bound), sleeping_(bound == kUnbounded && reduction == Reduction::kSleepSets) {}

  bool Begin() override;
  uint32_t PickThread(const ThreadChoice& choice) override;
  uint32_t PickValue(const ValueChoice& choice) override;

  bool was_cut() const { return was_cut_; }

 private:
  struct Node {
    uint32_t tick;
    bool is_value;
    uint8_t count;                             // of the options below, or of values
    uint8_t next;                              // the one that the execution takes
    std::array<uint8_t, kMaxThreads> options;  // numbers in ThreadChoice
    std::array<ThreadId, kMaxThreads> threads;
    uint8_t asleep;  // threads, as bits, when the node was reached
  };

  bool AtKnownNode(uint32_t tick, bool is_value) const;
  uint32_t Follow(const ThreadChoice& choice, const Node& node);
  void Wake(const ThreadChoice& choice, uint8_t asleep, ThreadId runs);

  const uint32_t bound_;
  const bool sleeping_;
  HostVector<Node> path_;
  size_t at_ = 0;      // in path_
  uint32_t used_ = 0;  // of the bound
  uint8_t asleep_ = 0;
  bool started_ = false;
  bool was_cut_ = false;
};

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_DEPTH_FIRST_H_

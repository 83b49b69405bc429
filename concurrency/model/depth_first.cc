// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/depth_first.h"

#include "paddock/concurrency/check.h"

namespace paddock::model {
namespace {

constexpr uint8_t Bit(ThreadId thread) { return static_cast<uint8_t>(1u << thread); }

}  // namespace

bool DepthFirst::Begin() {
  if (started_) {
    while (!path_.empty() && path_.back().next + 1 >= path_.back().count) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().next;
  }
  started_ = true;
  at_ = 0;
  used_ = 0;
  asleep_ = 0;
  return true;
}

bool DepthFirst::AtKnownNode(uint32_t tick, bool is_value) const {
  if (at_ >= path_.size()) return false;
  if (path_[at_].tick != tick || path_[at_].is_value != is_value) {
    // Executions with the same choices do the same: ticks do not pass a node by.
    PADDOCK_CHECK(path_[at_].tick >= tick, "an execution does not repeat what it did before");
    return false;
  }
  return true;
}

// Whoever sleeps and is not independent of what `runs` does now wakes.
void DepthFirst::Wake(const ThreadChoice& choice, uint8_t asleep, ThreadId runs) {
  asleep_ = 0;
  for (ThreadId thread = 0; thread < kMaxThreads; ++thread) {
    if ((asleep & Bit(thread)) == 0 || choice.next[thread] == nullptr) continue;
    if (Independent(*choice.next[thread], *choice.next[runs])) asleep_ |= Bit(thread);
  }
}

uint32_t DepthFirst::Follow(const ThreadChoice& choice, const Node& node) {
  const uint32_t picked = node.options[node.next];
  used_ += choice.options[picked].deviates ? 1 : 0;
  if (sleeping_) {
    uint8_t asleep = node.asleep;
    for (uint8_t i = 0; i < node.next; ++i) asleep |= Bit(node.threads[i]);
    Wake(choice, asleep, node.threads[node.next]);
  }
  return picked;
}

uint32_t DepthFirst::PickThread(const ThreadChoice& choice) {
  if (AtKnownNode(choice.tick, false)) return Follow(choice, path_[at_++]);
  const bool repeats = at_ < path_.size();

  Node node{.tick = choice.tick,
            .is_value = false,
            .count = 0,
            .next = 0,
            .options = {},
            .threads = {},
            .asleep = asleep_};
  const bool keeps_running = choice.local && (asleep_ & Bit(choice.current)) == 0;
  const uint32_t considered = keeps_running ? 1 : choice.count;
  for (uint32_t i = 0; i < considered; ++i) {
    const ThreadChoice::Option& option = choice.options[i];
    if (option.deviates && used_ >= bound_) {
      was_cut_ = true;
      continue;
    }
    if ((asleep_ & Bit(option.thread)) != 0) continue;
    node.options[node.count] = static_cast<uint8_t>(i);
    node.threads[node.count++] = option.thread;
  }
  if (node.count == 0) return kPrune;
  if (node.count > 1) {
    PADDOCK_CHECK(!repeats, "an execution does not repeat what it did before");
    path_.push_back(node);
    ++at_;
  }
  return Follow(choice, node);
}

uint32_t DepthFirst::PickValue(const ValueChoice& choice) {
  const bool costs = choice.kind == Deviation::Kind::kRead;
  uint32_t picked = 0;
  if (AtKnownNode(choice.tick, true)) {
    picked = path_[at_++].next;
  } else if (costs && used_ >= bound_) {
    was_cut_ = true;
  } else {
    path_.push_back({.tick = choice.tick,
                     .is_value = true,
                     .count = static_cast<uint8_t>(choice.count),
                     .next = 0,
                     .options = {},
                     .threads = {},
                     .asleep = 0});
    ++at_;
  }
  used_ += costs && picked != 0 ? 1 : 0;
  return picked;
}

}  // namespace paddock::model

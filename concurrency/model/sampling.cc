// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/sampling.h"

#include <algorithm>

namespace paddock::model {
namespace {

constexpr uint32_t kOneOldValueIn = 4;

uint32_t PickRandomValue(RandomBits& random, const ValueChoice& choice) {
  if (choice.kind == Deviation::Kind::kRead && random.Below(kOneOldValueIn) != 0) return 0;
  return random.Below(choice.count);
}

}  // namespace

uint64_t RandomBits::Next() {
  uint64_t x = state_ += 0x9e37'79b9'7f4a'7c15u;
  x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9u;
  x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11ebu;
  return x ^ (x >> 31);
}

uint32_t UniformRandom::PickThread(const ThreadChoice& choice) {
  return choice.count == 1 || choice.local ? 0 : random_.Below(choice.count);
}

uint32_t UniformRandom::PickValue(const ValueChoice& choice) {
  return PickRandomValue(random_, choice);
}

bool PriorityRandom::Begin() {
  if (left_ == 0) return false;
  --left_;
  // Above every priority that a drop gives out.
  for (uint64_t& priority : priorities_) priority = random_.Next() | (uint64_t{1} << 63);
  lowest_ = uint64_t{1} << 62;
  drops_.clear();
  for (uint32_t i = 1; i < depth_; ++i) drops_.push_back(1 + random_.Below(longest_));
  std::sort(drops_.begin(), drops_.end());
  return true;
}

uint32_t PriorityRandom::PickThread(const ThreadChoice& choice) {
  longest_ = std::max(longest_, choice.tick);
  if (std::binary_search(drops_.begin(), drops_.end(), choice.tick)) {
    priorities_[choice.current] = --lowest_;
  }
  uint32_t best = 0;
  for (uint32_t i = 1; i < choice.count; ++i) {
    if (priorities_[choice.options[i].thread] > priorities_[choice.options[best].thread]) best = i;
  }
  return best;
}

uint32_t PriorityRandom::PickValue(const ValueChoice& choice) {
  return PickRandomValue(random_, choice);
}

bool Replay::Begin() {
  if (done_) return false;
  done_ = true;
  at_ = 0;
  return true;
}

const Deviation* Replay::Find(uint32_t tick, Deviation::Kind kind) {
  while (at_ < schedule_.size() && schedule_[at_].tick < tick) ++at_;
  for (size_t i = at_; i < schedule_.size() && schedule_[i].tick == tick; ++i) {
    if (schedule_[i].kind == kind) return &schedule_[i];
  }
  return nullptr;
}

uint32_t Replay::PickThread(const ThreadChoice& choice) {
  const Deviation* const deviation = Find(choice.tick, Deviation::Kind::kThread);
  if (deviation == nullptr) return 0;
  for (uint32_t i = 0; i < choice.count; ++i) {
    if (choice.options[i].thread == deviation->value) return i;
  }
  return 0;
}

uint32_t Replay::PickValue(const ValueChoice& choice) {
  const Deviation* const deviation = Find(choice.tick, choice.kind);
  if (deviation == nullptr || deviation->value >= choice.count) return 0;
  return deviation->value;
}

}  // namespace paddock::model

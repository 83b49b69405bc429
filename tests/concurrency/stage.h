// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_TESTS_CONCURRENCY_STAGE_H_
#define PADDOCK_TESTS_CONCURRENCY_STAGE_H_

#include <cstdint>

#include "paddock/concurrency/sync.h"

namespace paddock {

// Puts the steps of several threads in a fixed order: one reaches a stage, others await it.
//
//   Stage stage;
//   sync::Thread other([&] { Prepare(); stage.Reach(1); stage.Await(2); });
//   stage.Await(1);
//   stage.Reach(2);
class Stage {
 public:
  void Reach(uint32_t n) { stage_.store(n, sync::seq_cst); }
  bool IsReached(uint32_t n) const { return stage_.load(sync::seq_cst) >= n; }
  void Await(uint32_t n) const {
    sync::Spin([&] { return IsReached(n); });
  }

 private:
  sync::Atomic<uint32_t> stage_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_CONCURRENCY_STAGE_H_

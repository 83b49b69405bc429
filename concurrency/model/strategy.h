// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_STRATEGY_H_
#define PADDOCK_CONCURRENCY_MODEL_STRATEGY_H_

#include <array>
#include <cstdint>

#include "paddock/concurrency/model/operation.h"
#include "paddock/concurrency/model/schedule.h"
#include "paddock/concurrency/model/vector_clock.h"

// Who decides what an execution does where it could do several things.
//
//   while (strategy.Begin()) { ... run one execution, asking PickThread, PickValue ...; }
//
// Thread safety: none.
namespace paddock::model {

// Who can run now, the default first. Never empty.
struct ThreadChoice {
  struct Option {
    ThreadId thread;
    bool deviates;  // running it preempts somebody, or lets a deadline pass early
  };
  uint32_t tick = 0;
  ThreadId current = 0;  // who ran last
  bool local = false;    // `current` is about to do something that concerns nobody else
  uint32_t count = 0;
  std::array<Option, kMaxThreads> options;
  // What each thread does next if it runs.
  std::array<const Operation*, kMaxThreads> next;
};

// A load that may read several stores, or a wake-up that may go to several sleepers.
struct ValueChoice {
  uint32_t tick = 0;
  Deviation::Kind kind = Deviation::Kind::kRead;
  uint32_t count = 0;  // above 1; 0 is the default
};

class Strategy {
 public:
  // The execution is cut short: another one has led, or will lead, to the same states.
  static constexpr uint32_t kPrune = ~0u;

  virtual ~Strategy() = default;

  // Before each execution. False: there is none left.
  virtual bool Begin() = 0;
  // The number of an option, or kPrune.
  virtual uint32_t PickThread(const ThreadChoice& choice) = 0;
  virtual uint32_t PickValue(const ValueChoice& choice) = 0;
};

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_STRATEGY_H_

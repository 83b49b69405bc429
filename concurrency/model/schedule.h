// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_SCHEDULE_H_
#define PADDOCK_CONCURRENCY_MODEL_SCHEDULE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "paddock/concurrency/model/arena.h"
#include "paddock/concurrency/model/vector_clock.h"

// A schedule: where an execution leaves the default one, in which every thread runs until it
// blocks, the next one in order follows, and every load reads the newest store.
//
//   HostVector<Deviation> schedule = ...;
//   std::string token = EncodeSchedule(schedule);        // "12t1.40r2.57t0"
//   std::optional<HostVector<Deviation>> same = DecodeSchedule(token);
//
// Places are ticks: how often the execution came to a point where another thread could run. They
// do not depend on the strategy, so the schedule that any of them found can be replayed.
namespace paddock::model {

struct Deviation {
  enum class Kind : char {
    kThread = 't',  // thread `value` runs at this tick
    kRead = 'r',    // the load of this tick reads the store that is `value` older than the newest
    kWake = 'w',    // the wake-up of this tick goes to sleeper number `value`
  };
  uint32_t tick = 0;
  Kind kind = Kind::kThread;
  uint32_t value = 0;

  friend bool operator==(const Deviation&, const Deviation&) = default;
};

using Schedule = HostVector<Deviation>;

// "-" if there is no deviation.
std::string EncodeSchedule(const Schedule& schedule);
// Nothing: not a token.
std::optional<Schedule> DecodeSchedule(std::string_view token);

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_SCHEDULE_H_

// SPDX-License-Identifier: Apache-2.0
//
// A worker's place on a simulated CPU. The worker sits down when it starts to work and stands up
// when it stops: whoever holds a pin must come to interrupt points, and a worker without work does
// not.
//
//   CpuSeat seat;
//   PADDOCK_CHECK(seat.Sit(machine, CpuId{0}).ok(), "...");
//   Use(seat.pin());
//   seat.StandUp();          // the CPU is idle
//
// Thread safety: one thread at a time.

#ifndef PADDOCK_STRESS_CPU_SEAT_H_
#define PADDOCK_STRESS_CPU_SEAT_H_

#include <optional>

#include "absl/status/status.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/space/machine.h"

namespace paddock {

class CpuSeat {
 public:
  // Errors as CpuRegistry::Pin.
  absl::Status Sit(Machine& machine, CpuId cpu) {
    absl::StatusOr<CpuPin> pin = machine.Pin(cpu);
    if (!pin.ok()) return pin.status();
    pin_.emplace(*std::move(pin));
    return absl::OkStatus();
  }
  void StandUp() { pin_.reset(); }

  const CpuPin& pin() const {
    PADDOCK_CHECK(pin_.has_value(), "a worker without a CPU needs one");
    return *pin_;
  }

 private:
  std::optional<CpuPin> pin_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_CPU_SEAT_H_

// SPDX-License-Identifier: Apache-2.0
//
// Threads on the CPUs 0 to n - 1 of a machine that take turns: one runs, the others stand between
// two operations, on their CPUs and outside of sections. What they do together can be repeated
// exactly.
//
//   Lockstep cpus(machine, 3);
//   cpus.On(2, [&](const CpuPin& pin) { machine.Poll(pin); });   // on that thread; returns when done
//   cpus.OnEach([&](const CpuPin& pin) { ... });
//
// A step must not wait for another CPU (Sync, Synchronize with flushes in flight).
//
// Thread safety: one thread gives the turns. Cost: two switches of threads for each turn.

#ifndef PADDOCK_TESTS_SCALING_LOCKSTEP_H_
#define PADDOCK_TESTS_SCALING_LOCKSTEP_H_

#include <cstdint>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/space/machine.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {

class Lockstep {
 public:
  using Step = absl::FunctionRef<void(const CpuPin& pin)>;

  Lockstep(Machine& machine, uint32_t cpus) {
    for (uint32_t cpu = 0; cpu < cpus; ++cpu) {
      seats_.push_back(std::make_unique<Seat>());
      Seat& seat = *seats_.back();
      seat.thread = std::thread([&machine, &seat, cpu] {
        const CpuPin pin = Must(machine.Pin(CpuId{cpu}));
        for (;;) {
          seat.turn.acquire();
          if (seat.step == nullptr) return;
          (*seat.step)(pin);
          seat.done.release();
        }
      });
    }
  }
  ~Lockstep() {
    for (const auto& seat : seats_) {
      seat->step = nullptr;
      seat->turn.release();
      seat->thread.join();
    }
  }
  Lockstep(const Lockstep&) = delete;
  Lockstep& operator=(const Lockstep&) = delete;

  uint32_t size() const { return static_cast<uint32_t>(seats_.size()); }

  void On(uint32_t cpu, Step step) {
    Seat& seat = *seats_[cpu];
    seat.step = &step;
    seat.turn.release();
    seat.done.acquire();
  }
  void OnEach(Step step) {
    for (uint32_t cpu = 0; cpu < size(); ++cpu) On(cpu, step);
  }

 private:
  struct Seat {
    std::binary_semaphore turn{0};
    std::binary_semaphore done{0};
    const Step* step = nullptr;  // null: the thread ends
    std::thread thread;
  };

  std::vector<std::unique_ptr<Seat>> seats_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SCALING_LOCKSTEP_H_

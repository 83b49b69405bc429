// SPDX-License-Identifier: Apache-2.0
//
// The workers of a run: an arena of oneTBB with one slot per simulated CPU. An observer ties a
// thread that enters slot i to a core of the host, as far as there are enough; in a round each
// stream is a task that works on the CPU of the slot it landed in.
//
//   Crew crew(threads);
//   crew.Round(machine, [&](uint32_t stream, CpuSeat& seat) { ... });  // waits for all
//
// Outside of its task a worker holds no CPU: it may sleep, or spin in the scheduler, and would
// answer nobody. Streams of one round may run one after the other; they must not wait for each
// other.
//
// Thread safety: Round from one thread at a time.

#ifndef PADDOCK_STRESS_CREW_H_
#define PADDOCK_STRESS_CREW_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "paddock/core/space/machine.h"
#include "paddock/stress/cpu_seat.h"

namespace paddock {

class Crew {
 public:
  explicit Crew(uint32_t threads);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void Round(Machine& machine, absl::FunctionRef<void(uint32_t, CpuSeat&)> work);

 private:
  struct Arena;

  const uint32_t threads_;
  std::vector<CpuSeat> seats_;
  std::unique_ptr<Arena> arena_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_CREW_H_

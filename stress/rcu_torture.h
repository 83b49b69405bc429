// SPDX-License-Identifier: Apache-2.0
//
// Cells that point to objects which are replaced and retired while others look at them.
//
//   RcuTorture torture(machine, ageing);
//   torture.Replace(pin, 3);      // publishes a fresh object in cell 3 and retires the one before
//   torture.Read(pin, 3, 100);    // looks twice within one section
//   torture.Empty(pin);           // retires all; after the domain has drained the torture may go
//
// Thread safety: any pinned thread. Cost: an exchange and a retirement; memory as long as the
// backlog.

#ifndef PADDOCK_STRESS_RCU_TORTURE_H_
#define PADDOCK_STRESS_RCU_TORTURE_H_

#include <cstdint>
#include <deque>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/space/machine.h"
#include "paddock/stress/oracle/ageing.h"
#include "paddock/stress/workload/generator.h"

namespace paddock {

class RcuTorture {
 public:
  RcuTorture(Machine& machine, AgeingOracle& oracle);
  RcuTorture(const RcuTorture&) = delete;
  RcuTorture& operator=(const RcuTorture&) = delete;

  // Outside of sections and cursors: may wait for the backlog to shrink.
  void Replace(const CpuPin& pin, uint32_t cell);
  void Read(const CpuPin& pin, uint32_t cell, uint32_t spins);
  void Empty(const CpuPin& pin);

 private:
  struct Object : RcuHead {
    Object(RcuTorture& torture, uint64_t name) : RcuHead{}, owner(torture), aged(name) {}

    RcuTorture& owner;
    AgedObject aged;
    Object* next_free = nullptr;
  };
  // invariant: touched by the thread on that CPU only.
  struct Pool {
    std::deque<Object> objects;
    Object* free = nullptr;
  };

  Object* Take(const CpuPin& pin);
  void Retire(const CpuPin& pin, Object* object);
  static void Reclaim(RcuHead* head, const CpuPin& pin);

  Machine& machine_;
  AgeingOracle& oracle_;
  CpuLocal<Pool> pools_;
  sync::Atomic<Object*> cells_[kRcuCells];
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_RCU_TORTURE_H_

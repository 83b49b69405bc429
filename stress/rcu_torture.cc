// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/rcu_torture.h"

namespace paddock {

RcuTorture::RcuTorture(Machine& machine, AgeingOracle& oracle)
    : machine_(machine), oracle_(oracle), pools_(machine.cpus()) {}

RcuTorture::Object* RcuTorture::Take(const CpuPin& pin) {
  Pool& pool = pools_.Get(pin);
  if (pool.free == nullptr) {
    return &pool.objects.emplace_back(*this, uint64_t{pin.cpu().value} << 32 | pool.objects.size());
  }
  Object* const object = pool.free;
  pool.free = object->next_free;
  return object;
}

void RcuTorture::Replace(const CpuPin& pin, uint32_t cell) {
  machine_.rcu().Throttle(pin, [&] { machine_.bus().Poll(pin); });
  Object* const fresh = Take(pin);
  oracle_.Publish(pin.cpu().value, fresh->aged);
  Object* const old = cells_[cell].exchange(fresh, sync::seq_cst);
  if (old != nullptr) Retire(pin, old);
}

void RcuTorture::Retire(const CpuPin& pin, Object* object) {
  oracle_.Retire(pin.cpu().value, object->aged, sync::NowNs());
  object->reclaim = &Reclaim;
  machine_.rcu().Retire(pin, object);
}

void RcuTorture::Reclaim(RcuHead* head, const CpuPin& pin) {
  auto* const object = static_cast<Object*>(head);
  RcuTorture& self = object->owner;
  self.oracle_.Die(pin.cpu().value, object->aged, sync::NowNs());
  Pool& pool = self.pools_.Get(pin);
  object->next_free = pool.free;
  pool.free = object;
}

void RcuTorture::Read(const CpuPin& pin, uint32_t cell, uint32_t spins) {
  const RcuReadGuard guard(machine_.rcu(), pin);
  // order: acquire pairs with the exchange in Replace: what the object holds is seen with it.
  const Object* const object = cells_[cell].load(sync::acquire);
  if (object == nullptr) return;
  const AgeingOracle::Sighting seen = oracle_.Reach(pin.cpu().value, object->aged);
  for (uint32_t i = 0; i < spins; ++i) sync::CpuRelax();
  oracle_.Leave(pin.cpu().value, seen);
}

void RcuTorture::Empty(const CpuPin& pin) {
  for (sync::Atomic<Object*>& cell : cells_) {
    Object* const old = cell.exchange(nullptr, sync::seq_cst);
    if (old != nullptr) Retire(pin, old);
  }
}

}  // namespace paddock

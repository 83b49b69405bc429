// SPDX-License-Identifier: Apache-2.0
//
// Delivers flush requests to mailboxes like the built-in transport, but late and in random order.
//
//   DelayingTransport transport(seed);
//   options.transport = &transport;
//   ... Machine::Create(options) ...
//   transport.Attach(machine->bus());      // before the first delivery
//
// Thread safety: Deliver from any CPU.

#ifndef PADDOCK_STRESS_INJECT_DELAYING_TRANSPORT_H_
#define PADDOCK_STRESS_INJECT_DELAYING_TRANSPORT_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "paddock/concurrency/cpu_set.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/tlb/shootdown_batch.h"
#include "paddock/core/tlb/transport.h"
#include "paddock/stress/rng.h"

namespace paddock {

class DelayingTransport final : public ShootdownTransport {
 public:
  explicit DelayingTransport(uint64_t seed) : seed_(seed) {}

  void Attach(IpiBus& bus) { bus_ = &bus; }

  void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) override {
    StreamRng rng(seed_ + deliveries_.fetch_add(1, sync::seq_cst));
    std::vector<CpuId> order;
    targets.ForEach([&](CpuId cpu) { order.push_back(cpu); });
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.Below(i)]);
    for (const CpuId cpu : order) {
      for (uint64_t i = rng.Chance(4) ? rng.Below(2000) : 0; i > 0; --i) sync::CpuRelax();
      if (bus_->Send(cpu, &batch) == Delivery::kIdle) batch.Acknowledge(from);
    }
  }

 private:
  const uint64_t seed_;
  IpiBus* bus_ = nullptr;
  sync::Atomic<uint64_t> deliveries_{0};
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_INJECT_DELAYING_TRANSPORT_H_

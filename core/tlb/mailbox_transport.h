// SPDX-License-Identifier: Apache-2.0
//
// The transport of the machine itself: the batch goes into the mailbox of each target, whose thread
// handles it at its next interrupt point. An idle CPU gets nothing and looks at generations when it
// wakes.
//
// Thread safety: Deliver from any CPU. Cost: per target one compare-exchange in its mailbox, or its
// lock if something is pending there, or the target sleeps or is idle.

#ifndef PADDOCK_CORE_TLB_MAILBOX_TRANSPORT_H_
#define PADDOCK_CORE_TLB_MAILBOX_TRANSPORT_H_

#include <cstdint>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/cpu_set.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/core/tlb/transport.h"

namespace paddock {

class MailboxTransport final : public ShootdownTransport {
 public:
  MailboxTransport(const CpuRegistry& cpus, IpiBus& bus)
      : bus_(bus), kicks_(cpus), coalesced_(cpus), idle_(cpus) {}

  void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) override;

  // Requests that kicked their CPU, that found one pending, that met an idle CPU.
  uint64_t kicks() const { return kicks_.Sum(); }
  uint64_t coalesced() const { return coalesced_.Sum(); }
  uint64_t idle() const { return idle_.Sum(); }

 private:
  IpiBus& bus_;
  CpuCounter kicks_;
  CpuCounter coalesced_;
  CpuCounter idle_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_MAILBOX_TRANSPORT_H_

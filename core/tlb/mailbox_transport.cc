// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/mailbox_transport.h"

#include "paddock/core/tlb/shootdown_batch.h"

namespace paddock {

void MailboxTransport::Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) {
  targets.ForEach([&](CpuId target) {
    switch (bus_.Send(target, &batch)) {
      case Delivery::kQueued:
        kicks_.Add(from, 1);
        break;
      case Delivery::kCoalesced:
        coalesced_.Add(from, 1);
        break;
      case Delivery::kIdle:
        // race: 2. Going idle against a request.
        //   target: drains its mailbox     | sender: counts the flush in the generation
        //   target: becomes idle           | sender: sees idle, does not send
        //   target: wakes, compares generations
        // Both change one word by an exchange: to idle only from "nothing pending", to a request
        // only from what is not idle. A request is therefore handled before the CPU is idle, or it
        // is refused; it is never left in a mailbox that nobody reads. Who is refused looks under
        // the mailbox's lock, which orders the look before the target's OnWake. Whatever was
        // not queued is made up for by the comparison: see race 3 in tlb_system.cc.
        idle_.Add(from, 1);
        batch.Acknowledge(from);
        break;
    }
  });
}

}  // namespace paddock

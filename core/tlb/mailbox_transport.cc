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
        // Both lock the mailbox: for the emptying together with the idle mark, and for the look at
        // the mark together with the queueing. A request is therefore handled before the CPU is
        // idle, or it is not queued; it is never left in a mailbox that nobody reads. Whatever was
        // not queued is made up for by the comparison: see race 3 in tlb_system.cc.
        idle_.Add(from, 1);
        batch.Acknowledge(from);
        break;
    }
  });
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/ipi_bus.h"

namespace paddock {

IpiBus::IpiBus(CpuRegistry& registry) : registry_(registry), mailboxes_(registry) {
  constexpr size_t kExpectedRequests = 32;
  for (uint32_t cpu = 0; cpu < mailboxes_.size(); ++cpu) {
    Mailbox& box = mailboxes_.At(CpuId{cpu});
    SpinLockGuard guard(box.lock);
    box.queue.reserve(kExpectedRequests);
    box.working.reserve(kExpectedRequests);
  }
  registry_.AddObserver(this);
}

IpiBus::~IpiBus() { registry_.RemoveObserver(this); }

Delivery IpiBus::Send(CpuId target, IpiRequest* request) {
  PADDOCK_CHECK(target.value < mailboxes_.size(), "a request is sent to a CPU that does not exist");
  Mailbox& box = mailboxes_.At(target);
  {
    SpinLockGuard guard(box.lock);
    ++box.stats.sent;
    if (box.idle) {
      ++box.stats.idle_skips;
      return Delivery::kIdle;
    }
    box.queue.push_back(request);
    if (box.queue.size() > 1) {
      ++box.stats.coalesced;
      return Delivery::kCoalesced;
    }
    ++box.stats.kicks;
    // order: relaxed: the queue is read under the lock, and the parker orders a CPU that sleeps.
    box.pending.store(1, sync::relaxed);
  }
  box.parker.Unpark();
  return Delivery::kQueued;
}

void IpiBus::PollSlow(const CpuPin& pin) {
  Mailbox& box = mailboxes_.Get(pin);
  if (box.handling) return;
  box.handling = true;
  do {
    {
      SpinLockGuard guard(box.lock);
      box.working.swap(box.queue);
      box.stats.handled += box.working.size();
      // order: relaxed: Send stores it under the same lock, and only this thread acts on a zero.
      box.pending.store(0, sync::relaxed);
    }
    for (IpiRequest* const request : box.working) request->Handle(pin);
    box.working.clear();
  } while (HasPending(pin.cpu()));
  box.handling = false;
}

void IpiBus::CheckMayWait(const Mailbox& box) {
  PADDOCK_CHECK(!box.handling, "a request's handler waits: it would block the CPU's mailbox");
}

void IpiBus::OnWake(const CpuPin& pin) {
  Mailbox& box = mailboxes_.Get(pin);
  SpinLockGuard guard(box.lock);
  box.idle = false;
}

void IpiBus::OnIdle(const CpuPin& pin) {
  Mailbox& box = mailboxes_.Get(pin);
  for (;;) {
    Poll(pin);
    // race: a request cannot get lost between the last look and the flag: a sender that comes
    //   after the flag is told kIdle, one that came before it left the queue non-empty.
    SpinLockGuard guard(box.lock);
    if (!box.queue.empty()) continue;
    box.idle = true;
    return;
  }
}

IpiStats IpiBus::stats() const {
  IpiStats sum;
  for (uint32_t cpu = 0; cpu < mailboxes_.size(); ++cpu) {
    const Mailbox& box = mailboxes_.At(CpuId{cpu});
    SpinLockGuard guard(box.lock);
    sum.sent += box.stats.sent;
    sum.kicks += box.stats.kicks;
    sum.coalesced += box.stats.coalesced;
    sum.idle_skips += box.stats.idle_skips;
    sum.handled += box.stats.handled;
  }
  return sum;
}

}  // namespace paddock

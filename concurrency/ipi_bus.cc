// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/ipi_bus.h"

namespace paddock {
namespace {

// Of a counter that one thread writes at a time.
void CountOne(sync::Atomic<uint64_t>& counter) {
  // order: relaxed: a statistic.
  counter.store(counter.load(sync::relaxed) + 1, sync::relaxed);
}

}  // namespace

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
  uint64_t expected = kNothing;
  // Without a look before: that would fetch the target's line twice.
  // order: release pairs with the acquire in PollSlow; a failure reads nothing.
  if (box.state.compare_exchange(expected, reinterpret_cast<uint64_t>(request), sync::release,
                                 sync::relaxed)) {
    return Delivery::kQueued;
  }
  return SendSlow(box, request);
}

Delivery IpiBus::SendSlow(Mailbox& box, IpiRequest* request) {
  {
    SpinLockGuard guard(box.lock);
    // order: relaxed: what is idle is so under the lock; else the exchanges below order.
    uint64_t seen = box.state.load(sync::relaxed);
    for (;;) {
      if (seen == kIdle) {
        ++box.idle_skips;
        return Delivery::kIdle;
      }
      if (HoldsRequest(seen)) {
        // race: the order of one sender's requests. The owner takes the queue, and stops saying
        //   kMore, in one section of the lock: else
        //   1. sender: A is in the state, B in the queue  2. owner: takes A, the state says nothing
        //   3. sender: C is in the state, D in the queue  4. owner: takes the queue, B and D
        // order: relaxed: the queue is read under the lock, and the request in the state was
        // released by whoever put it there.
        if (box.state.compare_exchange(seen, seen | kMore, sync::relaxed, sync::relaxed)) {
          box.queue.push_back(request);
          ++box.coalesced;
          return Delivery::kCoalesced;
        }
        // order: release: as in Send.
      } else if (box.state.compare_exchange(seen, reinterpret_cast<uint64_t>(request),
                                            sync::release, sync::relaxed)) {
        if (seen != kParked) return Delivery::kQueued;
        break;
      }
    }
  }
  box.parker.Unpark();
  return Delivery::kQueued;
}

void IpiBus::PollSlow(const CpuPin& pin) {
  Mailbox& box = mailboxes_.Get(pin);
  if (box.handling) return;
  box.handling = true;
  do {
    // order: acquire pairs with the release in Send.
    const uint64_t seen = box.state.load(sync::acquire) & ~kMore;
    CountOne(box.handled);
    reinterpret_cast<IpiRequest*>(seen)->Handle(pin);
    // Only now, so that the sender's answer does not wait for this line. What comes meanwhile, the
    // same request again included, goes to the queue.
    uint64_t expected = seen;
    // order: relaxed: publishes nothing; a failure means that there is a queue, to be locked.
    if (!box.state.compare_exchange(expected, kNothing, sync::relaxed, sync::relaxed)) {
      HandleQueue(pin, box);
    }
    CountOne(box.kicks);
  } while (HasPending(pin.cpu()));
  box.handling = false;
}

void IpiBus::HandleQueue(const CpuPin& pin, Mailbox& box) {
  {
    SpinLockGuard guard(box.lock);
    box.working.swap(box.queue);
    // order: relaxed: publishes nothing; senders who saw kMore look again under the lock.
    box.state.store(kNothing, sync::relaxed);
  }
  for (IpiRequest* const request : box.working) {
    CountOne(box.handled);
    request->Handle(pin);
  }
  box.working.clear();
}

bool IpiBus::Sleep(const CpuPin& pin, uint64_t deadline_ns) {
  Mailbox& box = mailboxes_.Get(pin);
  uint64_t expected = kNothing;
  // race: a request cannot get lost between the last look and the sleep: all others who change the
  //   state do so by exchanges. A sender that comes before the mark makes this one fail; one that
  //   comes after it sees it, and unparks.
  // order: relaxed, both: the requests are read by PollSlow, and the parker orders the wake-up.
  if (!box.state.compare_exchange(expected, kParked, sync::relaxed, sync::relaxed)) return true;
  const bool in_time = box.parker.ParkUntil(deadline_ns);
  expected = kParked;
  box.state.compare_exchange(expected, kNothing, sync::relaxed, sync::relaxed);
  return in_time;
}

void IpiBus::CheckMayWait(const Mailbox& box) {
  PADDOCK_CHECK(!box.handling, "a request's handler waits: it would block the CPU's mailbox");
}

void IpiBus::OnWake(const CpuPin& pin) {
  Mailbox& box = mailboxes_.Get(pin);
  SpinLockGuard guard(box.lock);
  // order: relaxed: the lock orders it with the senders that saw kIdle, and no other may change it.
  box.state.store(kNothing, sync::relaxed);
}

void IpiBus::OnIdle(const CpuPin& pin) {
  Mailbox& box = mailboxes_.Get(pin);
  for (;;) {
    Poll(pin);
    // race: a request cannot get lost between the last look and the mark: a sender that comes
    //   after the mark is told kIdle, one that came before it left the state with a request.
    SpinLockGuard guard(box.lock);
    uint64_t expected = kNothing;
    // order: relaxed: senders act on the mark under the lock.
    if (box.state.compare_exchange(expected, kIdle, sync::relaxed, sync::relaxed)) return;
  }
}

IpiStats IpiBus::stats() const {
  IpiStats sum;
  for (uint32_t cpu = 0; cpu < mailboxes_.size(); ++cpu) {
    const Mailbox& box = mailboxes_.At(CpuId{cpu});
    SpinLockGuard guard(box.lock);
    // A kick is counted by who is kicked, so the one that is pending is not yet.
    // order: relaxed: statistics.
    sum.kicks += box.kicks.load(sync::relaxed) + (HasPending(CpuId{cpu}) ? 1 : 0);
    sum.coalesced += box.coalesced;
    sum.idle_skips += box.idle_skips;
    sum.handled += box.handled.load(sync::relaxed);
  }
  sum.sent = sum.kicks + sum.coalesced + sum.idle_skips;
  return sum;
}

}  // namespace paddock

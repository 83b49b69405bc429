// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_IPI_BUS_H_
#define PADDOCK_CONCURRENCY_IPI_BUS_H_

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"

namespace paddock {

// Work that one CPU asks others to do at their next interrupt point. One request may be pending on
// many CPUs at once; it stays valid until each of them has returned from Handle.
class IpiRequest {
 public:
  // Runs on the target's thread, inside IpiBus::Poll. May Send, Wake and retire; must not wait.
  virtual void Handle(const CpuPin& pin) = 0;

 protected:
  ~IpiRequest() = default;
};

enum class Delivery {
  kQueued,     // the first pending request of the target, which was kicked
  kCoalesced,  // the target was not done with others: queued behind them, without a kick
  kIdle,       // the target is idle: not queued, Handle will not run; it catches up on waking
};

struct IpiStats {
  uint64_t sent = 0;        // all of the below
  uint64_t kicks = 0;       // kQueued
  uint64_t coalesced = 0;   // kCoalesced
  uint64_t idle_skips = 0;  // kIdle
  uint64_t handled = 0;     // calls of Handle
};

// Inter-processor requests through one mailbox for each CPU. A CPU looks into its own at interrupt
// points (Poll), while it waits (WaitUntil), and before it goes idle.
//
//   switch (bus.Send(target, &request)) { ... }    // any thread
//   bus.Poll(pin);                                 // the target's thread, now and then
//   bus.WaitUntil(pin, [&] { return request.done(); }, sync::kNoDeadline);
//
// Idle CPUs are lazy: a CPU is idle while no thread is pinned to it, and nothing is queued for it
// then. The idle mark changes under the mailbox lock, so a sender that gets kIdle is ordered before
// the target's next OnWake: whatever it wrote before Send is visible to observers that were added
// to the registry after the bus. Nothing is lost on going idle: what was queued is handled first.
//
// Thread-safe. Create the bus after the RcuDomain that its requests retire into, and before any
// CPU is pinned. Cost: Poll with nothing pending reads one word of the CPU's own line. A request to
// a CPU that has none pending is one compare-exchange of that word, and no other line passes
// between the two; each further one takes the mailbox's lock, and allocates only while the mailbox
// grows beyond its longest queue.
class IpiBus final : public CpuObserver {
 public:
  explicit IpiBus(CpuRegistry& registry);
  // No CPU may be pinned (checked).
  ~IpiBus();
  IpiBus(const IpiBus&) = delete;
  IpiBus& operator=(const IpiBus&) = delete;

  // Requests of one sender to one target are handled in the order of sending. Sending to the
  // caller's own CPU is allowed: handled at its next Poll.
  Delivery Send(CpuId target, IpiRequest* request);

  // Whether `cpu` has requests that no Poll is done with. A hint.
  bool HasPending(CpuId cpu) const {
    // order: relaxed: PollSlow reads the word again.
    return HoldsRequest(mailboxes_.At(cpu).state.load(sync::relaxed));
  }

  // An interrupt point: handles everything that is pending on this CPU. Inside a Handle it does
  // nothing, so requests never nest on the stack.
  void Poll(const CpuPin& pin) {
    PADDOCK_DCHECK(registry_.Owns(pin), "a mailbox is polled with the pin of another registry");
    if (HasPending(pin.cpu())) [[unlikely]]
      PollSlow(pin);
  }

  // Unparks the thread that waits in WaitUntil on `cpu`, now or next. Whoever makes the awaited
  // predicate true calls this afterwards, unless it does so in a request to that CPU.
  void Wake(CpuId cpu) { mailboxes_.At(cpu).parker.Unpark(); }

  // Waits until `done()`, handling this CPU's requests all along: spins for about 2 us, yields a
  // few times, then sleeps until a Send to this CPU, a Wake of it, or the deadline (nanoseconds of
  // sync::NowNs()). False: the deadline passed and `done()` did not hold. `done` runs on this
  // thread, often; it must not wait. Not from a Handle (checked), and not inside a read-side
  // section for long.
  template <class Pred>
  bool WaitUntil(const CpuPin& pin, Pred done, uint64_t deadline_ns) {
    if (SpinUntil(pin, done)) return true;
    for (;;) {
      // race: a waker cannot slip in between the look and the sleep:
      //   1. this CPU: done() is false        2. another: makes it true, Wake leaves the token
      //   3. this CPU: Sleep finds the token, returns, and looks again.
      const bool in_time = Sleep(pin, deadline_ns) &&
                           (deadline_ns == sync::kNoDeadline || sync::NowNs() < deadline_ns);
      Poll(pin);
      if (done()) return true;
      if (!in_time) return false;
    }
  }

  // The part of WaitUntil before it sleeps, for which nobody has to Wake this CPU: looks once, at
  // least. False: `done()` did not hold all that time.
  template <class Pred>
  bool SpinUntil(const CpuPin& pin, Pred done) {
    CheckMayWait(mailboxes_.Get(pin));
    for (int attempt = 0;; ++attempt) {
      Poll(pin);
      if (done()) return true;
      if (attempt >= sync::SpinRounds(kLooks + kSpins + kYields)) return false;
      // A pause may be as long as what a CPU that polls takes to answer.
      if (attempt < kLooks) continue;
      if (attempt < kLooks + kSpins) {
        sync::CpuRelax();
      } else {
        sync::YieldThread();
      }
    }
  }

  // Exact while no CPU sends or polls.
  IpiStats stats() const;

  void OnWake(const CpuPin& pin) override;
  void OnIdle(const CpuPin& pin) override;

 private:
  static constexpr int kLooks = 64;
  static constexpr int kSpins = 50;
  static constexpr int kYields = 4;

  // What the state of a mailbox says. Above kParked: the address of the request that came first
  // since the last one was handled, with kMore if `queue` holds those that came after it.
  static constexpr uint64_t kNothing = 0;
  static constexpr uint64_t kIdle = 1;
  static constexpr uint64_t kParked = 2;  // nothing is pending, and the owner may sleep
  static constexpr uint64_t kMore = 1;
  static_assert(alignof(IpiRequest) > kParked);

  static bool HoldsRequest(uint64_t state) { return state > kParked; }

  // The first line is what the owner polls and senders write; the others move only if requests
  // pile up.
  struct Mailbox {
    // Changed from kNothing by whoever sends and by the owner, to kIdle and back only under `lock`,
    // and while it has kMore only under `lock`; to kParked and back by the owner, from kParked to a
    // request under `lock`.
    sync::Atomic<uint64_t> state{kIdle};
    sync::Parker parker;
    mutable SpinLock lock;

    // invariant: empty unless `state` has kMore, or `lock` is held.
    alignas(64) std::vector<IpiRequest*> queue ABSL_GUARDED_BY(lock);
    uint64_t coalesced ABSL_GUARDED_BY(lock) = 0;
    uint64_t idle_skips ABSL_GUARDED_BY(lock) = 0;

    // The owner's. `working` swaps with `queue`, so both keep their capacity.
    alignas(64) std::vector<IpiRequest*> working;
    bool handling = false;
    // Written by the owner only, read by stats().
    sync::Atomic<uint64_t> kicks;
    sync::Atomic<uint64_t> handled;
  };

  Delivery SendSlow(Mailbox& box, IpiRequest* request);
  void PollSlow(const CpuPin& pin);
  // PollSlow, after the first of several: takes them all.
  static void HandleQueue(const CpuPin& pin, Mailbox& box);
  // Until a request comes or the parker has a token. False: the deadline passed.
  bool Sleep(const CpuPin& pin, uint64_t deadline_ns);
  static void CheckMayWait(const Mailbox& box);

  CpuRegistry& registry_;
  CpuLocal<Mailbox> mailboxes_;
};

}  // namespace paddock

#endif  // PADDOCK_CONCURRENCY_IPI_BUS_H_

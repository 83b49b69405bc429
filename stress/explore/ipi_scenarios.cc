// SPDX-License-Identifier: Apache-2.0
//
// Requests between CPUs: each is handled once, in the order of its sender, and nobody sleeps over
// one.

#include <array>

#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/sync.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

struct Request final : IpiRequest {
  IpiBus* bus = nullptr;
  CpuId from;
  sync::Atomic<uint32_t> handled{0};

  void Handle(const CpuPin&) override {
    handled.store(1, sync::release);
    bus->Wake(from);
  }
};

void RequestsToEachOther() {
  CpuRegistry cpus(2);
  IpiBus bus(cpus);
  std::array<Request, 2> requests;
  const auto ask_the_other = [&](uint32_t me) {
    return [&, me] {
      model::NameThread("CPU " + std::to_string(me));
      const CpuPin pin = Must(cpus.Pin(CpuId{me}));
      Request& request = requests[me];
      request.bus = &bus;
      request.from = CpuId{me};
      if (bus.Send(CpuId{1 - me}, &request) == Delivery::kIdle) return model::Reach("idle");
      model::Reach("sent");
      const auto done = [&] { return request.handled.load(sync::acquire) == 1; };
      bus.WaitUntil(pin, done, sync::kNoDeadline);
    };
  };
  const sync::Thread one(ask_the_other(0));
  const sync::Thread two(ask_the_other(1));
}

// Two CPUs send a third one a request each: it handles both, also one that comes while it handles
// the other.
void RequestsOfTwo() {
  SmallWorld world;
  std::array<Request, 2> requests;
  sync::Atomic<uint32_t> awake(0);
  const auto ask = [&](uint32_t me) {
    return [&, me](const CpuPin&) {
      Request& request = requests[me];
      request.bus = &world.bus();
      request.from = CpuId{me};
      sync::Spin([&] { return awake.load(sync::acquire) == 1; });
      if (world.bus().Send(CpuId{2}, &request) == Delivery::kCoalesced) model::Reach("coalesced");
    };
  };
  world.Run({ask(0), ask(1), [&](const CpuPin& pin) {
               awake.store(1, sync::release);
               const auto done = [&] {
                 return requests[0].handled.load(sync::acquire) == 1 &&
                        requests[1].handled.load(sync::acquire) == 1;
               };
               world.bus().WaitUntil(pin, done, sync::kNoDeadline);
             }});
}

struct Numbered final : IpiRequest {
  sync::Plain<uint32_t> number;
  uint32_t* handled = nullptr;  // the target's

  void Handle(const CpuPin&) override {
    model::Expect(number.Read() == *handled + 1, "requests are handled in the order of sending");
    ++*handled;
  }
};

// One CPU sends another one requests, in order, while that one polls, waits, and goes idle.
void RequestsInOrder() {
  CpuRegistry cpus(2);
  IpiBus bus(cpus);
  std::array<Numbered, 4> requests;
  uint32_t handled = 0;
  uint32_t sent = 0;
  sync::Atomic<uint32_t> over(0);
  {
    const sync::Thread target([&] {
      model::NameThread("target");
      const CpuPin pin = Must(cpus.Pin(CpuId{1}));
      bus.Poll(pin);
      if (handled != 0) model::Reach("polled");
      bus.WaitUntil(pin, [&] { return over.load(sync::relaxed) == 1; }, sync::kNoDeadline);
    });
    const sync::Thread sender([&] {
      model::NameThread("sender");
      const CpuPin pin = Must(cpus.Pin(CpuId{0}));
      for (Numbered& request : requests) {
        request.handled = &handled;
        request.number.Write(sent + 1);
        const Delivery delivery = bus.Send(CpuId{1}, &request);
        if (delivery == Delivery::kIdle) continue;
        ++sent;
        model::Reach(delivery == Delivery::kQueued ? "kicked" : "coalesced");
      }
      over.store(1, sync::relaxed);
      bus.Wake(CpuId{1});
    });
  }
  model::Expect(handled == sent, "what was queued is handled");
}

}  // namespace

std::vector<model::Scenario> IpiScenarios() {
  return {
      {.name = "ipi_mutual",
       .what = "two CPUs send each other requests and wait for them",
       .body = &RequestsToEachOther,
       .must_reach = {"idle", "sent"},
       .bound = 3},
      {.name = "ipi_two_senders",
       .what = "two CPUs send a third one requests, and it waits for both",
       .body = &RequestsOfTwo,
       .must_reach = {"coalesced"}},
      {.name = "ipi_order",
       .what = "a CPU sends another one several requests, which handles them in their order",
       .body = &RequestsInOrder,
       .must_reach = {"kicked", "coalesced", "polled"},
       .bound = 3},
  };
}

}  // namespace paddock::explore

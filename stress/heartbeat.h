// SPDX-License-Identifier: Apache-2.0
//
// What a stream is doing, for whoever watches that it does something.
//
//   heartbeat.Begin(op_kind, space, range, cpu);   // the stream
//   heartbeat.Read()                               // the watchdog, at any moment
//
// Thread safety: one writer, any reader; fields may belong to neighbouring operations. Cost: six
// stores.

#ifndef PADDOCK_STRESS_HEARTBEAT_H_
#define PADDOCK_STRESS_HEARTBEAT_H_

#include <cstdint>

#include "paddock/arch/address.h"
#include "paddock/concurrency/sync.h"

namespace paddock {

class alignas(128) Heartbeat {
 public:
  struct Beat {
    uint64_t count = 0;            // operations begun
    uint64_t waits = 0;            // looks for work that found none
    uint64_t kind = ~uint64_t{0};  // index in Op; ~0: none
    uint64_t space = 0;
    VirtRange range;
    uint64_t cpu = 0;
    bool working = false;
  };

  void Begin(uint64_t kind, uint64_t space, VirtRange range, uint64_t cpu) {
    // order: relaxed, all; a report of what was going on, not a part of it.
    kind_.store(kind, sync::relaxed);
    space_.store(space, sync::relaxed);
    start_.store(range.start.value(), sync::relaxed);
    end_.store(range.end.value(), sync::relaxed);
    cpu_.store(cpu, sync::relaxed);
    count_.store(count_.load(sync::relaxed) + 1, sync::relaxed);
  }
  // There is nothing to do: others have all the work.
  // order: relaxed, as in Begin.
  void Wait() { waits_.store(waits_.load(sync::relaxed) + 1, sync::relaxed); }
  // order: relaxed, as in Begin.
  void SetWorking(bool working) { working_.store(working ? 1 : 0, sync::relaxed); }

  Beat Read() const {
    // order: relaxed, as in Begin.
    return {count_.load(sync::relaxed),
            waits_.load(sync::relaxed),
            kind_.load(sync::relaxed),
            space_.load(sync::relaxed),
            {VirtAddr(start_.load(sync::relaxed)), VirtAddr(end_.load(sync::relaxed))},
            cpu_.load(sync::relaxed),
            working_.load(sync::relaxed) != 0};
  }

 private:
  sync::Atomic<uint64_t> count_{0};
  sync::Atomic<uint64_t> waits_{0};
  sync::Atomic<uint64_t> kind_{~uint64_t{0}};
  sync::Atomic<uint64_t> space_{0};
  sync::Atomic<uint64_t> start_{0};
  sync::Atomic<uint64_t> end_{0};
  sync::Atomic<uint64_t> cpu_{0};
  sync::Atomic<uint32_t> working_{0};
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_HEARTBEAT_H_

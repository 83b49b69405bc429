// SPDX-License-Identifier: Apache-2.0
//
// The oracles of one run, shared by all its workloads.
//
// Thread safety: as each oracle says; a worker's index is the number of the CPU it is on.

#ifndef PADDOCK_STRESS_ORACLES_H_
#define PADDOCK_STRESS_ORACLES_H_

#include <cstdint>
#include <string>
#include <utility>

#include "paddock/concurrency/sync.h"
#include "paddock/stress/oracle/ageing.h"
#include "paddock/stress/oracle/frame_history.h"
#include "paddock/stress/oracle/memory_oracle.h"
#include "paddock/stress/oracle/serializability.h"
#include "paddock/stress/oracle/tlb_oracle.h"
#include "paddock/stress/oracle/violation.h"
#include "paddock/stress/oracle/walker.h"

namespace paddock {

// How long a grace period may last. A reader is delayed by the system's scheduler at most.
inline constexpr uint64_t kGraceDeadlineNs = 20'000'000'000;

struct Oracles {
  Oracles(uint32_t cpus, std::string reproduce)
      : sink(std::move(reproduce)),
        history(cpus, /*mappings_per_worker=*/uint64_t{1} << 14),
        serializability(sink),
        walker(cpus, sink),
        tlb(cpus, sink, history),
        memory(cpus, sink),
        ageing(cpus, sink, kGraceDeadlineNs) {}

  // A number for a space that no other space of the run has.
  uint32_t NextSpaceId() { return next_space.fetch_add(1, sync::seq_cst); }

  ViolationSink sink;
  FrameHistory history;
  SerializabilityChecker serializability;
  WalkerOracle walker;
  TlbOracle tlb;
  MemoryOracle memory;
  AgeingOracle ageing;
  uint64_t books_checks = 0;
  sync::Atomic<uint32_t> next_space{1};
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLES_H_

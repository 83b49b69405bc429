// SPDX-License-Identifier: Apache-2.0
//
// The oracle of grace periods. Objects pass through a pipeline: live, retired (unlinked, waiting),
// dead (their grace period has ended), live again. A reader that meets a dead object, or whose
// object dies while its read-side section is open, is a violation; so is a grace period that never
// ends.
//
//   AgeingOracle oracle(workers, sink, /*deadline_ns=*/2'000'000'000);
//   oracle.Publish(worker, object);           // then make it reachable
//   oracle.Retire(worker, object, NowNs());   // after unlinking, before handing it to the domain
//   oracle.Die(worker, object, NowNs());      // in the domain's callback
//   { guard; Sighting seen = oracle.Reach(worker, *object); ...; oracle.Leave(worker, seen); }
//   oracle.CheckDeadlines(NowNs(), awake_since_ns, [&] { return "cpu 3, in a section for 2 s"; });
//
// The oracle knows nothing of the domain under test and adds no ordering that could hide a bug of
// it. Objects outlive the oracle: a dead one is recycled or left, not freed, so that meeting it is
// safe.
//
// Thread safety: any thread with its own worker index; one object is published, retired and buried
// by one thread at a time. Cost: one load per reader's check; retiring takes a lock of the worker's
// own.

#ifndef PADDOCK_STRESS_ORACLE_AGEING_H_
#define PADDOCK_STRESS_ORACLE_AGEING_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "absl/functional/function_ref.h"
#include "paddock/stress/oracle/check_counter.h"
#include "paddock/stress/oracle/violation.h"

namespace paddock {

// To be embedded in the workload's object.
class AgedObject {
 public:
  explicit AgedObject(uint64_t name = 0) : name_(name) {}

 private:
  friend class AgeingOracle;

  enum State : uint64_t { kNew = 0, kLive = 1, kRetired = 2, kDead = 3 };

  // Two bits of state below the number of times that it was published.
  std::atomic<uint64_t> word_{kNew};
  std::atomic<uint64_t> retired_ns_{0};
  std::atomic<uint64_t> died_ns_{0};
  const uint64_t name_;  // for messages
};

class AgeingOracle {
 public:
  // What a reader met, to be checked again before its section closes.
  struct Sighting {
    const AgedObject* object = nullptr;
    uint64_t word = 0;
  };
  struct Stats {
    uint64_t published = 0;
    uint64_t retired = 0;
    uint64_t died = 0;
    // Readers that met an object in its grace period: the interesting ones.
    uint64_t met_retired = 0;
    uint64_t longest_grace_ns = 0;
  };

  AgeingOracle(uint32_t workers, ViolationSink& sink, uint64_t deadline_ns);

  void Publish(uint32_t worker, AgedObject& object);
  void Retire(uint32_t worker, AgedObject& object, uint64_t now_ns);
  void Die(uint32_t worker, AgedObject& object, uint64_t now_ns);

  Sighting Reach(uint32_t worker, const AgedObject& object);
  void Leave(uint32_t worker, const Sighting& sighting);

  // Reports each object once whose grace period has lasted longer than the deadline, not counting
  // the time before `awake_since_ns`; `culprit` says which CPU holds it up. Any thread, now and
  // then.
  void CheckDeadlines(uint64_t now_ns, uint64_t awake_since_ns,
                      absl::FunctionRef<std::string()> culprit);
  // After the domain has drained: everything retired must be dead.
  void CheckDrained();

  // Exact when the workers are quiescent.
  Stats stats() const;
  uint64_t checks() const { return checks_.Sum(); }
  OracleResult result() const;

 private:
  struct Pending {
    const AgedObject* object;
    uint64_t word;  // while the object still has it, it is waiting
    uint64_t retired_ns;
    bool reported = false;
  };
  struct alignas(64) Shard {
    std::mutex mutex;
    std::deque<Pending> pending;  // by time
  };

  static bool IsWaiting(const Pending& pending);
  void Report(const AgedObject& object, const std::string& what);

  ViolationSink& sink_;
  const uint64_t deadline_ns_;
  const uint32_t workers_;
  const std::unique_ptr<Shard[]> shards_;
  CheckCounter checks_;
  CheckCounter published_;
  CheckCounter retired_;
  CheckCounter died_;
  CheckCounter met_retired_;
  std::atomic<uint64_t> longest_ns_{0};
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_AGEING_H_

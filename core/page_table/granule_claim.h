// SPDX-License-Identifier: Apache-2.0
//
// Claiming granules of one node, and waiting for them.
//
// `GranuleClaimer` is the agent of one cursor that is being opened: it knows how long it may wait
// and keeps its place in the queues. Releasing needs no agent (ReleaseGranules).
//
// Thread safety: any number of claimers on one node; one claimer belongs to one thread. Cost: that
// of granule_lock.h; a claimer that waits spins for some microseconds, then sleeps.

#ifndef PADDOCK_CORE_PAGE_TABLE_GRANULE_CLAIM_H_
#define PADDOCK_CORE_PAGE_TABLE_GRANULE_CLAIM_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/page_table/cursor_options.h"
#include "paddock/core/page_table/granule_lock.h"
#include "paddock/core/page_table/page_table_env.h"

namespace paddock {

class GranuleClaimer {
 public:
  enum class Outcome : uint8_t {
    kTaken,   // the granule is held
    kMissed,  // the claimer slept, and was woken without the granule
    kGaveUp,  // the options do not allow to wait (any longer)
  };

  // Keeps `env` and `pin`, not `options`.
  GranuleClaimer(PageTableEnv& env, const CpuPin& pin, const CursorOptions& options)
      : env_(env), pin_(pin), wait_(options.wait), latest_ns_(options.LatestNs()) {}

  // Claims all of `mask`, waiting as the options allow. `held` is the part of it that the caller
  // holds already. False: gave up, nothing of `mask` is held any more. The node must be kept alive
  // by a claim of the caller's: there is no section around the wait.
  bool ClaimAll(const GranuleLock& lock, uint64_t mask, uint64_t held = 0);

  // Waits for the granule `bit` of a node that nothing but a read-side section keeps alive.
  // `leave_section` is called before the claimer sleeps, if it has to. After kMissed the node may
  // be gone: start again from the root. After kTaken the node is there, held by the granule.
  Outcome AwaitFirst(const GranuleLock& lock, uint64_t bit,
                     absl::FunctionRef<void()> leave_section);

 private:
  enum class IfWoken : uint8_t { kTryAgain, kReturn };
  Outcome Await(const GranuleLock& lock, uint64_t bit, IfWoken if_woken,
                absl::FunctionRef<void()> before_sleep);
  bool SpinFor(const GranuleLock& lock, uint64_t bit);

  PageTableEnv& env_;
  const CpuPin& pin_;
  const Wait wait_;
  const uint64_t latest_ns_;
  uint64_t waiting_since_ns_ = 0;  // 0: has not waited yet
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_GRANULE_CLAIM_H_

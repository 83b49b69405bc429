// SPDX-License-Identifier: Apache-2.0
//
// What the TLB machinery knows about one address space: its tag, the CPUs it runs on, the CPUs that
// may hold translations of it, and how often it was changed since a CPU could have missed it.
//
//   TlbContext context(machine_tlb);
//   machine_tlb.Activate(pin, context);   // this CPU runs the space now
//   TlbFlusher flusher(machine_tlb, context, pin);
//
// Thread safety: everything here may be read from any thread; only TlbSystem writes. Failure:
// destroying a context that is active somewhere is a broken invariant. CPUs that still hold entries
// of a context that is gone are no danger: tags are never used again. Cost: 512 bytes.

#ifndef PADDOCK_CORE_TLB_TLB_CONTEXT_H_
#define PADDOCK_CORE_TLB_TLB_CONTEXT_H_

#include <cstdint>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/cpu_set.h"
#include "paddock/concurrency/sync.h"

namespace paddock {

class TlbSystem;

enum class TlbScope : uint8_t {
  // One address space: its translations are used where it is active.
  kSpace,
  // Addresses that every space sees (a kernel's half): every CPU may hold translations of them,
  // under any tag. At most one such context per TlbSystem at a time; it is destroyed when all CPUs
  // are idle.
  kMachine,
};

class TlbContext {
 public:
  // `system` must outlive the context.
  explicit TlbContext(TlbSystem& system, TlbScope scope = TlbScope::kSpace);
  // Not active on any CPU (a context of the whole machine: every CPU idle).
  ~TlbContext();
  TlbContext(const TlbContext&) = delete;
  TlbContext& operator=(const TlbContext&) = delete;

  // Above 0; no other context of this machine ever has or had it.
  uint64_t tag() const { return tag_; }
  TlbScope scope() const { return scope_; }

  // The CPUs on which the space is active.
  const AtomicCpuSet& active() const { return active_; }
  // The CPUs that may hold entries of it: a superset of `active`, since with tags the entries stay
  // when another space becomes active.
  const AtomicCpuSet& holders() const { return holders_; }
  // Above 0. Grows with every flush that other CPUs have to know of.
  uint64_t generation() const { return generation_.load(sync::seq_cst); }

 private:
  friend class TlbSystem;

  TlbSystem& system_;
  const uint64_t tag_;
  const TlbScope scope_;
  AtomicCpuSet holders_;
  // Written by CPUs that switch spaces and by flushes that others must know of: apart from what
  // every dispatch and, in front of the context, every walk reads.
  alignas(kCpuStride) AtomicCpuSet active_;
  sync::Atomic<uint64_t> generation_{1};
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_TLB_CONTEXT_H_

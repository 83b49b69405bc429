// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_SYNC_H_
#define PADDOCK_CONCURRENCY_SYNC_H_

// The only door to atomics, waiting, threads and time: everything that several threads share goes
// through paddock::sync, so that one build flag (--//concurrency:sync_backend) replaces the
// machine by a scheduler that owns every interleaving.
//
//   sync::Atomic<uint32_t> ready(0);
//   sync::Thread worker([&] { ready.store(1, sync::seq_cst); });
//   sync::Spin([&] { return ready.load(sync::seq_cst) == 1; });
//
// What a backend provides, in an inline namespace of paddock::sync that is named after it:
//
//   Order and its constants relaxed, acquire, release, acq_rel, seq_cst
//   Atomic<T>      an atomic object. No operators, no default order, neither copied nor moved
//   AtomicRef<T>   the same operations on an object in plain memory (page-table entries)
//   Plain<T>       data protected by something else (a lock, an owner); a model checks for races
//   CpuRelax(), YieldThread(), Backoff, Spin(predicate)   short waits
//   SpinRounds(n)  how many of n attempts to make before sleeping
//   WaitOnWord(word, expected, deadline_ns), WakeOne(word), WakeAll(word)   parking on a word
//   Parker         parks one thread; a sticky token makes it immune to lost wake-ups
//   Thread         joins in its destructor
//   ThreadSlots    a few pointers for the calling thread, keyed by object
//   NowNs()        monotonic nanoseconds; kNoDeadline is later than any of them
//   BackendAnchor  see below
//
// Each operation spells out its memory order; an order weaker than seq_cst carries an `// order:`
// comment that says what it pairs with. Standalone fences do not exist here: ThreadSanitizer does
// not model them.
//
// Failure: none of these can fail, except that starting a Thread aborts if the system has no more.

#ifndef PADDOCK_SYNC_BACKEND_HEADER
#define PADDOCK_SYNC_BACKEND_HEADER "paddock/concurrency/sync_std.h"
#endif

#include PADDOCK_SYNC_BACKEND_HEADER

namespace paddock::sync {

// Classes outside of this namespace (SpinLock, RcuDomain, MetaSlot, ...) hold sync types, but their
// names do not tell. So every object file refers to the anchor of the backend it was compiled
// with, and the object that defines an anchor also defines one symbol that all backends share:
// a binary with two backends does not link.
namespace {
[[gnu::used]] const BackendAnchor* const kBackendOfThisFile = &kBackendAnchor;
}  // namespace

}  // namespace paddock::sync

#endif  // PADDOCK_CONCURRENCY_SYNC_H_

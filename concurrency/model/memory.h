// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_MEMORY_H_
#define PADDOCK_CONCURRENCY_MODEL_MEMORY_H_

#include <source_location>

#include <array>
#include <cstddef>
#include <cstdint>

#include "paddock/concurrency/model/arena.h"
#include "paddock/concurrency/model/order.h"
#include "paddock/concurrency/model/vector_clock.h"

// What threads may read: the C++20 memory model, as far as it can be executed one step at a time.
//
//   Location& x = memory.At(address, value_in_memory, me);
//   const uint32_t choices = memory.Visible(x, me, Order::kAcquire);   // 1: only the newest store
//   const uint64_t value = memory.Load(x, me, Order::kAcquire, /*age=*/choices - 1);
//
// The memory itself always holds the newest store of each location, in modification order, which
// is the order in which stores are executed. A load may return an older one, unless something
// forbids it:
//   - a store that happens before the load hides the older ones (coherence),
//   - so does what this thread, or a load that happens before, has read already (CoRR),
//   - a seq_cst load reads nothing older than what a seq_cst operation executed before it has
//     written or read there: the total order S is the order of execution,
//   - at most kHistory stores are remembered.
// Read-modify-writes, also failing ones, read the newest. A release store carries the clock of its
// thread; read-modify-writes continue its release sequence.
//
// Exact: every execution that this produces is one that C++20 allows. Left out, and so never
// explored: loads that read from stores executed later (load buffering), modification orders
// against the order of execution (2+2W), executions whose S contradicts happens-before between
// weaker operations, compare-exchanges that fail without a reason or by reading an old value, and
// stores older than kHistory. Docs: docs/exploration.md. After B. Norris and B. Demsky,
// "CDSChecker", OOPSLA 2013, and D. Vyukov's Relacy.
//
// Races: each location knows the last read and the last write of every thread. Accesses that are
// not atomic (Plain, construction, destruction, handing memory back and taking it anew) must be
// ordered by happens-before against the accesses that conflict with them.
//
// Thread safety: none, as everything here. Cost: a few dozen nanoseconds per access.
namespace paddock::model {

// The event of a thread that accesses memory.
struct Actor {
  ThreadId thread;
  VectorClock& clock;
  std::source_location where;

  uint32_t time() const { return clock[thread]; }
};

struct Store {
  uint64_t value = 0;
  uint32_t time = 0;  // of `thread`; 0: before the threads
  ThreadId thread = 0;
  bool has_message = false;
  VectorClock message{};  // what an acquire load of it learns
};

struct Location {
  // That `thread` has read `store` at `time`.
  struct Mark {
    ThreadId thread;
    uint32_t time;
    uint32_t store;
  };
  struct Access {
    uint32_t time = 0;
    std::source_location where;
  };

  uintptr_t address = 0;
  HostVector<Store> stores;  // in modification order
  HostVector<Mark> marks;
  std::array<Access, kMaxThreads> reads;
  std::array<Access, kMaxThreads> writes;
  uint32_t seq_cst_floor = 0;  // the newest store that a seq_cst operation has touched
  Access owned;                // the last access by `owner` that was not atomic
  ThreadId owner = 0;
  uint8_t readers = 0;
  uint8_t writers = 0;
  bool gone = false;    // destroyed
  bool shared = false;  // several threads have met here, one of them writing

  const Store& newest() const { return stores.back(); }
};

// Two accesses that are not ordered, or one of memory that is not there.
struct MemoryError {
  const char* kind = nullptr;  // null: none
  const char* what = "";
  ThreadId other = 0;
  std::source_location where;  // of the other access

  explicit operator bool() const { return kind != nullptr; }
};

class Memory {
 public:
  static constexpr uint32_t kHistory = 6;

  // Forgets every location, but not which addresses were found to be shared.
  void Reset();
  // Forgets that too.
  void ForgetShared();
  // Lets MayBeShared know what was found. False: nothing new.
  bool LearnShared();

  // The location at `address`, where `value` stands now. A value that nobody stored through the
  // model was written by whoever owns the memory around it.
  Location& At(uintptr_t address, uint64_t value, const Actor& actor);
  // Whether threads have conflicted at `address` before the last LearnShared.
  bool MayBeShared(uintptr_t address) const;

  // Whether the access is allowed at all. Notes it for later checks.
  MemoryError NoteAtomic(Location& location, const Actor& actor, bool writes);
  MemoryError NotePlain(Location& location, const Actor& actor, bool writes);

  // How many stores a load may choose from, the newest first.
  uint32_t Visible(const Location& location, const Actor& actor, Order order) const;
  uint64_t Load(Location& location, const Actor& actor, Order order, uint32_t age);
  // From now on the thread sees nothing older than the newest store.
  void SeeNewest(Location& location, const Actor& actor);
  void Write(Location& location, const Actor& actor, Order order, uint64_t value);
  // The acquiring half of a read-modify-write whose Write follows.
  void ReadForUpdate(Location& location, const Actor& actor, Order order);
  void Update(Location& location, const Actor& actor, Order order, uint64_t value);

  // An object of this value begins, or ends, at the address.
  void Construct(uintptr_t address, uint64_t value, const Actor& actor);
  MemoryError Destroy(uintptr_t address, const Actor& actor);

  // Memory is given back (nobody may access it any more) or taken by a new owner.
  MemoryError Release(uintptr_t start, size_t bytes, const Actor& actor);
  void Take(uintptr_t start, size_t bytes, const Actor& actor);

 private:
  struct Slot {
    uintptr_t address = 0;
    uint32_t generation = 0;
    uint32_t index = 0;
  };
  struct Region {
    uintptr_t start;
    size_t bytes;
    Location::Access access;
    ThreadId thread;
    bool released;
  };

  Location* Find(uintptr_t address);
  Location& Create(uintptr_t address, uint64_t value);
  void Clear(Location& location, uint64_t value, const Actor& actor);
  const Region* RegionOf(uintptr_t address) const;
  void NoteSharing(Location& location, ThreadId thread, bool writes);
  void Mark(Location& location, const Actor& actor, uint32_t store);
  uint32_t OldestVisible(const Location& location, const Actor& actor, Order order) const;
  static MemoryError Unordered(const Location& location, const Actor& actor, bool reads_too,
                               const char* kind, const char* what);
  void Grow();

  HostVector<Slot> table_;  // open addressing; a slot counts if its generation is the current one
  uint32_t generation_ = 1;
  HostVector<Location> locations_;
  uint32_t used_ = 0;
  HostVector<Region> regions_;
  // Sorted. What was found, and what of it MayBeShared knows.
  HostVector<uintptr_t> shared_;
  HostVector<uintptr_t> known_shared_;
};

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_MEMORY_H_

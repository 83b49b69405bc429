// SPDX-License-Identifier: Apache-2.0
//
// Ranges of addresses that were unmapped and that a CPU may still have in its TLB, from the
// unmapping to the flush after which they may be used again.
//
//   quarantine.Put(range, cursor.flusher().Detach());
//   if (quarantine.IsFull()) round = quarantine.Begin(Cover::kCollected);
//   // ... without the lock: attach round.flushes to a flusher and dispatch it ...
//   quarantine.Sent(round.number, ticket);               // or Finish, if nobody has to acknowledge
//   for (VirtRange range : quarantine.TakeDone()) ...    // now and then: free again
//
// Ranges collect in a round together with the flushes that they need. A round that begins takes all
// that was collected; one of Cover::kAll, which must flush everything and be waited for, also ends
// the wait for rounds that are under way: whatever they are about was unmapped before, so this
// flush does for them too. Nobody therefore ever waits for a round of somebody else.
//
// race: without the quarantine, an area's addresses are used again too early.
//   1. CPU 1: has the area's translation in its TLB
//   2. CPU 0: unmaps the area, its frame A waits for the flush; the addresses are free
//   3. CPU 0: makes another area there, of frame B
//   4. CPU 1: accesses the new area, and reaches A: no freed frame is touched, and still the wrong
//      one
// Frames alone are kept long enough by their batch; addresses need the same wait.
//
// Thread safety: none of its own; the owner's lock. Failure: destroying one that is not empty is a
// broken invariant. Cost: Put appends to a list; the rest is linear in the rounds under way, which
// are few.

#ifndef PADDOCK_CORE_SPACE_ADDRESS_QUARANTINE_H_
#define PADDOCK_CORE_SPACE_ADDRESS_QUARANTINE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "paddock/arch/address.h"
#include "paddock/core/tlb/shootdown_batch.h"
#include "paddock/core/tlb/tlb_flusher.h"

namespace paddock {

class AddressQuarantine {
 public:
  struct Limits {
    uint32_t ranges = 0;
    uint64_t pages = 0;
  };
  enum class Cover : uint8_t {
    kCollected,  // what was collected since the last round began
    kAll,        // and all that is under way
  };
  struct Round {
    uint64_t number = 0;
    std::vector<PendingFlush> flushes;
    // Others are under way that this one has to do for too: flush everything.
    bool everything = false;
  };

  explicit AddressQuarantine(Limits limits) : limits_(limits) {}
  ~AddressQuarantine();
  AddressQuarantine(const AddressQuarantine&) = delete;
  AddressQuarantine& operator=(const AddressQuarantine&) = delete;

  // `flush` covers all of `range`, which is unmapped.
  void Put(VirtRange range, PendingFlush flush);

  // Whether more was collected than the limits allow.
  bool IsFull() const {
    return collected_.ranges.size() > limits_.ranges || collected_.pages > limits_.pages;
  }
  // Whether nothing is collected and nothing under way.
  bool IsEmpty() const { return pages() == 0; }
  uint64_t pages() const { return pages_; }

  Round Begin(Cover cover);
  // The round of Cover::kCollected was dispatched, and somebody has to acknowledge it.
  void Sent(uint64_t number, ShootdownTicket ticket);
  // The round was acknowledged by all. Returns its ranges, which are free; if it flushed
  // everything, also those of all rounds before it.
  std::vector<VirtRange> Finish(uint64_t number, Cover cover);
  // The same for all rounds that were sent and acknowledged.
  std::vector<VirtRange> TakeDone();

  // Every range, in no particular order.
  void ForEach(absl::FunctionRef<void(VirtRange)> visit) const;

 private:
  struct Group {
    uint64_t number = 1;
    uint64_t pages = 0;
    std::vector<VirtRange> ranges = {};
    std::optional<ShootdownTicket> ticket = {};  // of a round under way, once it was dispatched
  };

  // Takes out the groups for which `is_done` says so, and returns their ranges.
  std::vector<VirtRange> FinishWhere(absl::FunctionRef<bool(const Group&)> is_done);

  const Limits limits_;
  Group collected_;
  std::vector<PendingFlush> flushes_;
  // invariant: under way, ascending in number, each below that of `collected_`.
  std::vector<Group> under_way_;
  uint64_t pages_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_ADDRESS_QUARANTINE_H_

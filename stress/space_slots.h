// SPDX-License-Identifier: Apache-2.0
//
// The spaces of a world, by slot. A slot may be emptied and filled again while others use the space
// that was in it: whoever holds a reference keeps it alive.
//
// Thread safety: any thread. Cost: version() is a load; the rest locks the slot.

#ifndef PADDOCK_STRESS_SPACE_SLOTS_H_
#define PADDOCK_STRESS_SPACE_SLOTS_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "paddock/concurrency/sync.h"
#include "paddock/core/space/vm_space.h"

namespace paddock {

struct SpaceRef {
  std::shared_ptr<VmSpace> space;
  uint32_t id = 0;  // in logs and messages; unique in the run

  explicit operator bool() const { return space != nullptr; }
};

class SpaceSlots {
 public:
  explicit SpaceSlots(uint32_t slots) : size_(slots), slots_(new Slot[slots]) {}

  uint32_t size() const { return size_; }
  // Changes with every Put and Take.
  // order: acquire pairs with the release in Put and Take; a hint, the slot itself is locked.
  uint64_t version(uint32_t slot) const { return slots_[slot].version.load(sync::acquire); }

  SpaceRef Get(uint32_t slot) const {
    const std::lock_guard<std::mutex> lock(slots_[slot].mutex);
    return slots_[slot].ref;
  }
  // False, and nothing is done, if the slot is taken.
  bool Put(uint32_t slot, SpaceRef ref) {
    Slot& to = slots_[slot];
    const std::lock_guard<std::mutex> lock(to.mutex);
    if (to.ref) return false;
    to.ref = std::move(ref);
    // order: release, see version().
    to.version.fetch_add(1, sync::release);
    return true;
  }
  SpaceRef Take(uint32_t slot) {
    Slot& from = slots_[slot];
    const std::lock_guard<std::mutex> lock(from.mutex);
    // order: release, see version().
    from.version.fetch_add(1, sync::release);
    if (from.ref) from.taken.push_back(from.ref.id);
    return std::exchange(from.ref, SpaceRef{});
  }

  // The identities taken out of slots since the last call. While nobody else uses the slots.
  std::vector<uint32_t> CollectTaken() {
    std::vector<uint32_t> ids;
    for (uint32_t i = 0; i < size_; ++i) {
      ids.insert(ids.end(), slots_[i].taken.begin(), slots_[i].taken.end());
      slots_[i].taken.clear();
    }
    return ids;
  }

 private:
  struct alignas(64) Slot {
    mutable std::mutex mutex;
    SpaceRef ref;
    std::vector<uint32_t> taken;
    sync::Atomic<uint64_t> version{1};
  };

  const uint32_t size_;
  const std::unique_ptr<Slot[]> slots_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_SPACE_SLOTS_H_

// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/memory.h"

#include <algorithm>

namespace paddock::model {
namespace {

constexpr size_t kFirstTableSize = 1024;

size_t Hash(uintptr_t address) { return (address * 0x9e37'79b9'7f4a'7c15u) >> 32; }

}  // namespace

void Memory::Reset() {
  ++generation_;
  used_ = 0;
  regions_.clear();
}

void Memory::ForgetShared() {
  shared_.clear();
  known_shared_.clear();
}

bool Memory::LearnShared() {
  if (known_shared_.size() == shared_.size()) return false;
  known_shared_ = shared_;
  return true;
}

bool Memory::MayBeShared(uintptr_t address) const {
  return std::binary_search(known_shared_.begin(), known_shared_.end(), address);
}

Location* Memory::Find(uintptr_t address) {
  if (table_.empty()) return nullptr;
  const size_t mask = table_.size() - 1;
  for (size_t i = Hash(address) & mask;; i = (i + 1) & mask) {
    const Slot& slot = table_[i];
    if (slot.generation != generation_) return nullptr;
    if (slot.address == address) return &locations_[slot.index];
  }
}

void Memory::Grow() {
  HostVector<Slot> old(std::max(kFirstTableSize, table_.size() * 2));
  old.swap(table_);
  const size_t mask = table_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.generation != generation_) continue;
    size_t i = Hash(slot.address) & mask;
    while (table_[i].generation == generation_) i = (i + 1) & mask;
    table_[i] = slot;
  }
}

Location& Memory::Create(uintptr_t address, uint64_t value) {
  if (uint64_t{2} * (used_ + 1) > table_.size()) Grow();
  if (used_ == locations_.size()) locations_.resize(std::max<size_t>(64, 2 * locations_.size()));
  const size_t mask = table_.size() - 1;
  size_t i = Hash(address) & mask;
  while (table_[i].generation == generation_) i = (i + 1) & mask;
  table_[i] = {address, generation_, used_};

  Location& location = locations_[used_++];
  location.address = address;
  location.stores.clear();
  location.stores.push_back({.value = value});
  location.marks.clear();
  location.reads.fill({});
  location.writes.fill({});
  location.seq_cst_floor = 0;
  location.owned = {};
  location.owner = 0;
  location.readers = 0;
  location.writers = 0;
  location.gone = false;
  location.shared = false;
  return location;
}

// A new object: what was known about the address before does not count any more.
void Memory::Clear(Location& location, uint64_t value, const Actor& actor) {
  location.stores.clear();
  location.stores.push_back({.value = value, .time = actor.time(), .thread = actor.thread});
  location.marks.clear();
  location.reads.fill({});
  location.writes.fill({});
  location.seq_cst_floor = 0;
  location.owned = {actor.time(), actor.where};
  location.owner = actor.thread;
  location.readers = 0;
  location.writers = 0;
  location.gone = false;
}

Location& Memory::At(uintptr_t address, uint64_t value, const Actor& actor) {
  if (Location* const known = Find(address)) {
    if (known->newest().value != value) {
      // Written as plain memory meanwhile: by who took it, or else by this thread.
      const bool taken = known->owned.time != 0;
      known->stores.push_back({.value = value,
                               .time = taken ? known->owned.time : actor.time(),
                               .thread = taken ? known->owner : actor.thread});
    }
    return *known;
  }
  Location& location = Create(address, value);
  if (const Region* const region = RegionOf(address)) {
    location.stores.back().time = region->access.time;
    location.stores.back().thread = region->thread;
    location.owned = region->access;
    location.owner = region->thread;
    location.gone = region->released;
  }
  return location;
}

const Memory::Region* Memory::RegionOf(uintptr_t address) const {
  for (const Region& region : regions_) {
    if (address - region.start < region.bytes) return &region;
  }
  return nullptr;
}

void Memory::NoteSharing(Location& location, ThreadId thread, bool writes) {
  (writes ? location.writers : location.readers) |= static_cast<uint8_t>(1u << thread);
  if (location.shared || location.writers == 0) return;
  const uint8_t all = location.readers | location.writers;
  if ((all & (all - 1)) == 0) return;
  location.shared = true;
  const auto at = std::lower_bound(shared_.begin(), shared_.end(), location.address);
  if (at != shared_.end() && *at == location.address) return;
  shared_.insert(at, location.address);
}

MemoryError Memory::NoteAtomic(Location& location, const Actor& actor, bool writes) {
  NoteSharing(location, actor.thread, writes);
  (writes ? location.writes : location.reads)[actor.thread] = {actor.time(), actor.where};
  if (location.gone) {
    return {"use after free", "accesses memory that was given back or destroyed by", location.owner,
            location.owned.where};
  }
  if (!actor.clock.Covers(location.owner, location.owned.time)) {
    return {"data race", "is not ordered after the plain access of", location.owner,
            location.owned.where};
  }
  return {};
}

MemoryError Memory::Unordered(const Location& location, const Actor& actor, bool reads_too,
                              const char* kind, const char* what) {
  for (ThreadId other = 0; other < kMaxThreads; ++other) {
    if (other == actor.thread) continue;
    const Location::Access& write = location.writes[other];
    if (!actor.clock.Covers(other, write.time)) return {kind, what, other, write.where};
    const Location::Access& read = location.reads[other];
    if (reads_too && !actor.clock.Covers(other, read.time)) return {kind, what, other, read.where};
  }
  return {};
}

MemoryError Memory::NotePlain(Location& location, const Actor& actor, bool writes) {
  NoteSharing(location, actor.thread, writes);
  if (location.gone) {
    return {"use after free", "accesses memory that was given back or destroyed by", location.owner,
            location.owned.where};
  }
  if (!actor.clock.Covers(location.owner, location.owned.time)) {
    return {"data race", "is not ordered after the construction by", location.owner,
            location.owned.where};
  }
  const MemoryError race =
      Unordered(location, actor, writes, "data race", "is not ordered after the access of");
  (writes ? location.writes : location.reads)[actor.thread] = {actor.time(), actor.where};
  return race;
}

// The index of the oldest store that the thread may read.
uint32_t Memory::OldestVisible(const Location& location, const Actor& actor, Order order) const {
  const auto count = static_cast<uint32_t>(location.stores.size());
  uint32_t floor = order == Order::kSeqCst ? location.seq_cst_floor : 0;
  if (count > kHistory) floor = std::max(floor, count - kHistory);
  for (uint32_t i = count; i-- > floor;) {
    const Store& store = location.stores[i];
    if (actor.clock.Covers(store.thread, store.time)) {
      floor = i;
      break;
    }
  }
  for (const Location::Mark& mark : location.marks) {
    if (mark.store > floor && actor.clock.Covers(mark.thread, mark.time)) floor = mark.store;
  }
  return floor;
}

uint32_t Memory::Visible(const Location& location, const Actor& actor, Order order) const {
  const auto count = static_cast<uint32_t>(location.stores.size());
  return count - OldestVisible(location, actor, order);
}

void Memory::Mark(Location& location, const Actor& actor, uint32_t store) {
  for (auto mark = location.marks.rbegin(); mark != location.marks.rend(); ++mark) {
    if (mark->thread != actor.thread) continue;
    if (mark->store >= store) return;
    break;
  }
  location.marks.push_back({actor.thread, actor.time(), store});
}

uint64_t Memory::Load(Location& location, const Actor& actor, Order order, uint32_t age) {
  const auto index = static_cast<uint32_t>(location.stores.size()) - 1 - age;
  const Store& store = location.stores[index];
  Mark(location, actor, index);
  if (order == Order::kSeqCst) location.seq_cst_floor = std::max(location.seq_cst_floor, index);
  if (Acquires(order) && store.has_message) actor.clock.Join(store.message);
  return store.value;
}

void Memory::SeeNewest(Location& location, const Actor& actor) {
  Mark(location, actor, static_cast<uint32_t>(location.stores.size()) - 1);
}

void Memory::Write(Location& location, const Actor& actor, Order order, uint64_t value) {
  location.stores.push_back({.value = value, .time = actor.time(), .thread = actor.thread});
  Store& store = location.stores.back();
  if (Releases(order)) {
    store.has_message = true;
    store.message = actor.clock;
  }
  if (order == Order::kSeqCst) {
    location.seq_cst_floor = static_cast<uint32_t>(location.stores.size()) - 1;
  }
}

void Memory::ReadForUpdate(Location& location, const Actor& actor, Order order) {
  if (Acquires(order) && location.newest().has_message) {
    actor.clock.Join(location.newest().message);
  }
}

void Memory::Update(Location& location, const Actor& actor, Order order, uint64_t value) {
  const bool continues = location.newest().has_message;
  const VectorClock message = location.newest().message;
  Write(location, actor, order, value);
  if (!continues) return;
  Store& store = location.stores.back();
  store.has_message = true;
  store.message.Join(message);
}

void Memory::Construct(uintptr_t address, uint64_t value, const Actor& actor) {
  Location* location = Find(address);
  if (location == nullptr) location = &Create(address, value);
  Clear(*location, value, actor);
}

MemoryError Memory::Destroy(uintptr_t address, const Actor& actor) {
  Location* const location = Find(address);
  if (location == nullptr) return {};
  const MemoryError error =
      Unordered(*location, actor, true, "use after free", "is destroyed, not ordered after");
  location->gone = true;
  location->owned = {actor.time(), actor.where};
  location->owner = actor.thread;
  return error;
}

MemoryError Memory::Release(uintptr_t start, size_t bytes, const Actor& actor) {
  MemoryError error;
  if (const Region* const region = RegionOf(start); region != nullptr && region->released) {
    error = {"double free", "is given back again, after", region->thread, region->access.where};
  }
  for (uint32_t i = 0; i < used_; ++i) {
    Location& location = locations_[i];
    if (location.address - start >= bytes) continue;
    if (!error) {
      error =
          Unordered(location, actor, true, "use after free", "is given back, not ordered after");
    }
    location.gone = true;
    location.owned = {actor.time(), actor.where};
    location.owner = actor.thread;
  }
  std::erase_if(regions_, [&](const Region& region) { return region.start == start; });
  regions_.push_back({start, bytes, {actor.time(), actor.where}, actor.thread, true});
  return error;
}

void Memory::Take(uintptr_t start, size_t bytes, const Actor& actor) {
  for (uint32_t i = 0; i < used_; ++i) {
    Location& location = locations_[i];
    // The contents follow: the first access finds what the new owner wrote, see At.
    if (location.address - start < bytes) Clear(location, location.newest().value, actor);
  }
  std::erase_if(regions_, [&](const Region& region) { return region.start == start; });
  regions_.push_back({start, bytes, {actor.time(), actor.where}, actor.thread, false});
}

}  // namespace paddock::model

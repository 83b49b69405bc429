// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/sync_model.h"

#include <string>
#include <string_view>

#include "paddock/concurrency/check.h"
#include "paddock/concurrency/model/trace.h"

// Defined by every backend: see sync.h.
extern "C" {
extern const int paddock_has_one_sync_backend;
const int paddock_has_one_sync_backend = 1;
}

namespace paddock {
namespace internal {

// A check that fails inside an execution is a violation, with a schedule that leads to it.
void OnCheckFailure(const char* file, int line, const char* condition, std::string_view message) {
  model::Execution* const execution = model::Execution::Current();
  if (execution == nullptr) return;
  const std::string where = model::ShortPlace(file, static_cast<uint32_t>(line));
  execution->Fail("check failed", where + ": " + condition + ": " + std::string(message));
}

}  // namespace internal

namespace sync {
inline namespace model_backend {
namespace {

// Of the process's own thread, when it is in no execution.
struct HostSlot {
  const void* key;
  void* value;
};
std::array<HostSlot, ThreadSlots::kCapacity> host_slots{};

HostSlot* FindHostSlot(const void* key) {
  for (HostSlot& slot : host_slots) {
    if (slot.key == key) return &slot;
  }
  return nullptr;
}

}  // namespace

const BackendAnchor kBackendAnchor = {"model"};

void CpuRelax() { YieldThread(); }

void YieldThread() {
  if (model::Execution* const execution = model::Execution::Concurrent()) execution->Yield();
}

uint64_t NowNs() {
  model::Execution* const execution = model::Execution::Current();
  return execution == nullptr ? model::Execution::kFirstNs : execution->NowNs();
}

Backoff::Backoff() {
  if (model::Execution* const execution = model::Execution::Current()) {
    begin_ = execution->BeginWatch();
  }
}
Backoff::~Backoff() {
  if (model::Execution* const execution = model::Execution::Current()) execution->EndWatch(begin_);
}
void Backoff::Pause(internal::Place where) {
  model::Execution* const execution = model::Execution::Current();
  PADDOCK_CHECK(execution != nullptr, "a wait outside of an execution, where nobody can end it");
  execution->AwaitChange(begin_, where);
}

bool WaitOnWord(const Atomic<uint32_t>& word, uint32_t expected, uint64_t deadline_ns,
                internal::Place where) {
  model::Execution* const execution = model::Execution::Current();
  PADDOCK_CHECK(execution != nullptr, "a wait outside of an execution, where nobody can end it");
  return execution->Sleep(&word, expected, deadline_ns, where);
}

void WakeOne(const Atomic<uint32_t>& word, internal::Place where) {
  if (model::Execution* const execution = model::Execution::Concurrent()) {
    execution->Wake(&word, model::Execution::Whom::kOne, where);
  }
}
void WakeAll(const Atomic<uint32_t>& word, internal::Place where) {
  if (model::Execution* const execution = model::Execution::Concurrent()) {
    execution->Wake(&word, model::Execution::Whom::kAll, where);
  }
}

// The same as in sync_std.cc, where the reasons stand.
bool Parker::ParkUntil(uint64_t deadline_ns, Place where) {
  bool in_time = true;
  uint32_t expected = kEmpty;
  // order: relaxed: announcing the sleep publishes nothing; the exchange below takes the token.
  if (state_.compare_exchange(expected, kParked, relaxed, relaxed, where)) {
    in_time = WaitOnWord(state_, kParked, deadline_ns, where);
  }
  // order: acquire pairs with the release in Unpark.
  return state_.exchange(kEmpty, acquire, where) == kToken || in_time;
}

void Parker::Unpark(Place where) {
  // order: release pairs with the acquire in ParkUntil.
  if (state_.exchange(kToken, release, where) == kParked) WakeOne(state_, where);
}

void Thread::Start(void (*body)(void*), void* argument) {
  model::Execution* const execution = model::Execution::Current();
  PADDOCK_CHECK(execution != nullptr, "a thread is started outside of an execution");
  id_ = execution->StartThread(body, argument);
}

void Thread::Join(internal::Place where) {
  if (id_ == kNone) return;
  const auto id = static_cast<model::ThreadId>(std::exchange(id_, kNone));
  model::Execution::Current()->JoinThread(id, where);
}

void* ThreadSlots::Get(const void* key) {
  if (model::Execution* const execution = model::Execution::Current()) {
    void** const slot = execution->Slot(key, /*create=*/false);
    return slot == nullptr ? nullptr : *slot;
  }
  const HostSlot* const slot = FindHostSlot(key);
  return slot == nullptr ? nullptr : slot->value;
}

bool ThreadSlots::Set(const void* key, void* value) {
  if (model::Execution* const execution = model::Execution::Current()) {
    void** const slot = execution->Slot(key, /*create=*/true);
    if (slot != nullptr) *slot = value;
    return slot != nullptr;
  }
  HostSlot* slot = FindHostSlot(key);
  if (slot == nullptr) slot = FindHostSlot(nullptr);
  if (slot == nullptr) return false;
  *slot = {key, value};
  return true;
}

}  // namespace model_backend
}  // namespace sync
}  // namespace paddock

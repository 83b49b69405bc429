// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/cpu.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace paddock {
namespace internal {

void CpusOfThread::SetFirst(CpuState* first) {
  const bool is_set = sync::ThreadSlots::Set(&kKey, first);
  PADDOCK_CHECK(is_set, "no slot of the thread is left for the CPUs that it is on");
}

void CpusOfThread::Add(CpuState& state) {
  state.next_of_thread = First();
  SetFirst(&state);
}

void CpusOfThread::Remove(CpuState& state) {
  CpuState* const first = First();
  if (first == &state) {
    SetFirst(state.next_of_thread);
    return;
  }
  CpuState* before = first;
  while (before->next_of_thread != &state) before = before->next_of_thread;
  before->next_of_thread = state.next_of_thread;
}

}  // namespace internal

CpuRegistry::CpuRegistry(uint32_t cpus, uint32_t max_nesting)
    : size_(cpus), max_nesting_(max_nesting) {
  PADDOCK_CHECK(cpus >= 1 && cpus <= kMaxCpus, "a registry has 1 to kMaxCpus CPUs");
  PADDOCK_CHECK(max_nesting >= 1, "a registry allows at least one pin");
  states_ = std::make_unique<internal::CpuState[]>(cpus);
  for (uint32_t cpu = 0; cpu < cpus; ++cpu) {
    states_[cpu].registry = this;
    states_[cpu].id = CpuId{cpu};
  }
}

CpuRegistry::~CpuRegistry() { CheckNoneIsPinned(); }

absl::StatusOr<CpuPin> CpuRegistry::PinSlow(CpuId cpu, const internal::CpuState* mine) {
  if (cpu.value >= size_) {
    return absl::InvalidArgumentError(
        absl::StrCat("CPU ", cpu.value, " is not one of the ", size_, " CPUs of the registry"));
  }
  if (mine != nullptr && mine->id != cpu) {
    return absl::FailedPreconditionError(absl::StrCat("the thread is on CPU ", mine->id.value,
                                                      " and cannot pin CPU ", cpu.value, " too"));
  }
  if (mine != nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "CPU ", cpu.value, " is pinned ", mine->nesting, " times, the most that is allowed"));
  }

  internal::CpuState& state = states_[cpu.value];
  uint32_t expected = 0;
  // order: acquire pairs with the release in GoIdle: this thread sees what the last one left.
  if (!state.taken.compare_exchange(expected, 1, sync::acquire, sync::relaxed)) {
    return absl::UnavailableError(absl::StrCat("another thread is on CPU ", cpu.value));
  }
  internal::CpusOfThread::Add(state);
  state.nesting = 1;
  CpuPin pin(&state);
  for (CpuObserver* const observer : observers_) observer->OnWake(pin);
  return pin;
}

absl::Status CpuRegistry::ForeignPinError(const CpuPin& pin) {
  return absl::InvalidArgumentError(
      absl::StrCat("the pin of CPU ", pin.cpu().value, " is one of another machine"));
}

void CpuRegistry::GoIdle(CpuPin& last) {
  internal::CpuState& state = *last.state_;
  for (auto observer = observers_.rbegin(); observer != observers_.rend(); ++observer) {
    (*observer)->OnIdle(last);
  }
  PADDOCK_CHECK(state.nesting == 1, "an observer kept a pin of a CPU that goes idle");
  state.nesting = 0;
  internal::CpusOfThread::Remove(state);
  // order: release pairs with the acquire in PinSlow.
  state.taken.store(0, sync::release);
}

void CpuRegistry::AddObserver(CpuObserver* observer) {
  CheckNoneIsPinned();
  observers_.push_back(observer);
}

void CpuRegistry::RemoveObserver(CpuObserver* observer) {
  CheckNoneIsPinned();
  const auto found = std::find(observers_.begin(), observers_.end(), observer);
  PADDOCK_CHECK(found != observers_.end(), "an observer is removed that was never added");
  observers_.erase(found);
}

void CpuRegistry::CheckNoneIsPinned() const {
  for (uint32_t cpu = 0; cpu < size_; ++cpu) {
    // order: relaxed: checks what the caller has made sure of by other means.
    if (states_[cpu].taken.load(sync::relaxed) == 0) continue;
    PADDOCK_CHECK(false, absl::StrCat("CPU ", cpu, " is pinned while its registry changes"));
  }
}

}  // namespace paddock

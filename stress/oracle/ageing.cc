// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/ageing.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {
namespace {

constexpr uint64_t kStateMask = 3;
constexpr const char* kStateNames[] = {"never published", "live", "retired", "dead"};

const char* StateName(uint64_t word) { return kStateNames[word & kStateMask]; }
uint64_t Published(uint64_t word) { return word >> 2; }

// order: relaxed, everywhere in this file: the domain under test has to order a reader's loads
// against the death of the object; order added here would lend it some.
constexpr std::memory_order kNoOrder = std::memory_order_relaxed;

}  // namespace

AgeingOracle::AgeingOracle(uint32_t workers, ViolationSink& sink, uint64_t deadline_ns)
    : sink_(sink),
      deadline_ns_(deadline_ns),
      workers_(workers),
      shards_(new Shard[workers]),
      checks_(workers),
      published_(workers),
      retired_(workers),
      died_(workers),
      met_retired_(workers) {}

void AgeingOracle::Publish(uint32_t worker, AgedObject& object) {
  const uint64_t word = object.word_.load(kNoOrder);
  const uint64_t state = word & kStateMask;
  checks_.Add(worker);
  if (state != AgedObject::kNew && state != AgedObject::kDead) {
    Report(object, absl::StrCat("was published while it was ", StateName(word)));
  }
  published_.Add(worker);
  object.word_.store((Published(word) + 1) << 2 | AgedObject::kLive, kNoOrder);
}

void AgeingOracle::Retire(uint32_t worker, AgedObject& object, uint64_t now_ns) {
  assert(worker < workers_);
  const uint64_t word = object.word_.load(kNoOrder);
  checks_.Add(worker);
  if ((word & kStateMask) != AgedObject::kLive) {
    Report(object, absl::StrCat("was retired while it was ", StateName(word)));
    return;
  }
  const uint64_t retired = Published(word) << 2 | AgedObject::kRetired;
  object.retired_ns_.store(now_ns, kNoOrder);
  object.word_.store(retired, kNoOrder);
  retired_.Add(worker);

  Shard& shard = shards_[worker];
  const std::lock_guard<std::mutex> lock(shard.mutex);
  // Two out for one in: the list stays as short as the backlog.
  for (int i = 0; i < 2 && !shard.pending.empty() && !IsWaiting(shard.pending.front()); ++i) {
    shard.pending.pop_front();
  }
  shard.pending.push_back({&object, retired, now_ns});
}

void AgeingOracle::Die(uint32_t worker, AgedObject& object, uint64_t now_ns) {
  const uint64_t word = object.word_.load(kNoOrder);
  checks_.Add(worker);
  if ((word & kStateMask) != AgedObject::kRetired) {
    Report(object, absl::StrCat("was reclaimed while it was ", StateName(word)));
    return;
  }
  object.died_ns_.store(now_ns, kNoOrder);
  object.word_.store(Published(word) << 2 | AgedObject::kDead, kNoOrder);
  died_.Add(worker);
  const uint64_t grace_ns = now_ns - object.retired_ns_.load(kNoOrder);
  uint64_t longest = longest_ns_.load(kNoOrder);
  while (grace_ns > longest && !longest_ns_.compare_exchange_weak(longest, grace_ns, kNoOrder)) {
  }
}

AgeingOracle::Sighting AgeingOracle::Reach(uint32_t worker, const AgedObject& object) {
  const uint64_t word = object.word_.load(kNoOrder);
  const uint64_t state = word & kStateMask;
  checks_.Add(worker);
  if (state == AgedObject::kRetired) met_retired_.Add(worker);
  if (state == AgedObject::kDead) Report(object, "was met by a reader after its grace period");
  return {&object, word};
}

void AgeingOracle::Leave(uint32_t worker, const Sighting& sighting) {
  const AgedObject& object = *sighting.object;
  const uint64_t word = object.word_.load(kNoOrder);
  checks_.Add(worker);
  if ((sighting.word & kStateMask) == AgedObject::kDead) return;  // already reported
  if (Published(word) != Published(sighting.word)) {
    Report(object, "died and was recycled while a reader's section was open");
  } else if ((word & kStateMask) == AgedObject::kDead) {
    Report(object, "died while a reader's section was open");
  }
}

bool AgeingOracle::IsWaiting(const Pending& pending) {
  return pending.object->word_.load(kNoOrder) == pending.word;
}

void AgeingOracle::CheckDeadlines(uint64_t now_ns, uint64_t awake_since_ns,
                                  absl::FunctionRef<std::string()> culprit) {
  for (uint32_t i = 0; i < workers_; ++i) {
    Shard& shard = shards_[i];
    const std::lock_guard<std::mutex> lock(shard.mutex);
    while (!shard.pending.empty() && !IsWaiting(shard.pending.front())) shard.pending.pop_front();
    for (Pending& pending : shard.pending) {
      const uint64_t since_ns = std::max(pending.retired_ns, awake_since_ns);
      if (now_ns < since_ns || now_ns - since_ns <= deadline_ns_) break;
      if (pending.reported || !IsWaiting(pending)) continue;
      pending.reported = true;
      Report(*pending.object,
             absl::StrFormat("has waited %.3f s for its grace period, held up by %s",
                             static_cast<double>(now_ns - pending.retired_ns) * 1e-9, culprit()));
    }
  }
}

void AgeingOracle::CheckDrained() {
  for (uint32_t i = 0; i < workers_; ++i) {
    Shard& shard = shards_[i];
    const std::lock_guard<std::mutex> lock(shard.mutex);
    for (const Pending& pending : shard.pending) {
      if (IsWaiting(pending)) Report(*pending.object, "was never reclaimed");
    }
    shard.pending.clear();
  }
}

AgeingOracle::Stats AgeingOracle::stats() const {
  return {.published = published_.Sum(),
          .retired = retired_.Sum(),
          .died = died_.Sum(),
          .met_retired = met_retired_.Sum(),
          .longest_grace_ns = longest_ns_.load(kNoOrder)};
}

OracleResult AgeingOracle::result() const {
  return {std::string(kAgeingOracle), checks(), sink_.count(kAgeingOracle)};
}

void AgeingOracle::Report(const AgedObject& object, const std::string& what) {
  const uint64_t retired_ns = object.retired_ns_.load(kNoOrder);
  const uint64_t died_ns = object.died_ns_.load(kNoOrder);
  const uint64_t word = object.word_.load(kNoOrder);
  sink_.Report(
      kAgeingOracle,
      absl::StrFormat("object %d %s (now %s, published %d times, last retired at %d ns, "
                      "last reclaimed at %d ns)",
                      object.name_, what, StateName(word), Published(word), retired_ns, died_ns));
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/watchdog.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {

Watchdog::Watchdog(std::vector<const StreamState*> streams, Oracles& oracles,
                   const Options& options, std::function<void(const std::string&)> on_hang)
    : oracles_(oracles),
      options_(options),
      on_hang_(std::move(on_hang)),
      detector_(std::move(streams), options),
      thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watchdog::Watch(const World& world, std::string workload) {
  const std::lock_guard<std::mutex> lock(mutex_);
  world_ = &world;
  workload_ = std::move(workload);
  detector_.Restart(sync::NowNs());
}

void Watchdog::Forget() {
  const std::lock_guard<std::mutex> lock(mutex_);
  world_ = nullptr;
}

void Watchdog::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    wake_.wait_for(lock, absl::ToChronoMilliseconds(options_.interval));
    if (!stop_ && world_ != nullptr) Look(sync::NowNs());
  }
}

void Watchdog::Look(uint64_t now_ns) {
  const bool hangs = detector_.Look(now_ns);
  oracles_.ageing.CheckDeadlines(now_ns, detector_.awake_since_ns(), [this] { return Describe(); });
  if (!hangs || reported_) return;
  reported_ = true;
  on_hang_(absl::StrCat("no progress for ", absl::FormatDuration(options_.patience), " in ",
                        workload_, ": ", Describe()));
}

std::string Watchdog::Describe() const {
  std::string text = world_->DescribeCpus();
  for (const StreamState* stream : detector_.streams()) {
    const Heartbeat::Beat beat = stream->heartbeat.Read();
    absl::StrAppendFormat(&text,
                          "\n  thread %d on cpu %d: %s, operation %d, %s of space %d, range "
                          "[%#x, %#x)",
                          stream->index, beat.cpu, beat.working ? "at work" : "done", beat.count,
                          std::string(OpName(beat.kind)), beat.space, beat.range.start.value(),
                          beat.range.end.value());
  }
  return text;
}

}  // namespace paddock

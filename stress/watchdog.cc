// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/watchdog.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {

Watchdog::Watchdog(std::vector<const StreamState*> streams, Oracles& oracles, Options options,
                   std::function<void(const std::string&)> on_hang)
    : streams_(std::move(streams)),
      oracles_(oracles),
      options_(options),
      on_hang_(std::move(on_hang)),
      seen_(streams_.size()),
      thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watchdog::Watch(const World& world, std::string workload, Phase phase) {
  const std::lock_guard<std::mutex> lock(mutex_);
  world_ = &world;
  workload_ = std::move(workload);
  closing_since_ns_ = phase == Phase::kClosing ? sync::NowNs() : 0;
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
  oracles_.ageing.CheckDeadlines(now_ns, [this] { return Describe(); });
  const auto patience_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(options_.patience));
  bool hangs = closing_since_ns_ != 0 && now_ns > closing_since_ns_ &&
               now_ns - closing_since_ns_ > 2 * patience_ns;
  for (size_t i = 0; i < streams_.size(); ++i) {
    const Heartbeat::Beat beat = streams_[i]->heartbeat.Read();
    Seen& seen = seen_[i];
    if (!beat.working || beat.count != seen.count || seen.since_ns == 0) {
      seen = {beat.count, now_ns};
    } else if (now_ns - seen.since_ns > patience_ns) {
      hangs = true;
    }
  }
  if (!hangs || reported_) return;
  reported_ = true;
  on_hang_(absl::StrCat("no progress for ", absl::FormatDuration(options_.patience), " in ",
                        workload_, ": ", Describe()));
}

std::string Watchdog::Describe() const {
  std::string text = world_->DescribeCpus();
  for (const StreamState* stream : streams_) {
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

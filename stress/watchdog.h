// SPDX-License-Identifier: Apache-2.0
//
// Watches that the streams do something, and that grace periods end.
//
//   Watchdog watchdog(streams, oracles, {}, [](std::string report) { ... });
//   watchdog.Watch(&world, "mixed", Watchdog::Phase::kRunning);
//   watchdog.Watch(&world, "mixed", Watchdog::Phase::kClosing);    // is taken down, which ends as
//   well watchdog.Forget();
//
// A stream that is at work and does not begin another operation for `patience` is a hang: `on_hang`
// is called once, on the watchdog's thread, with what every stream is doing. Thread safety: Watch
// from one thread.

#ifndef PADDOCK_STRESS_WATCHDOG_H_
#define PADDOCK_STRESS_WATCHDOG_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "paddock/stress/oracles.h"
#include "paddock/stress/stream.h"
#include "paddock/stress/world.h"

namespace paddock {

class Watchdog {
 public:
  struct Options {
    absl::Duration patience = absl::Seconds(60);
    absl::Duration interval = absl::Milliseconds(250);
  };

  Watchdog(std::vector<const StreamState*> streams, Oracles& oracles, Options options,
           std::function<void(const std::string&)> on_hang);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  enum class Phase : uint8_t { kRunning, kClosing };
  void Watch(const World& world, std::string workload, Phase phase);
  void Forget();

 private:
  void Run();
  void Look(uint64_t now_ns);
  std::string Describe() const;

  const std::vector<const StreamState*> streams_;
  Oracles& oracles_;
  const Options options_;
  const std::function<void(const std::string&)> on_hang_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  const World* world_ = nullptr;
  std::string workload_;
  uint64_t closing_since_ns_ = 0;  // 0: it is not closed yet
  struct Seen {
    uint64_t count = 0;
    uint64_t since_ns = 0;
  };
  std::vector<Seen> seen_;
  bool reported_ = false;
  std::thread thread_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_WATCHDOG_H_

// SPDX-License-Identifier: Apache-2.0
//
// The thread that watches that the streams do something (HangDetector), and that grace periods end.
//
//   Watchdog watchdog(streams, oracles, {}, [](const std::string& report) { ... });
//   watchdog.Watch(world, "mixed");
//   watchdog.Watch(world, "closing mixed");   // time begins anew
//   watchdog.Forget();
//
// At a hang `on_hang` is called once, on the watchdog's thread, with what every stream is doing.
//
// Thread safety: Watch and Forget from one thread.

#ifndef PADDOCK_STRESS_WATCHDOG_H_
#define PADDOCK_STRESS_WATCHDOG_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "paddock/stress/hang_detector.h"
#include "paddock/stress/oracles.h"
#include "paddock/stress/stream.h"
#include "paddock/stress/world.h"

namespace paddock {

class Watchdog {
 public:
  using Options = HangDetector::Options;

  Watchdog(std::vector<const StreamState*> streams, Oracles& oracles, const Options& options,
           std::function<void(const std::string&)> on_hang);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void Watch(const World& world, std::string workload);
  void Forget();

 private:
  void Run();
  void Look(uint64_t now_ns);
  std::string Describe() const;

  Oracles& oracles_;
  const Options options_;
  const std::function<void(const std::string&)> on_hang_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  const World* world_ = nullptr;
  std::string workload_;
  HangDetector detector_;
  bool reported_ = false;
  std::thread thread_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_WATCHDOG_H_

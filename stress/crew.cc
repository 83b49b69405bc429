// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/crew.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <thread>

#include "oneapi/tbb/blocked_range.h"
#include "oneapi/tbb/global_control.h"
#include "oneapi/tbb/parallel_for.h"
#include "oneapi/tbb/task_arena.h"
#include "oneapi/tbb/task_scheduler_observer.h"
#include "paddock/concurrency/check.h"

namespace paddock {
namespace {

// Ties whoever works in slot i to core i while it is in the arena. Does nothing if there are more
// slots than cores, or the system does not want it.
class CoreObserver final : public tbb::task_scheduler_observer {
 public:
  CoreObserver(tbb::task_arena& arena, uint32_t threads)
      : tbb::task_scheduler_observer(arena), ties_(threads <= std::thread::hardware_concurrency()) {
    observe(true);
  }
  ~CoreObserver() override { observe(false); }

  void on_scheduler_entry(bool) override {
    const int slot = tbb::this_task_arena::current_thread_index();
    if (!ties_ || slot < 0) return;
    cpu_set_t core;
    CPU_ZERO(&core);
    saved_ = pthread_getaffinity_np(pthread_self(), sizeof(before_), &before_) == 0;
    if (!saved_ || CPU_COUNT(&before_) <= slot) return;
    // The slot-th of the cores that this process may use.
    int nth = slot;
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &before_) && nth-- == 0) CPU_SET(i, &core);
    }
    pthread_setaffinity_np(pthread_self(), sizeof(core), &core);
  }
  void on_scheduler_exit(bool) override {
    if (saved_) pthread_setaffinity_np(pthread_self(), sizeof(before_), &before_);
    saved_ = false;
  }

 private:
  static thread_local cpu_set_t before_;
  static thread_local bool saved_;

  const bool ties_;
};

thread_local cpu_set_t CoreObserver::before_;
thread_local bool CoreObserver::saved_ = false;

}  // namespace

struct Crew::Arena {
  explicit Arena(uint32_t threads)
      : control(tbb::global_control::max_allowed_parallelism, std::max(threads, 2u)),
        arena(static_cast<int>(threads), /*reserved_for_masters=*/1),
        observer(arena, threads) {}

  tbb::global_control control;
  tbb::task_arena arena;
  CoreObserver observer;
};

Crew::Crew(uint32_t threads)
    : threads_(threads), seats_(threads), arena_(std::make_unique<Arena>(threads)) {}

Crew::~Crew() = default;

void Crew::Round(Machine& machine, absl::FunctionRef<void(uint32_t, CpuSeat&)> work) {
  arena_->arena.execute([&] {
    tbb::parallel_for(
        tbb::blocked_range<uint32_t>(0, threads_, 1),
        [&](const tbb::blocked_range<uint32_t>& streams) {
          const auto slot = static_cast<uint32_t>(tbb::this_task_arena::current_thread_index());
          CpuSeat& seat = seats_[slot];
          const absl::Status status = seat.Sit(machine, CpuId{slot});
          PADDOCK_CHECK(status.ok(), "two threads are in one slot of the arena");
          for (uint32_t stream = streams.begin(); stream != streams.end(); ++stream) {
            work(stream, seat);
          }
          seat.StandUp();
        },
        tbb::simple_partitioner());
  });
}

}  // namespace paddock

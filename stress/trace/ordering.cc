// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/ordering.h"

#include <algorithm>
#include <compare>
#include <cstdint>
#include <vector>

namespace paddock {
namespace {

// Operation number `index` of thread number `thread`, sorted by a time of it.
struct Moment {
  uint64_t time_ns;
  uint32_t thread;
  uint32_t index;
  auto operator<=>(const Moment&) const = default;
};

template <typename TimeOf>
std::vector<Moment> SortedMoments(const TraceProcess& process, TimeOf time_of) {
  std::vector<Moment> moments;
  for (uint32_t thread = 0; thread < process.threads.size(); ++thread) {
    const std::vector<TraceOperation>& operations = process.threads[thread].operations;
    for (uint32_t index = 0; index < operations.size(); ++index) {
      moments.push_back({time_of(operations[index]), thread, index});
    }
  }
  std::sort(moments.begin(), moments.end());
  return moments;
}

bool HasWait(const TraceProcess& process, uint32_t first_wait, uint32_t thread) {
  return std::any_of(process.waits.begin() + first_wait, process.waits.end(),
                     [=](const TraceWait& wait) { return wait.thread == thread; });
}

}  // namespace

void OrderTraceProcess(TraceProcess& process) {
  process.waits.clear();
  const std::vector<Moment> begins =
      SortedMoments(process, [](const TraceOperation& op) { return op.begin_ns; });
  const std::vector<Moment> ends =
      SortedMoments(process, [](const TraceOperation& op) { return op.end_ns; });
  size_t ended = 0;
  for (const Moment& begin : begins) {
    std::vector<TraceOperation>& own = process.threads[begin.thread].operations;
    TraceOperation& op = own[begin.index];
    while (ended < ends.size() && ends[ended].time_ns < begin.time_ns) ++ended;
    op.first_wait = static_cast<uint32_t>(process.waits.size());
    // invariant: what ended before `covered_ns` is waited for already, by way of others.
    uint64_t covered_ns = begin.index == 0 ? 0 : own[begin.index - 1].begin_ns;
    for (size_t i = ended; i > 0 && ends[i - 1].time_ns >= covered_ns; --i) {
      const Moment& end = ends[i - 1];
      if (end.thread == begin.thread || HasWait(process, op.first_wait, end.thread)) continue;
      process.waits.push_back({end.thread, end.index + 1});
      covered_ns = std::max(covered_ns, process.threads[end.thread].operations[end.index].begin_ns);
    }
    op.wait_count = static_cast<uint32_t>(process.waits.size()) - op.first_wait;
  }
  process.waits.shrink_to_fit();
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Workloads as streams of operations. A stream is a pure function of seed, workload, number of
// streams, its own number and the round: whatever the other streams do, it asks for the same.
//
//   const WorkloadInfo* info = FindWorkload("overlap");
//   std::unique_ptr<Generator> stream = MakeStream(*info, {.seed = 7, .stream = 0, .streams = 2});
//   std::vector<Op> step;
//   stream->Next(step);   // one transaction, or one operation outside of transactions, and checks
//
// Thread safety: a generator belongs to one thread. Cost: well below that of the operations.

#ifndef PADDOCK_STRESS_WORKLOAD_GENERATOR_H_
#define PADDOCK_STRESS_WORKLOAD_GENERATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "paddock/stress/ops.h"
#include "paddock/stress/rng.h"

namespace paddock {

// Cells of retired objects that RetireOp and ReadOp name.
inline constexpr uint32_t kRcuCells = 64;
// Slots for kernel areas.
inline constexpr uint32_t kKernelAreas = 128;

class Generator {
 public:
  virtual ~Generator() = default;
  // Appends one step.
  virtual void Next(std::vector<Op>& ops) = 0;
};

// What a workload's own generator is made from.
struct GeneratorArgs {
  StreamRng rng;
  uint32_t stream = 0;
  uint32_t streams = 1;
  // Slots [0, fixed) hold a space all the time, [fixed, fixed + churned) come and go.
  uint32_t fixed_spaces = 1;
  uint32_t churned_spaces = 0;
};

struct WorkloadInfo {
  std::string_view name;
  std::string_view summary;
  uint32_t fixed_spaces = 1;
  uint32_t churned_spaces = 0;
  uint32_t memory_mib = 256;  // default
  std::unique_ptr<Generator> (*make)(const GeneratorArgs&) = nullptr;
  uint32_t io_spaces = 0;     // of the fixed ones, 0 or kIoSpaces
  uint32_t kernel_areas = 0;  // slots for them, 0 or kKernelAreas
};

// In the order in which they are documented; without "trace", which has no generator.
absl::Span<const WorkloadInfo> Workloads();
// Null if there is none of that name.
const WorkloadInfo* FindWorkload(std::string_view name);

struct StreamId {
  uint64_t seed = 0;
  uint32_t stream = 0;
  uint32_t streams = 1;
  uint64_t round = 0;
};

// The workload's stream with a share of checks between its steps: walks, accesses, grace periods.
std::unique_ptr<Generator> MakeStream(const WorkloadInfo& info, const StreamId& id);

}  // namespace paddock

#endif  // PADDOCK_STRESS_WORKLOAD_GENERATOR_H_

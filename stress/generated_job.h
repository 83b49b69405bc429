// SPDX-License-Identifier: Apache-2.0
//
// The job of a workload that is generated: each slice is the stream of its round. Never done.
//
// Thread safety: as Job.

#ifndef PADDOCK_STRESS_GENERATED_JOB_H_
#define PADDOCK_STRESS_GENERATED_JOB_H_

#include <cstdint>
#include <vector>

#include "paddock/stress/executor.h"
#include "paddock/stress/job.h"
#include "paddock/stress/workload/generator.h"

namespace paddock {

class GeneratedJob final : public Job {
 public:
  GeneratedJob(const WorkloadInfo& info, uint64_t seed, uint32_t streams)
      : info_(info), seed_(seed), digests_(streams), steps_(streams) {}

  void RunSlice(Stream& stream, uint32_t number, const SliceLimit& limit) override;
  bool done() const override { return false; }

  // Of all operations that the streams asked for; the same for the same seed, streams and steps.
  uint64_t digest() const;
  uint64_t steps() const override;

 private:
  struct alignas(64) Padded {
    uint64_t value = 0;
  };

  const WorkloadInfo& info_;
  const uint64_t seed_;
  std::vector<Padded> digests_;
  std::vector<Padded> steps_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_GENERATED_JOB_H_

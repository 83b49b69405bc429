// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/generated_job.h"

#include <memory>

#include "paddock/concurrency/sync.h"

namespace paddock {
namespace {

// How many steps pass between two looks at the clock; the first look comes after them, so that a
// short slice is not empty.
constexpr uint64_t kStepsPerLook = 16;

}  // namespace

void GeneratedJob::RunSlice(Stream& stream, uint32_t number, const SliceLimit& limit) {
  const std::unique_ptr<Generator> generator =
      MakeStream(info_, {.seed = seed_,
                         .stream = number,
                         .streams = static_cast<uint32_t>(digests_.size()),
                         .round = limit.round});
  Executor executor(stream);
  std::vector<Op> step;
  uint64_t digest = digests_[number].value;
  uint64_t done = 0;
  for (; done < limit.steps && !stream.world().failed(); ++done) {
    if (done != 0 && done % kStepsPerLook == 0 && sync::NowNs() >= limit.deadline_ns) break;
    step.clear();
    generator->Next(step);
    for (const Op& op : step) digest = DigestOp(digest, op);
    executor.Run(step);
  }
  digests_[number].value = digest;
  steps_[number].value += done;
}

uint64_t GeneratedJob::digest() const {
  uint64_t digest = 0;
  for (const Padded& stream : digests_) digest = MixBits(digest * 31 + stream.value);
  return digest;
}

uint64_t GeneratedJob::steps() const {
  uint64_t steps = 0;
  for (const Padded& stream : steps_) steps += stream.value;
  return steps;
}

}  // namespace paddock

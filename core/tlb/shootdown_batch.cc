// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/shootdown_batch.h"

#include <optional>
#include <utility>

#include "paddock/concurrency/check.h"
#include "paddock/core/tlb/tlb_system.h"

namespace paddock {
namespace {

// The addresses of both, if that is one range. Neither is empty or reversed.
std::optional<VirtRange> Joined(VirtRange a, VirtRange b) {
  if (a.Contains(b)) return a;
  if (b.Contains(a)) return b;
  if (b.end == a.start) std::swap(a, b);
  // All 2^64 addresses have no representation, and the top does not touch the bottom.
  const bool everything = a.start.value() == 0 && b.end.value() == 0;
  if (a.end != b.start || b.start.value() == 0 || everything) return std::nullopt;
  return VirtRange{a.start, b.end};
}

}  // namespace

ShootdownBatch::~ShootdownBatch() {
  // order: relaxed; whoever destroys a batch took it out of the pool, which orders all uses.
  PADDOCK_CHECK(!flushes() && runs_.empty() && pending_.load(sync::relaxed) == 0,
                "a batch is destroyed that still has to flush or to release something");
}

void ShootdownBatch::AddRange(VirtRange range, uint32_t threshold) {
  PADDOCK_DCHECK(!range.IsReversed(), "a reversed range is to be flushed");
  ++issued_;
  if (full_) return;
  if (range_count_ != 0) {
    VirtRange& before = ranges_[range_count_ - 1];
    if (const std::optional<VirtRange> joined = Joined(before, range)) {
      before = *joined;
      return;
    }
  }
  if (range_count_ < threshold) {
    ranges_[range_count_++] = range;
    return;
  }
  full_ = true;
  range_count_ = 0;
}

void ShootdownBatch::AddEverything() {
  ++issued_;
  full_ = true;
  range_count_ = 0;
}

void ShootdownBatch::Handle(const CpuPin& cpu) {
  system_.Flush(cpu, *this);
  Acknowledge(cpu);
}

void ShootdownBatch::Acknowledge(const CpuPin& cpu) {
  // order: release, this CPU's flush comes before the count; acquire, the last one comes after the
  // flushes of all others (the decrements form one release sequence).
  const uint32_t before = pending_.fetch_sub(1, sync::acq_rel);
  PADDOCK_CHECK(before != 0, "a shootdown is acknowledged more often than it has targets");
  // race: 6. The last acknowledger.
  //   CPU 1: counts down to 1 (not the last)
  //   CPU 2: counts down to 0, retires the batch; grace period; another CPU fills it anew
  //   CPU 1: must not look at the batch now
  // So the decrement is the last access of all but the one that brings the count to 0, and that one
  // owns the batch alone until it passes it on.
  if (before == 1) system_.FinishFlush(cpu, *this);
}

}  // namespace paddock

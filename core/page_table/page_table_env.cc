// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/page_table/page_table_env.h"

#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"

namespace paddock {

PageTableEnv::PageTableEnv(CpuRegistry& cpus, RcuDomain& rcu, IpiBus& bus, FrameTable& frames,
                           TlbSystem& tlb)
    : cpus_(cpus),
      rcu_(rcu),
      bus_(bus),
      frames_(frames),
      tlb_(tlb),
      claim_queues_(bus),
      per_cpu_(cpus),
      acquired_(cpus),
      contended_(cpus),
      stray_retries_(cpus) {
  cpus_.AddObserver(this);
}

PageTableEnv::~PageTableEnv() { cpus_.RemoveObserver(this); }

void PageTableEnv::OnIdle(const CpuPin& pin) {
  PADDOCK_CHECK(open_cursors(pin).empty(), "a CPU's last pin is dropped while a cursor is open");
}

absl::Status PageTableEnv::InSectionError(const CpuPin& pin) {
  return absl::FailedPreconditionError(
      absl::StrFormat("CPU %d is inside a read-side section: a cursor is opened there only with "
                      "Wait::kTry, since nothing waits in a section",
                      pin.cpu().value));
}

LockStats PageTableEnv::lock_stats() const {
  return LockStats{acquired_.Sum(), contended_.Sum(), stray_retries_.Sum()};
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// What the TLB tests run on: a machine without page tables, and CPUs whose threads do exactly what
// they are told, step by step, so that a test decides who is idle, who is busy, and who serves its
// mailbox.
//
//   TlbMachine m(2);
//   TestCpu cpu0(m, 0), cpu1(m, 1);
//   // Stays pinned, polls nothing.
//   cpu1.Run([&](const CpuPin& pin) { m.tlb().Activate(pin, context); });
//   cpu0.Run([&](const CpuPin& pin) { TlbFlusher(m.tlb(), context, pin).Issue(range); });
//   cpu1.Poll();     // an interrupt point
//   cpu1.GoIdle();

#ifndef PADDOCK_TESTS_CORE_TLB_TLB_MACHINE_H_
#define PADDOCK_TESTS_CORE_TLB_TLB_MACHINE_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/physical_memory.h"
#include "paddock/core/tlb/tlb_context.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/core/tlb/tlb_system.h"

namespace paddock {

class TlbMachine {
 public:
  explicit TlbMachine(uint32_t cpus, const TlbSystem::Options& options = {},
                      ShootdownTransport* transport = nullptr);

  CpuRegistry& cpus() { return cpus_; }
  RcuDomain& rcu() { return rcu_; }
  IpiBus& bus() { return bus_; }
  FrameTable& frames() { return *frames_; }
  TlbSystem& tlb() { return *tlb_; }

  // A frame with one reference, owned by the caller.
  PhysAddr NewFrame();
  FrameRun NewFrames(uint64_t pages);
  bool InUse(PhysAddr frame);
  uint32_t Generation(PhysAddr frame);

  // A page of `bytes` at `page` that maps `frame` now.
  TlbEntry Entry(VirtAddr page, PhysAddr frame, PageProperty property = kReadWriteUser,
                 uint64_t bytes = kPageSize);

  // Runs everything that is due in RCU: all CPUs but the one of `pin` are idle or in no section.
  void PassGracePeriods(const CpuPin& pin);

 private:
  CpuRegistry cpus_;
  RcuDomain rcu_;
  IpiBus bus_;
  std::unique_ptr<PhysicalMemory> memory_;
  std::unique_ptr<FrameTable> frames_;
  std::unique_ptr<TlbSystem> tlb_;
};

// One CPU and the thread on it. Steps run one after another; each returns when it is done, unless
// it was started. Destroying it leaves the space that runs on the CPU, and makes it idle.
class TestCpu {
 public:
  using Step = std::function<void(const CpuPin&)>;

  TestCpu(TlbMachine& machine, uint32_t cpu);
  ~TestCpu();

  void Run(Step step) {
    Start(std::move(step));
    Finish();
  }
  // Lets the step run; Finish waits for its end.
  void Start(Step step);
  void Finish();

  void Poll();
  // Drops the pin; the next step takes it again.
  void GoIdle();

 private:
  void Body();

  TlbMachine& machine_;
  const CpuId cpu_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Step step_;
  bool unpin_ = false;
  bool stop_ = false;
  bool busy_ = false;
  std::thread thread_;
};

inline VirtAddr Page(uint64_t number) { return VirtAddr(number * kPageSize); }
inline VirtRange Pages(uint64_t first, uint64_t count) {
  return VirtRange{Page(first), Page(first + count)};
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_CORE_TLB_TLB_MACHINE_H_

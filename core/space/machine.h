// SPDX-License-Identifier: Apache-2.0
//
// One world: physical memory and its frames, CPUs, reclamation, TLBs, the kernel's page table.
// Nothing is global; two machines in one process share nothing.
//
//   absl::StatusOr<std::unique_ptr<Machine>> machine = Machine::Create({.cpus = 2});
//   absl::StatusOr<CpuPin> pin = (*machine)->Pin(CpuId{0});      // this thread is CPU 0 now
//   absl::StatusOr<std::shared_ptr<VmSpace>> space = VmSpace::Create(**machine, *pin);
//   ...
//   (*machine)->Poll(*pin);                              // an interrupt point: call it often
//
// A thread that holds a pin must come to interrupt points: other CPUs wait for it to acknowledge
// flushes. A CPU without a pin is idle and is never waited for. Whatever waits is an interrupt point
// of its own machine only: a thread that is on CPUs of two machines and waits in one (opening a
// cursor, Sync, a flush of areas) keeps those waiting who need it in the other, and two such threads
// can wait for each other for ever.
//
// A function that is given the pin of another machine returns INVALID_ARGUMENT if it returns a
// status; Poll, Activate and read-side sections stop the process. The parts behind rcu(), bus() and
// tlb() only look in debug and checked builds.
//
// Thread safety: every function from any thread. The machine must outlive its pins, its spaces (but
// those that are only active), and every handle of its frames: Frame, AnyFrame, UniqueFrame,
// Segment, and items taken out of its tables. Debug and checked builds stop if frames are in use
// when it ends.
// Cost: 64 bytes of memory per 4 KiB of physical memory that is used; unused memory is only
// reserved.

#ifndef PADDOCK_CORE_SPACE_MACHINE_H_
#define PADDOCK_CORE_SPACE_MACHINE_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/frame/frame_allocator.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/physical_memory.h"
#include "paddock/core/page_table/page_table_env.h"
#include "paddock/core/space/configs.h"
#include "paddock/core/space/kernel_layout.h"
#include "paddock/core/space/kernel_space.h"
#include "paddock/core/space/simulated_access.h"
#include "paddock/core/tlb/tlb_system.h"

namespace paddock {

class VmSpace;

class Machine {
 public:
  struct Options {
    uint32_t cpus = 2;  // 1 to kMaxCpus
    // Reserved, not touched. Ignored if `memory` is given.
    uint64_t memory_bytes = uint64_t{256} << 20;
    // The physical memory, if it is not to be anonymous.
    std::unique_ptr<PhysicalMemory> memory = nullptr;
    FrameTable::Options frames = {};
    // What may be held back is also bounded by the memory: `rcu.backlog_limit` and
    // `tlb.in_flight_limit` by an eighth of the frames divided by the CPUs, though not below the
    // lesser of 256 frames and a thirty-second of all; `kernel.quarantine_pages` by an eighth.
    RcuDomain::Options rcu = {};
    TlbSystem::Options tlb = {};
    // Delivers flush requests; the built-in mailboxes if null. Must outlive the machine.
    ShootdownTransport* transport = nullptr;
    KernelLayout kernel = {};
  };

  // INVALID_ARGUMENT: an option breaks its rule, which the message names; or OUT_OF_RANGE: a range
  // of the kernel's layout. RESOURCE_EXHAUSTED: the memory cannot be reserved, or is too small for
  // the kernel's tables. The rules also bound what the machine takes from the heap.
  static absl::StatusOr<std::unique_ptr<Machine>> Create(Options options);
  // Every pin must be gone (checked), every kernel area, every space but the active ones too, and
  // every handle of a frame. Drains reclamation.
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Makes the calling thread CPU `cpu` until the pin is destroyed. Errors as CpuRegistry::Pin.
  absl::StatusOr<CpuPin> Pin(CpuId cpu) { return cpus_->Pin(cpu); }

  // An interrupt point: serves flush requests, then runs reclamation that is due.
  void Poll(const CpuPin& pin) {
    CheckPin(pin);
    bus_.Poll(pin);
    rcu_.Poll(pin);
  }

  // Waits until every read-side section that is open now has closed, an interrupt point all the
  // while. Errors as RcuDomain::Synchronize.
  absl::Status Synchronize(const CpuPin& pin) {
    return rcu_.Synchronize(pin, [&] { bus_.Poll(pin); });
  }

  // One 8-byte access at `va` as kernel code on this CPU makes it, whatever space is active here:
  // through the TLB, on a miss through the tables, setting accessed and dirty bits.
  // INVALID_ARGUMENT: `va` is not a multiple of 8. OUT_OF_RANGE: not an address of the kernel's
  // table. NOT_FOUND: nothing is mapped. PERMISSION_DENIED: the mapping forbids the access.
  // FAILED_PRECONDITION: it leads outside of the machine's memory, where nothing answers. Atomic
  // and unordered.
  absl::StatusOr<AccessResult> KernelLoad(const CpuPin& pin, VirtAddr va);
  absl::StatusOr<AccessResult> KernelStore(const CpuPin& pin, VirtAddr va, uint64_t value);

  // Makes no space active on this CPU.
  void DeactivateSpace(const CpuPin& pin);

  CpuRegistry& cpus() { return *cpus_; }
  RcuDomain& rcu() { return rcu_; }
  IpiBus& bus() { return bus_; }
  PhysicalMemory& memory() { return *memory_; }
  FrameTable& frames() { return *frames_; }
  TlbSystem& tlb() { return tlb_; }
  PageTableEnv& page_tables() { return page_tables_; }
  KernelSpace& kernel() { return *kernel_; }
  PageTable<KernelPtConfig>& kernel_table() { return kernel_->table(); }

 private:
  friend class VmSpace;

  Machine(const Options& options, std::unique_ptr<CpuRegistry> cpus,
          std::unique_ptr<PhysicalMemory> memory, std::unique_ptr<FrameTable> frames);
  void CheckPin(const CpuPin& pin) const {
    PADDOCK_CHECK(cpus_->Owns(pin), "the pin is one of another machine");
  }
  absl::StatusOr<AccessResult> KernelAccess(const CpuPin& pin, VirtAddr va,
                                            std::optional<uint64_t> store);

  // Makes `space` current on this CPU and lets go of the one before.
  void SwitchSpace(const CpuPin& pin, std::shared_ptr<VmSpace> space);

  const std::unique_ptr<CpuRegistry> cpus_;
  const std::unique_ptr<PhysicalMemory> memory_;
  const std::unique_ptr<FrameTable> frames_;
  RcuDomain rcu_;
  IpiBus bus_;
  TlbSystem tlb_;
  PageTableEnv page_tables_;
  std::unique_ptr<KernelSpace> kernel_;
  // invariant: touched by the thread on that CPU only.
  CpuLocal<std::shared_ptr<VmSpace>> active_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_MACHINE_H_

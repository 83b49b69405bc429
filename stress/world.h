// SPDX-License-Identifier: Apache-2.0
//
// One machine under test with all that the oracles need to judge it: spaces by slot, stamps of
// frames, objects for the torture of grace periods.
//
//   auto world = World::Create({.cpus = 2, .fixed_spaces = 1}, oracles);
//   ...                              // a round of streams
//   (*world)->EndRound(logs);        // after each, with all CPUs idle
//   (*world)->Close(opened, totals); // takes everything down and balances the books
//
// Thread safety: EndRound and Close while no stream runs; the rest from any stream. Failure of
// Create: RESOURCE_EXHAUSTED, saying how much memory would do. A stream that cannot go on calls
// Fail.

#ifndef PADDOCK_STRESS_WORLD_H_
#define PADDOCK_STRESS_WORLD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/tlb/transport.h"
#include "paddock/stress/fault_resolver.h"
#include "paddock/stress/frame_stamps.h"
#include "paddock/stress/inject/delaying_transport.h"
#include "paddock/stress/inject/failing_allocator.h"
#include "paddock/stress/inject/injections.h"
#include "paddock/stress/inject/memory_tamper.h"
#include "paddock/stress/kernel_areas.h"
#include "paddock/stress/memory_ground.h"
#include "paddock/stress/op_stats.h"
#include "paddock/stress/oracle/books.h"
#include "paddock/stress/oracle/soft_mmu.h"
#include "paddock/stress/oracle/transaction_log.h"
#include "paddock/stress/oracles.h"
#include "paddock/stress/rcu_torture.h"
#include "paddock/stress/space_slots.h"

namespace paddock {

// What worlds that were closed add up to.
struct WorldTotals {
  LockStats locks;
  TlbStats tlb;
  RcuStats rcu;
  uint64_t frames_total = 0;  // of the largest world
  uint64_t frames_peak = 0;
  uint64_t frames_leaked = 0;
  uint64_t refused_allocations = 0;
};

class World {
 public:
  struct Options {
    uint32_t cpus = 2;
    uint64_t memory_bytes = uint64_t{256} << 20;
    // What lies behind the physical memory, so that worlds after each other need not touch fresh
    // host memory; at least `memory_bytes`, outlives the world. Null: each world has its own.
    PhysicalMemory* backing = nullptr;
    uint32_t fixed_spaces = 1;
    uint32_t churned_spaces = 0;
    Injections inject = {};
    // Fixed spaces that the workload `io` uses: 0 or kIoSpaces.
    uint32_t io_spaces = 0;
    // Slots for kernel areas.
    uint32_t kernel_areas = 0;
    uint64_t seed = 0;
    // Of tests: damages what was written. Null: nothing does.
    MemoryTamper* tamper = nullptr;
    // Of the machine; overrides the one that injects delays. Tests pass a wrong one.
    ShootdownTransport* transport = nullptr;
  };

  static absl::StatusOr<std::unique_ptr<World>> Create(const Options& options, Oracles& oracles);
  ~World();

  Machine& machine() { return *machine_; }
  Oracles& oracles() { return oracles_; }
  FrameStamps& stamps() { return *stamps_; }
  SpaceSlots& spaces() { return *spaces_; }
  RcuTorture& torture() { return *torture_; }
  MemoryGround& ground() { return *ground_; }
  KernelAreas& areas() { return *areas_; }
  const SoftMmu& mmu() const { return *mmu_; }
  const Options& options() const { return options_; }

  // Whether `frame` is a page-table node of `level` now. For whoever is in a read-side section.
  bool IsLiveNode(uint64_t frame, int level);

  // A new space, of a number of its own. RESOURCE_EXHAUSTED: no frame for its root.
  absl::StatusOr<SpaceRef> NewSpace(const CpuPin& pin, const VmSpaceOptions& options = {});

  // Who sees to page faults of this CPU in the space that has a handler; null: nobody.
  void SetFaultResolver(const CpuPin& pin, FaultResolver* resolver) {
    resolvers_->Get(pin) = resolver;
  }

  // Streams should stop: the environment does not allow to go on. The first status is kept.
  void Fail(absl::Status status);
  // Whether an operation may have found no memory: that is injected, or all of it was once in use.
  bool MayBeExhausted() const;
  // As Fail, because memory has run out, which is not enough `for_what`; nothing if it may.
  void FailForMemory(std::string_view for_what);
  bool failed() const { return failed_.load(sync::seq_cst) != 0; }
  absl::Status status() const;

  // Lets the oracles digest what was logged.
  void EndRound(absl::Span<TransactionLog* const> logs);

  // Checks everything at rest, unmaps and destroys, and adds up. `opened` is how many cursors the
  // streams opened here. Nothing but the destructor may follow.
  void Close(uint64_t opened, WorldTotals& totals);

  // "2 CPUs: cpu 0 has requests pending, ..." for reports of hangs.
  std::string DescribeCpus() const;

 private:
  World(const Options& options, Oracles& oracles);
  absl::Status Start();
  absl::Status MakeSpaces(const CpuPin& pin);
  absl::Status HandleFault(VmSpace& space, const CpuPin& pin, VirtAddr va, Access access);
  static bool IsNodeSlot(const MetaSlot& slot);

  void CheckAtRest(const CpuPin& pin, std::vector<Balance>& balances);
  void CheckLockWords(BooksSnapshot& books);
  // Reclaims everything that was retired, on all CPUs.
  void Drain();
  void DropSpaces();
  void BalanceBooks(BooksSnapshot& books, uint64_t opened, WorldTotals& totals);

  const Options options_;
  Oracles& oracles_;
  FailingSwitch failing_;
  DelayingTransport delaying_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<FrameStamps> stamps_;
  std::unique_ptr<SpaceSlots> spaces_;
  std::unique_ptr<RcuTorture> torture_;
  std::unique_ptr<MemoryGround> ground_;
  std::unique_ptr<KernelAreas> areas_;
  // invariant: touched by the thread on that CPU only.
  std::optional<CpuLocal<FaultResolver*>> resolvers_;
  std::optional<SoftMmu> mmu_;
  uint64_t baseline_pages_ = 0;
  // Opened when the machine was made, and by the checks at rest.
  uint64_t other_cursors_ = 0;

  sync::Atomic<uint32_t> failed_{0};
  mutable std::mutex mutex_;
  absl::Status status_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_WORLD_H_

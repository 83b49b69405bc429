// SPDX-License-Identifier: Apache-2.0
#include "paddock/stress/explore/kernel_world.h"

#include <utility>

#include "absl/types/span.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

Machine::Options MachineOptions(const FrameBytes& bytes, const KernelWorld::Options& options) {
  Machine::Options machine;
  machine.cpus = KernelWorld::kCpus;
  machine.memory = bytes.NewMemory();
  machine.frames = Poisoning(*machine.memory);
  machine.rcu.batch_size = 1;
  machine.tlb.tlb_sets = 1;
  machine.tlb.tlb_ways = 2;
  const VirtAddr start = KernelWorld::kWindowStart;
  machine.kernel.dynamic_window = {start, start.Plus(options.window_pages * kPageSize)};
  machine.kernel.quarantine_areas = options.quarantine_areas;
  return machine;
}

}  // namespace

KernelWorld::KernelWorld(const Options& options)
    : bytes_(kFrames), machine_(Must(Machine::Create(MachineOptions(bytes_, options)))) {
  if (!model::IsTraced()) return;
  NameFrames(machine_->frames());
  NameField(machine_->cpus(), "", "cpus");
  NameField(machine_->rcu(), "", "rcu");
  NameField(machine_->bus(), "", "bus");
  NameField(machine_->tlb(), "", "tlb");
  NameField(machine_->page_tables(), "", "env");
  NameField(machine_->kernel(), "", "kernel");
}

KernelWorld::~KernelWorld() {
  {
    const CpuPin pin = Pin(kSetupCpu);
    machine_->kernel().FlushDestroyedAreas(pin);
    Must(machine_->kernel().CheckInvariants(pin));
    machine_->rcu().Drain(pin);
  }
  const KernelSpaceStats kernel = stats();
  const uint64_t window = machine_->kernel().layout().dynamic_window.size() / kPageSize;
  model::Expect(kernel.areas == 0 && kernel.quarantined_pages == 0 && kernel.free_pages == window,
                "every address of the window is free again");
  const RcuStats rcu = machine_->rcu().stats();
  model::Expect(rcu.retired == rcu.reclaimed, "everything retired is reclaimed");
  ExpectNothingClaimed(machine_->frames());
}

void KernelWorld::Run(const std::vector<std::function<void(const CpuPin&)>>& bodies) {
  RunPinned(machine_->cpus(), bodies);
}

absl::StatusOr<KVirtArea> KernelWorld::TryNewArea(const CpuPin& pin, uint64_t stamp) {
  UFrame frame = Must(machine_->frames().Allocate(Untyped{}, Zeroing::kLeave));
  auto* const word = reinterpret_cast<uint64_t*>(frame.Data());
  // order: relaxed; whoever reads it found the mapping, which is published after it.
  sync::AtomicRef<uint64_t>(*word).store(stamp, sync::relaxed);
  return KVirtArea::MapFrames(*machine_, pin, kPageSize, 0, absl::MakeSpan(&frame, 1),
                              kReadWriteKernel);
}

std::optional<uint64_t> KernelWorld::Look(const CpuPin& pin, VirtAddr va) {
  const absl::StatusOr<AccessResult> access = machine_->KernelLoad(pin, va);
  if (!access.ok()) {
    model::Expect(absl::IsNotFound(access.status()), std::string(access.status().message()));
    return std::nullopt;
  }
  model::Expect(access->generation_at_fill == access->generation_now,
                "a frame is not given back while a CPU can reach it");
  return access->value;
}

}  // namespace paddock::explore

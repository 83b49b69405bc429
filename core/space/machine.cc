// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/machine.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/space/vm_space.h"

namespace paddock {
namespace {

std::string StillInUse(const FrameTable& frames) {
  std::string text =
      absl::StrFormat("%u frames are in use when their machine ends:", frames.used_pages());
  frames.ForEachInUse([&](PhysAddr frame, const MetaSlot& slot) {
    constexpr size_t kEnough = 200;
    if (text.size() > kEnough) return;
    // order: relaxed: nobody else is left.
    const MetaVtable* kind = slot.kind.load(sync::relaxed);
    absl::StrAppendFormat(&text, " %#x as %s", frame.value(), kind->name);
  });
  return text;
}

// What waits for a flush or a grace period keeps an eighth of the memory from use, shared evenly by
// the CPUs. But one CPU may always keep a few batches, if they are not much of the memory: on a
// machine of many CPUs few are busy, and those must not be held back for the others' sake.
void BoundByMemory(uint64_t frames, Machine::Options& options) {
  constexpr uint64_t kFewBatches = 256;
  const uint64_t all = std::max<uint64_t>(frames / 8, 1);
  const uint64_t each =
      std::max({all / options.cpus, std::min(kFewBatches, frames / 32), uint64_t{1}});
  options.rcu.backlog_limit = std::min(options.rcu.backlog_limit, each);
  options.tlb.in_flight_limit = std::min(options.tlb.in_flight_limit, each);
  options.kernel.quarantine_pages = std::min(options.kernel.quarantine_pages, all);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Machine>> Machine::Create(Options options) {
  if (options.cpus == 0 || options.cpus > kMaxCpus) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a machine has 1 to %d CPUs, not %d", kMaxCpus, options.cpus));
  }
  if (absl::Status status = TlbSystem::CheckOptions(options.tlb); !status.ok()) return status;
  if (absl::Status status = RcuDomain::CheckOptions(options.rcu); !status.ok()) return status;
  std::unique_ptr<PhysicalMemory> memory = std::move(options.memory);
  if (memory == nullptr) {
    absl::StatusOr<std::unique_ptr<PhysicalMemory>> anonymous =
        PhysicalMemory::Anonymous(options.memory_bytes);
    if (!anonymous.ok()) return anonymous.status();
    memory = *std::move(anonymous);
  }
  if (absl::Status status = CheckLayout(options.kernel, memory->range()); !status.ok()) {
    return status;
  }
  BoundByMemory(memory->size() / kPageSize, options);
  auto cpus = std::make_unique<CpuRegistry>(options.cpus);
  absl::StatusOr<std::unique_ptr<FrameTable>> frames =
      FrameTable::Create(*memory, *cpus, options.frames);
  if (!frames.ok()) return frames.status();

  std::unique_ptr<Machine> machine(
      new Machine(options, std::move(cpus), std::move(memory), *std::move(frames)));
  absl::StatusOr<CpuPin> pin = machine->Pin(CpuId{0});
  if (!pin.ok()) return pin.status();
  absl::StatusOr<std::unique_ptr<KernelSpace>> kernel =
      KernelSpace::Create(*machine->cpus_, machine->page_tables_, *pin, options.kernel);
  if (!kernel.ok()) return kernel.status();
  machine->kernel_ = *std::move(kernel);
  return machine;
}

Machine::Machine(const Options& options, std::unique_ptr<CpuRegistry> cpus,
                 std::unique_ptr<PhysicalMemory> memory, std::unique_ptr<FrameTable> frames)
    : cpus_(std::move(cpus)),
      memory_(std::move(memory)),
      frames_(std::move(frames)),
      rcu_(*cpus_, options.rcu),
      bus_(*cpus_),
      tlb_(*cpus_, rcu_, bus_, *frames_, options.tlb, options.transport),
      page_tables_(*cpus_, rcu_, bus_, *frames_, tlb_),
      active_(*cpus_) {}

Machine::~Machine() {
  const auto on_each_cpu = [this](auto step) {
    for (uint32_t cpu = 0; cpu < cpus_->size(); ++cpu) {
      const absl::StatusOr<CpuPin> pin = Pin(CpuId{cpu});
      PADDOCK_CHECK(pin.ok(), "a machine is destroyed while a thread is on one of its CPUs");
      step(*pin);
    }
  };
  // A space that is active is let go of here, and with it what its fault handler owned: areas, too.
  on_each_cpu([this](const CpuPin& pin) { DeactivateSpace(pin); });
  on_each_cpu([this](const CpuPin& pin) {
    if (pin.cpu().value == 0 && kernel_ != nullptr) kernel_->FlushDestroyedAreas(pin);
    rcu_.Drain(pin);
  });
  kernel_.reset();
  PADDOCK_DCHECK(frames_->used_pages() == 0, StillInUse(*frames_));
}

void Machine::DeactivateSpace(const CpuPin& pin) {
  CheckPin(pin);
  tlb_.Deactivate(pin);
  active_.Get(pin).reset();
}

void Machine::SwitchSpace(const CpuPin& pin, std::shared_ptr<VmSpace> space) {
  CheckPin(pin);
  tlb_.Activate(pin, space->tlb_context());
  // The last owner may be this CPU: the space before goes after the switch.
  std::swap(active_.Get(pin), space);
}

}  // namespace paddock

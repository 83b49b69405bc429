// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/page_table/node_reserve.h"
#include "paddock/core/space/vm_space.h"

namespace paddock {

absl::StatusOr<std::unique_ptr<World>> World::Create(const Options& options, Oracles& oracles) {
  std::unique_ptr<World> world(new World(options, oracles));
  if (absl::Status status = world->Start(); !status.ok()) return status;
  return world;
}

World::World(const Options& options, Oracles& oracles)
    : options_(options),
      oracles_(oracles),
      failing_(options.inject.alloc_probability, options.seed),
      delaying_(options.seed) {}

World::~World() = default;

absl::Status World::Start() {
  Machine::Options options;
  options.cpus = options_.cpus;
  options.memory_bytes = options_.memory_bytes;
  if (options_.backing != nullptr) {
    absl::StatusOr<std::unique_ptr<PhysicalMemory>> memory = PhysicalMemory::CallerOwned(
        {options_.backing->Data(options_.backing->base()), options_.memory_bytes});
    if (!memory.ok()) return memory.status();
    options.memory = *std::move(memory);
  }
  options.transport = options_.transport;
  if (options_.inject.Has(Injection::kAlloc)) {
    options.frames.wrap_allocator = [this](std::unique_ptr<FrameAllocator> inner) {
      return failing_.Wrap(std::move(inner));
    };
  }
  if (options_.kernel_areas != 0) options.kernel = KernelAreas::Layout();
  if (options.transport == nullptr && options_.inject.Has(Injection::kDelay)) {
    options.transport = &delaying_;
  }
  absl::StatusOr<std::unique_ptr<Machine>> machine = Machine::Create(std::move(options));
  if (!machine.ok()) return machine.status();
  machine_ = *std::move(machine);
  delaying_.Attach(machine_->bus());
  FrameTable& frames = machine_->frames();
  absl::StatusOr<std::unique_ptr<FrameStamps>> stamps = FrameStamps::Create(frames);
  if (!stamps.ok()) return stamps.status();
  stamps_ = *std::move(stamps);
  spaces_ = std::make_unique<SpaceSlots>(options_.fixed_spaces + options_.churned_spaces);
  torture_ = std::make_unique<RcuTorture>(*machine_, oracles_.ageing);
  const PhysAddr base = machine_->memory().base();
  mmu_.emplace(MmuMemory{machine_->memory().Data(base), machine_->memory().size(), base.value()});
  resolvers_.emplace(machine_->cpus());
  absl::StatusOr<std::unique_ptr<MemoryGround>> ground =
      MemoryGround::Create(*machine_, options_.io_spaces);
  if (!ground.ok()) return ground.status();
  ground_ = *std::move(ground);
  absl::StatusOr<std::unique_ptr<KernelAreas>> areas =
      KernelAreas::Create(*machine_, options_.kernel_areas);
  if (!areas.ok()) return areas.status();
  areas_ = *std::move(areas);
  baseline_pages_ = frames.used_pages();
  other_cursors_ = machine_->page_tables().lock_stats().acquired;

  absl::StatusOr<CpuPin> pin = machine_->Pin(CpuId{0});
  if (!pin.ok()) return pin.status();
  if (absl::Status status = MakeSpaces(*pin); !status.ok()) return status;
  failing_.Set(true);
  return absl::OkStatus();
}

absl::Status World::MakeSpaces(const CpuPin& pin) {
  for (uint32_t slot = 0; slot < options_.fixed_spaces; ++slot) {
    // The same in every build.
    const bool views = options_.io_spaces != 0 && slot == kIoViewSpace;
    absl::StatusOr<SpaceRef> space =
        NewSpace(pin, {.views = views ? ViewDiscipline::kEnforce : ViewDiscipline::kOff});
    if (!space.ok()) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("%d bytes of memory do not hold %d spaces: %s", options_.memory_bytes,
                          options_.fixed_spaces, std::string(space.status().message())));
    }
    if (options_.io_spaces != 0 && slot == kIoHandlerSpace) {
      space->space->SetFaultHandler(
          [this](VmSpace& faulted, const CpuPin& on, VirtAddr va, Access access) {
            return HandleFault(faulted, on, va, access);
          });
    }
    spaces_->Put(slot, *std::move(space));
  }
  return absl::OkStatus();
}

absl::Status World::HandleFault(VmSpace& space, const CpuPin& pin, VirtAddr va, Access access) {
  if (FaultResolver* const resolver = resolvers_->Get(pin)) return resolver->Resolve(va, access);
  const RcuReadGuard guard(machine_->rcu(), pin);
  if (space.Walk(guard, va)) return absl::PermissionDeniedError("nobody gives the right");
  return absl::NotFoundError("nobody maps the page");
}

bool World::IsNodeSlot(const MetaSlot& slot) {
  // order: acquire pairs with the release that published the frame's kind.
  const MetaVtable* const kind = slot.kind.load(sync::acquire);
  return kind == &MetaVtableOf<NodeMeta<UserPtConfig>>() ||
         kind == &MetaVtableOf<NodeMeta<KernelPtConfig>>();
}

bool World::IsLiveNode(uint64_t frame, int level) {
  const MetaSlot& slot = machine_->frames().slot(PhysAddr(frame));
  // order: acquire, both; they pair with the stores that published the node and its frame.
  const uint32_t references = slot.ref_count.load(sync::acquire);
  return references != kRefUnused && references != kRefBusy && IsNodeSlot(slot) &&
         slot.level.load(sync::acquire) == level;
}

absl::StatusOr<SpaceRef> World::NewSpace(const CpuPin& pin, const VmSpaceOptions& options) {
  absl::StatusOr<std::shared_ptr<VmSpace>> space = VmSpace::Create(*machine_, pin, options);
  if (!space.ok()) return space.status();
  return SpaceRef{*std::move(space), oracles_.NextSpaceId()};
}

void World::Fail(absl::Status status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (status_.ok()) status_ = std::move(status);
  failed_.store(1, sync::seq_cst);
}

bool World::MayBeExhausted() const {
  const FrameTable& frames = machine_->frames();
  return options_.inject.MayExhaust() || frames.peak_used_pages() >= frames.total_pages();
}

void World::FailForMemory(std::string_view for_what) {
  if (options_.inject.MayExhaust()) return;
  const uint64_t bytes = options_.memory_bytes;
  Fail(absl::ResourceExhaustedError(
      absl::StrFormat("%d MiB of memory are not enough %s; give more with --memory=%dMiB",
                      bytes >> 20, std::string(for_what), bytes >> 19)));
}

absl::Status World::status() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return status_;
}

void World::EndRound(absl::Span<TransactionLog* const> logs) {
  oracles_.serializability.CheckRound(logs);
  for (const uint32_t id : spaces_->CollectTaken()) oracles_.serializability.Forget(id);
}

std::string World::DescribeCpus() const {
  std::string text;
  for (uint32_t cpu = 0; cpu < options_.cpus; ++cpu) {
    if (machine_->bus().HasPending(CpuId{cpu})) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", "cpu ", cpu, " has unanswered requests");
    }
  }
  return text.empty() ? "no CPU has unanswered requests" : text;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/tlb_system.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"

namespace paddock {
namespace {

constexpr uint32_t kChunkHandful = 16;

// RCU gives batches back by the grace period, so in handfuls: a CPU keeps enough for that.
uint32_t BatchHandful(const RcuDomain& rcu) {
  constexpr uint32_t kLeast = 64;
  constexpr uint32_t kMost = 1024;
  return std::clamp(rcu.batch_size(), kLeast, kMost);
}

}  // namespace

absl::Status TlbSystem::CheckOptions(const Options& options) {
  if (options.full_flush_threshold > ShootdownBatch::kMaxRanges) {
    return absl::InvalidArgumentError(absl::StrFormat("full_flush_threshold %u is above %u",
                                                      options.full_flush_threshold,
                                                      ShootdownBatch::kMaxRanges));
  }
  if (!std::has_single_bit(options.tlb_sets)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("tlb_sets %u is not a power of two", options.tlb_sets));
  }
  if (options.tlb_ways == 0) return absl::InvalidArgumentError("tlb_ways 0 is not above 0");
  if (uint64_t{options.tlb_sets} * options.tlb_ways > SoftTlb::kMaxEntries) {
    return absl::InvalidArgumentError(absl::StrFormat("tlb_sets %u times tlb_ways %u is above %u",
                                                      options.tlb_sets, options.tlb_ways,
                                                      SoftTlb::kMaxEntries));
  }
  if (options.tags_per_cpu == 0 || options.tags_per_cpu > TagTable::kMaxSlots) {
    return absl::InvalidArgumentError(absl::StrFormat("tags_per_cpu %u is not in [1, %u]",
                                                      options.tags_per_cpu, TagTable::kMaxSlots));
  }
  return absl::OkStatus();
}

TlbSystem::TlbSystem(CpuRegistry& cpus, RcuDomain& rcu, IpiBus& bus, FrameTable& frames,
                     const Options& options, ShootdownTransport* transport)
    : cpus_(cpus),
      rcu_(rcu),
      bus_(bus),
      frames_(frames),
      options_(options),
      issued_(cpus),
      batches_(cpus),
      full_flushes_(cpus),
      lazy_skips_(cpus),
      lazy_catchups_(cpus),
      mailboxes_(cpus, bus),
      transport_(transport != nullptr ? *transport : mailboxes_),
      transport_scope_(transport_.scope()),
      per_cpu_(cpus),
      chunks_(cpus, kChunkHandful, [] { return std::make_unique<FrameRunChunk>(); }),
      pool_(cpus, BatchHandful(rcu), [this] { return std::make_unique<ShootdownBatch>(*this); }),
      retired_runs_(cpus, BatchHandful(rcu),
                    [this] { return std::make_unique<RetiredRun>(*this); }) {
  const absl::Status status = CheckOptions(options);
  PADDOCK_CHECK(status.ok(), status.ToString());
  for (uint32_t i = 0; i < per_cpu_.size(); ++i) {
    PerCpu& cpu = per_cpu_.At(CpuId{i});
    cpu.tlb = std::make_unique<SoftTlb>(options_.tlb_sets, options_.tlb_ways);
    cpu.tags = std::make_unique<TagTable>(options_.tags_per_cpu);
  }
  cpus_.AddObserver(this);
}

TlbSystem::~TlbSystem() {
  if (pool_.InUse() + retired_runs_.InUse() != 0) {
    absl::StatusOr<CpuPin> pin = cpus_.Pin(CpuId{0});
    PADDOCK_CHECK(pin.ok(), "a TlbSystem is destroyed while CPUs are in use");
    rcu_.Drain(*pin);
  }
  cpus_.RemoveObserver(this);
}

uint64_t TlbSystem::NextTag() {
  // order: relaxed; only uniqueness matters.
  return next_tag_.fetch_add(1, sync::relaxed);
}

void TlbSystem::RegisterMachineContext(TlbContext& context) {
  for (uint32_t cpu = 0; cpu < cpus_.size(); ++cpu) {
    context.holders_.Add(CpuId{cpu}, sync::seq_cst);
    context.active_.Add(CpuId{cpu}, sync::seq_cst);
  }
  TlbContext* none = nullptr;
  PADDOCK_CHECK(machine_context_.compare_exchange(none, &context, sync::seq_cst, sync::seq_cst),
                "a machine has one context of its own");
}

void TlbSystem::UnregisterMachineContext(TlbContext& context) {
  TlbContext* expected = &context;
  PADDOCK_CHECK(machine_context_.compare_exchange(expected, nullptr, sync::seq_cst, sync::seq_cst),
                "the machine's context is another one");
}

void TlbSystem::Activate(const CpuPin& pin, TlbContext& context) {
  PerCpu& cpu = per_cpu_.Get(pin);
  if (cpu.current == &context) return;
  PADDOCK_CHECK(context.scope() == TlbScope::kSpace, "the machine's context is not run by a CPU");
  // race: 1. Activation against dispatch.
  //   activating CPU: joins holders, active   | dispatcher: changes the entry
  //   activating CPU: reads the generation    | dispatcher: looks at holders
  //   activating CPU: walks, fills its TLB    | dispatcher: counts the generation, reads active
  // All of it is seq_cst, so one side sees the other: the dispatcher finds this CPU in the set, or
  // this CPU comes after what the dispatcher did. In the second case, if others hold entries, it
  // reads the new generation and flushes what it kept from earlier; if nobody does, it cannot have
  // kept anything, and its walks read the changed entry. Join after reading the generation, or read
  // the set before counting, and a CPU that kept old entries is told by neither. The walk is part
  // of it (Node::LoadAsHardware): with acquire loads C++ would let it read the old entry, after a
  // dispatcher that believed to be alone.
  context.holders_.Add(pin.cpu(), sync::seq_cst);
  context.active_.Add(pin.cpu(), sync::seq_cst);
  if (options_.tag_mode == TagMode::kUntagged) {
    cpu.tlb->FlushNonGlobal();
    cpu.tags->Clear();
  }
  CatchUp(pin, cpu, context);
  // The old space leaves its set after the new one is in: every moment at least one is told.
  if (TlbContext* left = std::exchange(cpu.current, &context)) Leave(pin, *left);
}

void TlbSystem::Deactivate(const CpuPin& pin) {
  PerCpu& cpu = per_cpu_.Get(pin);
  TlbContext* left = std::exchange(cpu.current, nullptr);
  if (left == nullptr) return;
  if (options_.tag_mode == TagMode::kUntagged) {
    cpu.tlb->FlushNonGlobal();
    cpu.tags->Clear();
  }
  Leave(pin, *left);
}

void TlbSystem::Leave(const CpuPin& pin, TlbContext& context) {
  // race: 4. Switching away with tags.
  //   this CPU: leaves active, keeps entries  | dispatcher: counts the generation, active lacks it
  //   this CPU: runs another space            | dispatcher: frames are freed and used again
  //   this CPU: activates the space again: the old entries must not be found
  // It stays in holders, so that a dispatcher does not believe to be alone and counts the
  // generation; the comparison in Activate then flushes. Without tags nothing was kept, and it
  // leaves both.
  context.active_.Remove(pin.cpu(), sync::seq_cst);
  if (options_.tag_mode == TagMode::kUntagged) context.holders_.Remove(pin.cpu(), sync::seq_cst);
}

void TlbSystem::CatchUp(const CpuPin& pin, PerCpu& cpu, const TlbContext& context) {
  const uint64_t generation = context.generation();
  const TagTable::Place place = cpu.tags->FindOrEvict(context.tag());
  if (place.evicted != 0) cpu.tlb->FlushTag(place.evicted);
  if (!place.is_new && place.slot->seen != generation) {
    cpu.tlb->FlushTag(context.tag());
    lazy_catchups_.Add(pin, 1);
  }
  place.slot->seen = generation;
}

void TlbSystem::CatchUpMachine(const CpuPin& pin, PerCpu& cpu, const TlbContext& context) {
  const uint64_t generation = context.generation();
  if (cpu.machine.tag == context.tag() && cpu.machine.seen == generation) return;
  cpu.tlb->FlushAll();
  cpu.machine = TagTable::Slot{context.tag(), generation, 0};
  lazy_catchups_.Add(pin, 1);
}

void TlbSystem::OnWake(const CpuPin& pin) {
  // race: 3. Waking against a dispatch.
  //   dispatcher: counts the generation       | this CPU: is idle
  //   dispatcher: sends, is told idle         | this CPU: stops being idle
  //   dispatcher: frames are freed            | this CPU: compares generations, uses its TLB
  // The mailbox lock orders "is told idle" and "stops being idle". If the sender was first, the
  // generation that it counted before is visible here and the entries go; if this CPU was, the
  // request is queued. Counting after sending, or comparing before the bus's own OnWake, would lose
  // the flush. Spaces that are not current wait for Activate, which compares anyway.
  PerCpu& cpu = per_cpu_.Get(pin);
  if (cpu.current != nullptr) CatchUp(pin, cpu, *cpu.current);
  if (const TlbContext* machine = machine_context_.load(sync::seq_cst)) {
    CatchUpMachine(pin, cpu, *machine);
  }
}

void TlbSystem::OnIdle(const CpuPin&) {}

TlbStats TlbSystem::stats() const {
  return TlbStats{.issued = issued_.Sum(),
                  .batches = batches_.Sum(),
                  .interrupts = mailboxes_.kicks(),
                  .interrupts_saved = mailboxes_.coalesced() + mailboxes_.idle(),
                  .full_flushes = full_flushes_.Sum(),
                  .lazy_skips = lazy_skips_.Sum() + mailboxes_.idle(),
                  .lazy_catchups = lazy_catchups_.Sum()};
}

uint64_t TlbSystem::allocations() const {
  return pool_.allocated() + retired_runs_.allocated() + chunks_.allocated();
}

}  // namespace paddock

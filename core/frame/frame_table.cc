// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/frame/frame_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "paddock/core/frame/buddy_allocator.h"

namespace paddock {
namespace {

constexpr uint64_t kMaxRunPages = uint64_t{1} << kMaxFrameOrder;
constexpr uint32_t kHighestLimit = 0x7fff'ffff;

bool IsShared(uint32_t count) { return count != kRefUnused && count < kRefBusy; }

}  // namespace

absl::StatusOr<std::unique_ptr<FrameTable>> FrameTable::Create(PhysicalMemory& memory,
                                                               CpuRegistry& cpus, Options options) {
  if (options.max_references == 0 || options.max_references > kHighestLimit) {
    return absl::InvalidArgumentError(absl::StrFormat("max_references %u is not in [1, %#x]",
                                                      options.max_references, kHighestLimit));
  }
  const uint64_t frames = memory.size() >> kPageBits;
  if (frames >= std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%u frames of physical memory are more than 2^32 - 2", frames));
  }
  absl::StatusOr<MappedRegion> slots = MappedRegion::Anonymous(frames * sizeof(MetaSlot));
  if (!slots.ok()) return slots.status();
  std::unique_ptr<FrameTable> table(new FrameTable(memory, *std::move(slots), std::move(options)));
  table->allocator_ = std::make_unique<BuddyAllocator>(table->slots_, memory.range(), cpus);
  if (table->options_.wrap_allocator) {
    table->allocator_ = table->options_.wrap_allocator(std::move(table->allocator_));
    if (table->allocator_ == nullptr) {
      return absl::InvalidArgumentError("wrap_allocator returned no allocator");
    }
  }
  return table;
}

FrameTable::FrameTable(PhysicalMemory& memory, MappedRegion slots, Options options)
    : memory_(memory),
      base_(memory.base()),
      data_(memory.Data(memory.base())),
      region_(std::move(slots)),
      slots_(reinterpret_cast<MetaSlot*>(region_.data())),
      options_(std::move(options)) {}

FrameTable::~FrameTable() = default;

absl::Status FrameTable::NoFrame(uint64_t pages) {
  return absl::ResourceExhaustedError(
      pages == 1 ? "no free frame" : absl::StrFormat("no %u free neighbouring frames", pages));
}

absl::StatusOr<PhysAddr> FrameTable::AllocateRaw(const MetaVtable& kind, Zeroing zeroing) {
  const std::optional<PhysAddr> address = TakeFrame(zeroing);
  if (!address) return NoFrame(1);
  std::memset(slot(*address).payload, 0, sizeof(MetaSlot::payload));
  Publish(*address, kind, Ownership::kShared);
  return *address;
}

absl::StatusOr<FrameRun> FrameTable::TakeRun(uint64_t pages, uint64_t align_pages,
                                             Zeroing zeroing) {
  if (pages == 0 || pages > kMaxRunPages) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a segment has 1 to %u frames, not %u", kMaxRunPages, pages));
  }
  if (!std::has_single_bit(align_pages) || align_pages > kMaxRunPages) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "an alignment of %u frames is not a power of two up to %u", align_pages, kMaxRunPages));
  }
  const uint64_t block_pages = std::max(std::bit_ceil(pages), align_pages);
  const std::optional<PhysAddr> block = allocator_->Allocate(std::countr_zero(block_pages));
  if (!block) return NoFrame(pages);
  FreeRun(block->Plus(pages * kPageSize), block_pages - pages);
  for (uint64_t page = 0; page < pages; ++page) {
    BeginBuilding(block->Plus(page * kPageSize), zeroing);
  }
  return FrameRun{*block, pages};
}

absl::Status FrameTable::TakeFrameAt(PhysAddr address) {
  if (absl::Status status = CheckFrameAddress(address); !status.ok()) return status;
  // order: relaxed; a hint for the message. The allocator decides who gets the frame.
  if (slot(address).ref_count.load(sync::relaxed) != kRefUnused) {
    return absl::FailedPreconditionError(absl::StrFormat("frame %#x is in use", address.value()));
  }
  if (!allocator_->AllocateAt(address)) {
    return absl::UnavailableError(absl::StrFormat(
        "frame %#x is not in the free lists: in a CPU's magazine, or just taken", address.value()));
  }
  BeginBuilding(address, Zeroing::kLeave);
  return absl::OkStatus();
}

absl::Status FrameTable::CheckFrameAddress(PhysAddr address) const {
  if (!address.IsAligned(kPageSize)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("frame address %#x is not aligned to 4 KiB", address.value()));
  }
  if (!Contains(address)) {
    const PhysRange memory = memory_.range();
    return absl::OutOfRangeError(
        absl::StrFormat("frame %#x is outside the physical memory [%#x, %#x)", address.value(),
                        memory.start.value(), memory.end.value()));
  }
  return absl::OkStatus();
}

absl::Status FrameTable::AddReference(PhysAddr address) {
  absl::Status status = AcquireInUse(address);
  PADDOCK_CHECK(status.ok() || absl::IsResourceExhausted(status),
                "a reference is added to a frame without a shared owner");
  return status;
}

absl::Status FrameTable::AcquireInUse(PhysAddr address) {
  if (absl::Status status = CheckFrameAddress(address); !status.ok()) return status;
  sync::Atomic<uint32_t>& count = slot(address).ref_count;
  // order: relaxed; the compare-exchange decides.
  uint32_t seen = count.load(sync::relaxed);
  do {
    if (!IsShared(seen)) {
      const char* state = seen == kRefUnused   ? "unused"
                          : seen == kRefUnique ? "owned by a unique handle"
                                               : "being built or dropped";
      return absl::FailedPreconditionError(
          absl::StrFormat("frame %#x is %s", address.value(), state));
    }
    if (seen >= options_.max_references) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("frame %#x has %u references, the most allowed", address.value(), seen));
    }
    // order: acquire pairs with the release in Publish, for FromInUse, which starts from no
    // reference. Adding to a reference that one has needs no order.
  } while (!count.compare_exchange_weak(seen, seen + 1, sync::acquire, sync::relaxed));
  return absl::OkStatus();
}

absl::Status FrameTable::AddReferences(FrameRun run) {
  for (uint64_t page = 0; page < run.pages; ++page) {
    absl::Status status = AddReference(run.start.Plus(page * kPageSize));
    if (status.ok()) continue;
    // The caller's own references keep these from being the last ones.
    Release(FrameRun{run.start, page});
    return status;
  }
  return absl::OkStatus();
}

bool FrameTable::DropReference(MetaSlot& slot) {
  // order: release on every decrement, so that what this owner did with the frame happens before
  // the last owner drops it; acquire on the last one, which pairs with the others' releases
  // (decrements are read-modify-writes, so each continues the release sequences of those before).
  const uint32_t before = slot.ref_count.fetch_sub(1, sync::acq_rel);
  PADDOCK_CHECK(IsShared(before), "a reference is released that nobody owns");
  return before == 1;
}

void FrameTable::Release(FrameRun run) {
  if (run.pages != 1) return ReleaseRun(run);
  MetaSlot& slot = this->slot(run.start);
  if (!DropReference(slot)) return;
  Retire(run.start, slot);
  allocator_->Free(run.start, 0);
}

void FrameTable::ReleaseRun(FrameRun run) {
  // Frames that died next to each other, not yet given back.
  FrameRun dead{run.start, 0};
  for (uint64_t page = 0; page < run.pages; ++page) {
    const PhysAddr address = run.start.Plus(page * kPageSize);
    MetaSlot& slot = this->slot(address);
    if (DropReference(slot)) {
      Retire(address, slot);
      ++dead.pages;
      continue;
    }
    FreeRun(dead.start, dead.pages);
    dead = FrameRun{address.Plus(kPageSize), 0};
  }
  FreeRun(dead.start, dead.pages);
}

void FrameTable::Retire(PhysAddr address, MetaSlot& slot) {
  // order: relaxed; the caller has exclusive access, and everything before was acquired by
  // DropReference.
  const MetaVtable& kind = *slot.kind.load(sync::relaxed);
  if (kind.drop != nullptr) {
    // order: relaxed; a count of 0 is raised by nobody, and the allocator does not have the frame.
    slot.ref_count.store(kRefBusy, sync::relaxed);
    kind.drop(*this, address, slot);
  }
  slot.kind.store(nullptr, sync::relaxed);
  const uint32_t generation = slot.generation.load(sync::relaxed);
  // order: relaxed, both: the allocator orders the frame's next use, and who finds it unused or of
  // another generation reads nothing else.
  slot.generation.store(generation + 1, sync::relaxed);
  slot.ref_count.store(kRefUnused, sync::relaxed);
}

void FrameTable::FreeRun(PhysAddr start, uint64_t pages) {
  while (pages > 0) {
    const int aligned = start.value() == 0 ? kMaxFrameOrder : std::countr_zero(start.PageNumber());
    const int fitting = static_cast<int>(std::bit_width(pages)) - 1;
    const int order = std::min({aligned, fitting, kMaxFrameOrder});
    allocator_->Free(start, order);
    start = start.Plus(kPageSize << order);
    pages -= uint64_t{1} << order;
  }
}

void FrameTable::ReleaseUnique(PhysAddr address) {
  MetaSlot& slot = this->slot(address);
  // order: relaxed, both; only the unique owner leaves this state.
  PADDOCK_CHECK(slot.ref_count.load(sync::relaxed) == kRefUnique,
                "a unique frame is released that is not unique");
  Retire(address, slot);
  FreeRun(address, 1);
}

void FrameTable::DropUnique(PhysAddr address) {
  MetaSlot& slot = this->slot(address);
  // order: relaxed, all of them; only the unique owner leaves this state.
  PADDOCK_CHECK(slot.ref_count.load(sync::relaxed) == kRefUnique,
                "a frame is repurposed that is not unique");
  slot.ref_count.store(kRefBusy, sync::relaxed);
  const MetaVtable& kind = *slot.kind.load(sync::relaxed);
  if (kind.drop != nullptr) kind.drop(*this, address, slot);
}

absl::Status FrameTable::MakeUnique(PhysAddr address) {
  uint32_t count = 1;
  // order: acquire pairs with the releases in DropReference: what former owners did is over. A
  // failure reads nothing.
  if (slot(address).ref_count.compare_exchange(count, kRefUnique, sync::acquire, sync::relaxed)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrFormat("frame %#x has %u owners, not one", address.value(), count));
}

void FrameTable::MakeShared(PhysAddr address) {
  // order: release pairs with the acquire in AcquireInUse: a new owner sees the unique one's
  // changes.
  slot(address).ref_count.store(1, sync::release);
}

void FrameTable::AddFlags(FrameRun run, PageFlags flags) {
  uint8_t bits = 0;
  if (HasAny(flags, PageFlags::kAccessed)) bits |= kSlotAccessed;
  if (HasAny(flags, PageFlags::kDirty)) bits |= kSlotDirty;
  for (uint64_t page = 0; page < run.pages; ++page) {
    MetaSlot& slot = this->slot(run.start.Plus(page * kPageSize));
    // order: relaxed, both; bits are only ever added, and say nothing about other memory.
    if ((slot.flags.load(sync::relaxed) & bits) == bits) continue;
    slot.flags.fetch_or(bits, sync::relaxed);
  }
}

void FrameTable::ForEachInUse(absl::FunctionRef<void(PhysAddr, const MetaSlot&)> visit) const {
  const uint64_t used = used_pages();
  uint64_t seen = 0;
  for (uint64_t frame = 0; frame < total_pages() && seen < used; ++frame) {
    const MetaSlot& slot = slots_[frame];
    // order: acquire pairs with the release in Publish: kind and metadata are there.
    const uint32_t count = slot.ref_count.load(sync::acquire);
    if (count == kRefUnused || count == kRefBusy) continue;
    ++seen;
    visit(address(slot), slot);
  }
}

}  // namespace paddock

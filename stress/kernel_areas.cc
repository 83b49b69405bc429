// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/kernel_areas.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "paddock/core/space/kernel_space.h"

namespace paddock {
namespace {

constexpr VirtAddr kWindowStart(0xffff'fe00'0000'0000);
constexpr uint64_t kGiB = uint64_t{1} << 30;

}  // namespace

AreaFacts AreaFacts::Split(uint64_t page) {
  AreaFacts rest = *this;
  const uint64_t before = page <= first ? 0 : std::min(page - first, mapped);
  rest.start = Page(page);
  rest.pages = pages - page;
  rest.first = first > page ? first - page : 0;
  rest.mapped = mapped - before;
  rest.index = index + before;
  rest.physical = physical.Plus(before * kPageSize);
  pages = page;
  first = std::min(first, page);
  mapped = before;
  return rest;
}

AreaFacts AreaSlot::facts() const {
  // order: acquire, all; the look at changes() that follows stays behind them.
  const auto word = [this](int i) { return words_[i].load(sync::acquire); };
  return {.start = VirtAddr(word(0)),
          .pages = word(1),
          .first = word(2),
          .mapped = word(3),
          .id = static_cast<uint32_t>(word(4)),
          .index = word(5),
          .kind = static_cast<AreaKind>(word(6)),
          .rights = static_cast<AccessKind>(word(7)),
          .physical = PhysAddr(word(8))};
}

void AreaSlot::Publish(const AreaFacts& facts) {
  const uint64_t words[9] = {facts.start.value(),
                             facts.pages,
                             facts.first,
                             facts.mapped,
                             facts.id,
                             facts.index,
                             static_cast<uint64_t>(facts.kind),
                             static_cast<uint64_t>(facts.rights),
                             facts.physical.value()};
  for (int i = 0; i < 9; ++i) {
    // order: release; whoever reads a new word sees the odd number of changes, or a later one.
    words_[i].store(words[i], sync::release);
  }
  changes_.fetch_add(1, sync::seq_cst);
}

KernelLayout KernelAreas::Layout() {
  KernelLayout layout;
  layout.dynamic_window = {kWindowStart, kWindowStart.Plus(kWindowPages * kPageSize)};
  layout.quarantine_areas = 16;
  layout.quarantine_pages = 256;
  return layout;
}

absl::StatusOr<std::unique_ptr<KernelAreas>> KernelAreas::Create(Machine& machine, uint32_t slots) {
  std::unique_ptr<KernelAreas> areas(new KernelAreas(machine, slots));
  if (slots != 0) {
    absl::StatusOr<USegment> device =
        machine.frames().AllocateSegment(kDevicePages, 1, Untyped{}, Zeroing::kZero);
    if (!device.ok()) return device.status();
    areas->device_ = *std::move(device);
  }
  return areas;
}

PhysRange KernelAreas::Uncounted(AreaKind kind, uint64_t pages) const {
  const PhysAddr start =
      kind == AreaKind::kDevice ? device_.start() : machine_.memory().range().end;
  return {start, start.Plus(pages * kPageSize)};
}

uint64_t KernelAreas::MarkUsed(VirtRange area) {
  uint64_t reused = 0;
  const uint64_t first = area.start.PageNumber() - kWindowStart.PageNumber();
  for (uint64_t page = first; page < first + area.size() / kPageSize; ++page) {
    const uint64_t bit = uint64_t{1} << page % 64;
    reused += (used_[page / 64].fetch_or(bit, sync::seq_cst) & bit) != 0 ? 1 : 0;
  }
  return reused;
}

uint64_t KernelAreas::Close(const CpuPin& pin, ViolationSink& sink,
                            std::vector<Balance>& balances) {
  if (size_ == 0) return 0;
  KernelSpace& kernel = machine_.kernel();
  const auto judge = [&](std::string_view what, const absl::Status& status) {
    if (!status.ok())
      sink.Report(kBooksOracle, absl::StrCat(std::string(what), ": ", status.ToString()));
  };
  judge("kernel areas at rest", kernel.CheckInvariants(pin));
  // Every second one by its destructor.
  for (uint32_t i = 0; i < size_; ++i) {
    if (i % 2 == 0) judge("destroying a kernel area", slots_[i].area.Destroy(pin));
    slots_[i].area = KVirtArea();
  }
  kernel.FlushDestroyedAreas(pin);
  judge("the kernel space without areas", kernel.CheckInvariants(pin));
  const KernelSpaceStats stats = kernel.stats();
  balances.push_back({"kernel areas at the end", 0, stats.areas});
  balances.push_back({"pages of kernel areas not flushed at the end", 0, stats.quarantined_pages});
  balances.push_back(
      {"free pages of the kernel's window at the end", kWindowPages, stats.free_pages});
  // The tables that areas left behind.
  const VirtRange all{kWindowStart, kWindowStart.Plus(kGiB)};
  absl::StatusOr<KernelSpace::CursorMut> cursor =
      kernel.table().OpenCursorMut(pin, all, {.intent = Intent::kNoMap});
  if (!cursor.ok()) {
    judge("the kernel's window", cursor.status());
    return stats.destroyed;
  }
  const absl::StatusOr<Removed> removed = cursor->Unmap(all.size());
  judge("the kernel's window", removed.status());
  if (removed.ok()) {
    balances.push_back({"pages mapped in the kernel's window at the end", 0, removed->pages});
  }
  return stats.destroyed + 1;
}

}  // namespace paddock

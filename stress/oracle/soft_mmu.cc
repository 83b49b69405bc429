// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/soft_mmu.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"

namespace paddock {
namespace {

// SDM volume 3, tables 4-14 to 4-20.
constexpr uint64_t kP = 1ull << 0;
constexpr uint64_t kRw = 1ull << 1;
constexpr uint64_t kUs = 1ull << 2;
constexpr uint64_t kPwt = 1ull << 3;
constexpr uint64_t kPcd = 1ull << 4;
constexpr uint64_t kA = 1ull << 5;
constexpr uint64_t kD = 1ull << 6;
constexpr uint64_t kPs = 1ull << 7;        // in a table of level 2 or 3
constexpr uint64_t kPatSmall = 1ull << 7;  // in a table of level 1
constexpr uint64_t kG = 1ull << 8;
constexpr uint64_t kPatLarge = 1ull << 12;
constexpr uint64_t kXd = 1ull << 63;
constexpr uint64_t kAddress = 0x000f'ffff'ffff'f000;

constexpr size_t kKeptViolations = 16;

constexpr uint64_t BytesMapped(int level) { return 1ull << (12 + 9 * (level - 1)); }
constexpr uint64_t IndexOf(uint64_t va, int level) { return (va >> (12 + 9 * (level - 1))) & 511; }

// Bits that must be zero in a present entry.
uint64_t Reserved(uint64_t entry, int level, bool leaf, const MmuConfig& config) {
  uint64_t reserved = kAddress & ~((1ull << config.physical_bits) - 1);
  if (!config.no_execute) reserved |= kXd;
  if (level > 3) reserved |= kPs;
  if (level == 3 && !config.gigabyte_pages) reserved |= kPs;
  // Below the frame of a large page only bit 12, PAT, is defined.
  if (leaf && level > 1) reserved |= (BytesMapped(level) - 1) & kAddress & ~kPatLarge;
  return entry & reserved;
}

uint8_t PatIndex(uint64_t leaf, int level) {
  const bool pat = (leaf & (level == 1 ? kPatSmall : kPatLarge)) != 0;
  return static_cast<uint8_t>((pat ? 4 : 0) | (leaf & kPcd ? 2 : 0) | (leaf & kPwt ? 1 : 0));
}

bool IsCanonical(uint64_t va, int levels) {
  const int unused = 64 - (12 + 9 * levels);
  return static_cast<uint64_t>(static_cast<int64_t>(va << unused) >> unused) == va;
}

}  // namespace

bool SoftMmu::Inside(uint64_t physical, uint64_t bytes) const {
  return physical >= memory_.first && bytes <= memory_.size &&
         physical - memory_.first <= memory_.size - bytes;
}

SoftMmu::Step SoftMmu::Violation(MmuWalk& walk, const std::string& what) {
  walk.outcome = MmuOutcome::kViolation;
  walk.violation = absl::StrFormat("walk of 0x%x at level %d: %s", walk.va, walk.level, what);
  return Step::kViolation;
}

bool SoftMmu::CheckTable(uint64_t table, int level, NodePredicate is_live_node,
                         MmuWalk& walk) const {
  walk.level = level;
  if (!Inside(table, 4096)) {
    Violation(walk, absl::StrFormat("table 0x%x is outside physical memory", table));
    return false;
  }
  if (!is_live_node(table, level)) {
    Violation(walk, absl::StrFormat("frame 0x%x is not a live node of level %d", table, level));
    return false;
  }
  return true;
}

SoftMmu::Step SoftMmu::Decide(uint64_t table, int level, Rights& rights, MmuWalk& walk) const {
  walk.level = level;
  walk.entry_address = table + 8 * IndexOf(walk.va, level);
  const auto* entry_at =
      reinterpret_cast<const uint64_t*>(memory_.data + (walk.entry_address - memory_.first));
  // order: acquire; pairs with the release store that publishes a table, so that its zeroed or
  // filled entries and its metadata are seen by whoever sees the pointer.
  const uint64_t entry = __atomic_load_n(entry_at, __ATOMIC_ACQUIRE);
  walk.entry = entry;
  if (!(entry & kP)) {
    walk.outcome = MmuOutcome::kNotPresent;
    return Step::kAbsent;
  }
  const bool leaf = level == 1 || (level <= 3 && (entry & kPs));
  if (const uint64_t bits = Reserved(entry, level, leaf, config_)) {
    return Violation(walk, absl::StrFormat("entry 0x%x at 0x%x has reserved bits 0x%x set", entry,
                                           walk.entry_address, bits));
  }
  rights.writable &= (entry & kRw) != 0;
  rights.user &= (entry & kUs) != 0;
  rights.executable &= (entry & kXd) == 0;
  if (!leaf) return Step::kTable;

  const uint64_t bytes = BytesMapped(level);
  const uint64_t page = entry & kAddress & ~(bytes - 1);
  if (config_.leaves == MmuLeafPlace::kInsideMemory && !Inside(page, bytes)) {
    return Violation(walk,
                     absl::StrFormat("leaf 0x%x maps 0x%x, outside physical memory", entry, page));
  }
  walk.outcome = MmuOutcome::kTranslated;
  walk.translation = {.physical = page + (walk.va & (bytes - 1)),
                      .page_bytes = bytes,
                      .writable = rights.writable,
                      .user = rights.user,
                      .executable = rights.executable,
                      .global = (entry & kG) != 0,
                      .accessed = (entry & kA) != 0,
                      .dirty = (entry & kD) != 0,
                      .pat_index = PatIndex(entry, level),
                      .leaf = entry};
  return Step::kLeaf;
}

MmuWalk SoftMmu::Walk(uint64_t root, uint64_t va, NodePredicate is_live_node) const {
  MmuWalk walk;
  walk.va = va;
  if (!IsCanonical(va, config_.levels)) {
    walk.outcome = MmuOutcome::kNonCanonical;
    return walk;
  }
  Rights rights;
  uint64_t table = root;
  for (int level = config_.levels; level >= 1; --level) {
    if (!CheckTable(table, level, is_live_node, walk)) break;
    if (Decide(table, level, rights, walk) != Step::kTable) break;
    table = walk.entry & kAddress;
  }
  return walk;
}

struct SoftMmu::Scanner {
  const SoftMmu& mmu;
  uint64_t last;
  NodePredicate is_live_node;
  LeafVisitor visit;
  MmuScan scan;
  absl::flat_hash_set<uint64_t> seen;

  void Keep(std::string what) {
    if (scan.violations.size() < kKeptViolations) scan.violations.push_back(std::move(what));
  }

  // `first` is inside the span of the node.
  void Visit(uint64_t table, int level, uint64_t first, Rights rights) {
    if (!seen.insert(table).second) {
      Keep(absl::StrFormat("table 0x%x is reached twice, the second time for 0x%x at level %d",
                           table, first, level));
      return;
    }
    MmuWalk entry;
    entry.va = first;
    if (!mmu.CheckTable(table, level, is_live_node, entry)) return Keep(std::move(entry.violation));
    ++scan.nodes;
    const uint64_t span = BytesMapped(level);
    const uint64_t index = IndexOf(first, level);
    uint64_t va = first;
    for (uint64_t i = index; i < 512; ++i) {
      MmuWalk walk;
      walk.va = va;
      Rights here = rights;
      switch (mmu.Decide(table, level, here, walk)) {
        case Step::kTable:
          Visit(walk.entry & kAddress, level - 1, va, here);
          break;
        case Step::kLeaf: {
          ++scan.leaves;
          const uint64_t offset = va & (span - 1);
          walk.translation.physical -= offset;
          visit(va - offset, walk.translation);
          break;
        }
        case Step::kAbsent:
          break;
        case Step::kViolation:
          Keep(std::move(walk.violation));
          break;
      }
      const uint64_t next = (va & ~(span - 1)) + span;
      if (next == 0 || next > last) return;
      // Past the middle of the lower half's top the addresses are sign-extended.
      va = level == mmu.config_.levels && i == 255 ? 0 - span * 256 : next;
      if (va > last) return;
    }
  }
};

MmuScan SoftMmu::Scan(uint64_t root, uint64_t first, uint64_t last, NodePredicate is_live_node,
                      LeafVisitor visit) const {
  const uint64_t lower_last = (1ull << (12 + 9 * config_.levels - 1)) - 1;
  if (!IsCanonical(first, config_.levels)) first = ~lower_last;
  if (!IsCanonical(last, config_.levels)) last = lower_last;
  Scanner scanner{*this, last, is_live_node, visit, {}, {}};
  if (first <= last) scanner.Visit(root, config_.levels, first, Rights{});
  return std::move(scanner.scan);
}

std::string Describe(const MmuWalk& walk) {
  switch (walk.outcome) {
    case MmuOutcome::kTranslated:
      return absl::StrFormat(
          "0x%x -> 0x%x (%d KiB page, %s%s%s%s%s%s, leaf 0x%x)", walk.va, walk.translation.physical,
          walk.translation.page_bytes / 1024, walk.translation.writable ? "w" : "-",
          walk.translation.executable ? "x" : "-", walk.translation.user ? "u" : "-",
          walk.translation.global ? "g" : "-", walk.translation.accessed ? "a" : "-",
          walk.translation.dirty ? "d" : "-", walk.translation.leaf);
    case MmuOutcome::kNotPresent:
      return absl::StrFormat("0x%x -> fault: entry 0x%x of level %d is absent", walk.va, walk.entry,
                             walk.level);
    case MmuOutcome::kNonCanonical:
      return absl::StrFormat("0x%x -> fault: not canonical", walk.va);
    case MmuOutcome::kViolation:
      return walk.violation;
  }
  return "";
}

}  // namespace paddock

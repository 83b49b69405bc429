// SPDX-License-Identifier: Apache-2.0
//
// A second opinion: an x86-64 MMU in software, written from the manuals (Intel SDM volume 3 chapter
// 4, AMD APM volume 2 chapter 5) and from nothing else. It shares no code and no constant with the
// tables that it reads, so a mistake there is not repeated here.
//
//   SoftMmu mmu({.data = memory, .size = bytes});
//   MmuWalk walk = mmu.Walk(root, va, [&](uint64_t frame, int level) { return IsNode(frame, level);
//   }); if (walk.outcome == MmuOutcome::kViolation) puts(Describe(walk).c_str());
//
// It reads entries as the processor does, one aligned 64-bit load each, while others may change
// them. The `live node` predicate is asked about every table before it is read, with the level of
// that node (the root has the highest): under a read-side guard a node reached stays a node, so a
// false answer is a violation. Thread safety: const, any thread. Cost: four loads and four
// predicate calls; no allocation unless there is a violation.

#ifndef PADDOCK_STRESS_ORACLE_SOFT_MMU_H_
#define PADDOCK_STRESS_ORACLE_SOFT_MMU_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

namespace paddock {

struct MmuMemory {
  const std::byte* data = nullptr;  // aligned to 8
  uint64_t size = 0;                // in bytes
  uint64_t first = 0;               // the physical address of data[0]
};

enum class MmuLeafPlace { kInsideMemory, kAnywhere };

struct MmuConfig {
  int levels = 4;          // 4 or 5
  int physical_bits = 52;  // MAXPHYADDR; address bits above are reserved
  bool no_execute = true;  // EFER.NXE; without it bit 63 is reserved
  bool gigabyte_pages = true;
  MmuLeafPlace leaves = MmuLeafPlace::kInsideMemory;  // kAnywhere: device memory may be mapped
};

// Rights are those of the whole path: a table entry may take away what the leaf grants.
struct MmuTranslation {
  uint64_t physical = 0;    // of the address walked
  uint64_t page_bytes = 0;  // 4 KiB, 2 MiB or 1 GiB
  bool writable = false;
  bool user = false;
  bool executable = false;
  bool global = false;
  bool accessed = false;
  bool dirty = false;
  uint8_t pat_index = 0;  // 0..7: PAT, PCD, PWT
  uint64_t leaf = 0;      // the entry as read

  friend bool operator==(const MmuTranslation&, const MmuTranslation&) = default;
};

enum class MmuOutcome {
  kTranslated,
  kNotPresent,    // page fault: an entry is absent
  kNonCanonical,  // general protection: no entry was read
  kViolation,     // what a correct table never shows, see `violation`
};

struct MmuWalk {
  MmuOutcome outcome = MmuOutcome::kNotPresent;
  uint64_t va = 0;
  int level = 0;               // of the entry that decided; 0 if none was read
  uint64_t entry_address = 0;  // its physical address
  uint64_t entry = 0;
  MmuTranslation translation;  // kTranslated
  std::string violation;       // kViolation: what and where
};

struct MmuScan {
  uint64_t nodes = 0;                   // tables read, the root included
  uint64_t leaves = 0;                  // of any size
  std::vector<std::string> violations;  // the first 16
};

class SoftMmu {
 public:
  // `frame` is the physical address of a table, `level` what it is used as.
  using NodePredicate = absl::FunctionRef<bool(uint64_t frame, int level)>;
  // Leaves that begin before the scanned range or end after it are reported whole.
  using LeafVisitor = absl::FunctionRef<void(uint64_t va, const MmuTranslation&)>;

  explicit SoftMmu(MmuMemory memory, MmuConfig config = {}) : memory_(memory), config_(config) {}

  MmuWalk Walk(uint64_t root, uint64_t va, NodePredicate is_live_node) const;

  // Visits every leaf that translates an address in [first, last] (inclusive, so that the top can
  // be named), in ascending order, and every table on the way. Beyond what a walk checks, no table
  // may be reached twice. Meant for a table at rest: on a live one it sees each entry at another
  // moment, and a table that is moved meanwhile might be called a violation.
  MmuScan Scan(uint64_t root, uint64_t first, uint64_t last, NodePredicate is_live_node,
               LeafVisitor visit) const;

 private:
  struct Scanner;
  struct Rights {
    bool writable = true;
    bool user = true;
    bool executable = true;
  };
  enum class Step { kTable, kLeaf, kAbsent, kViolation };

  static Step Violation(MmuWalk& walk, const std::string& what);

  // Whether the frame may be read as a table of this level; if not, `walk` is a violation.
  bool CheckTable(uint64_t table, int level, NodePredicate is_live_node, MmuWalk& walk) const;
  // Reads the entry for `walk.va` in a table that passed, and says what it is.
  Step Decide(uint64_t table, int level, Rights& rights, MmuWalk& walk) const;
  bool Inside(uint64_t physical, uint64_t bytes) const;

  MmuMemory memory_;
  MmuConfig config_;
};

std::string Describe(const MmuWalk& walk);

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_SOFT_MMU_H_

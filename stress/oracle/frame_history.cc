// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/frame_history.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {
FrameHistory::FrameHistory(uint32_t workers, uint64_t mappings_per_worker)
    : mask_(std::bit_ceil(std::max<uint64_t>(mappings_per_worker, 1)) - 1), rings_(workers) {
  for (Ring& ring : rings_) ring.slots = std::make_unique<Slot[]>(mask_ + 1);
}

void FrameHistory::Record(uint32_t worker, const FrameMapping& mapping) {
  assert(worker < rings_.size());
  Ring& ring = rings_[worker];
  const uint64_t number = ring.next++;
  Slot& slot = ring.slots[number & mask_];
  const uint64_t words[5] = {mapping.ns, mapping.frame, mapping.va,
                             uint64_t{mapping.generation} << 32 | mapping.space,
                             uint64_t{mapping.pages} << 32 | mapping.cpu};
  // order: relaxed; the release of each word below keeps it before them.
  slot.sequence.store(2 * number + 1, std::memory_order_relaxed);
  for (int i = 0; i < 5; ++i) {
    // order: release; whoever reads a new word sees the odd sequence, or a later one.
    slot.words[i].store(words[i], std::memory_order_release);
  }
  // order: release; pairs with the acquire in Of: an even sequence stands for complete words.
  slot.sequence.store(2 * number + 2, std::memory_order_release);
}

std::vector<FrameMapping> FrameHistory::Of(uint64_t frame) const {
  std::vector<FrameMapping> mappings;
  for (const Ring& ring : rings_) {
    for (uint64_t i = 0; i <= mask_; ++i) {
      const Slot& slot = ring.slots[i];
      // order: acquire; pairs with the last release in Record.
      const uint64_t before = slot.sequence.load(std::memory_order_acquire);
      if (before == 0 || (before & 1)) continue;
      uint64_t words[5];
      for (int w = 0; w < 5; ++w) {
        // order: acquire; a word of a later mapping brings its odd sequence along.
        words[w] = slot.words[w].load(std::memory_order_acquire);
      }
      // order: relaxed; the acquires above keep it after the words.
      if (slot.sequence.load(std::memory_order_relaxed) != before) continue;
      const uint64_t pages = words[4] >> 32;
      if (frame < words[1] || frame - words[1] >= pages * 4096) continue;
      mappings.push_back({.ns = words[0],
                          .frame = words[1],
                          .va = words[2],
                          .pages = static_cast<uint32_t>(pages),
                          .generation = static_cast<uint32_t>(words[3] >> 32),
                          .space = static_cast<uint32_t>(words[3]),
                          .cpu = static_cast<uint32_t>(words[4])});
    }
  }
  std::sort(mappings.begin(), mappings.end(), [](const FrameMapping& a, const FrameMapping& b) {
    return std::tie(a.ns, a.generation) < std::tie(b.ns, b.generation);
  });
  return mappings;
}

std::string FrameHistory::Describe(uint64_t frame, size_t lines) const {
  const std::vector<FrameMapping> mappings = Of(frame);
  if (mappings.empty()) return "  no mapping of this frame is remembered";
  std::string text;
  const size_t from = mappings.size() - std::min(lines, mappings.size());
  if (from != 0) absl::StrAppend(&text, "  (", from, " earlier mappings)\n");
  for (size_t i = from; i < mappings.size(); ++i) {
    const FrameMapping& mapping = mappings[i];
    absl::StrAppendFormat(&text,
                          "  %d ns cpu %d: generation %d, %d pages mapped at 0x%x of space %d%s",
                          mapping.ns, mapping.cpu, mapping.generation, mapping.pages, mapping.va,
                          mapping.space, i + 1 == mappings.size() ? "" : "\n");
  }
  return text;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/frame_history.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {
namespace {

const char* NameOf(FrameEventKind kind) {
  switch (kind) {
    case FrameEventKind::kAllocated:
      return "allocated";
    case FrameEventKind::kMapped:
      return "mapped";
    case FrameEventKind::kUnmapped:
      return "unmapped";
    case FrameEventKind::kFreed:
      return "freed";
    case FrameEventKind::kFlushed:
      return "flushed";
    case FrameEventKind::kAccessed:
      return "accessed";
  }
  return "?";
}

}  // namespace

FrameHistory::FrameHistory(uint32_t workers, uint64_t events_per_worker)
    : mask_(std::bit_ceil(std::max<uint64_t>(events_per_worker, 1)) - 1), rings_(workers) {
  for (Ring& ring : rings_) ring.slots = std::make_unique<Slot[]>(mask_ + 1);
}

void FrameHistory::Record(uint32_t worker, const FrameEvent& event) {
  assert(worker < rings_.size());
  Ring& ring = rings_[worker];
  const uint64_t number = ring.next++;
  Slot& slot = ring.slots[number & mask_];
  const uint64_t words[5] = {event.ns, event.frame, event.va,
                             uint64_t{event.generation} << 32 | event.space,
                             uint64_t{event.cpu} << 8 | static_cast<uint8_t>(event.kind)};
  // order: relaxed; the release of each word below keeps it before them.
  slot.sequence.store(2 * number + 1, std::memory_order_relaxed);
  for (int i = 0; i < 5; ++i) {
    // order: release; whoever reads a new word sees the odd sequence, or a later one.
    slot.words[i].store(words[i], std::memory_order_release);
  }
  // order: release; pairs with the acquire in Of: an even sequence stands for complete words.
  slot.sequence.store(2 * number + 2, std::memory_order_release);
}

std::vector<FrameEvent> FrameHistory::Of(uint64_t frame) const {
  const uint64_t page = frame & ~uint64_t{4095};
  std::vector<FrameEvent> events;
  for (const Ring& ring : rings_) {
    for (uint64_t i = 0; i <= mask_; ++i) {
      const Slot& slot = ring.slots[i];
      // order: acquire; pairs with the last release in Record.
      const uint64_t before = slot.sequence.load(std::memory_order_acquire);
      if (before == 0 || (before & 1)) continue;
      uint64_t words[5];
      for (int w = 0; w < 5; ++w) {
        // order: acquire; a word of a later event brings its odd sequence along.
        words[w] = slot.words[w].load(std::memory_order_acquire);
      }
      // order: relaxed; the acquires above keep it after the words.
      if (slot.sequence.load(std::memory_order_relaxed) != before) continue;
      if ((words[1] & ~uint64_t{4095}) != page) continue;
      events.push_back({.ns = words[0],
                        .frame = words[1],
                        .va = words[2],
                        .generation = static_cast<uint32_t>(words[3] >> 32),
                        .space = static_cast<uint32_t>(words[3]),
                        .cpu = static_cast<uint32_t>(words[4] >> 8),
                        .kind = static_cast<FrameEventKind>(words[4] & 0xff)});
    }
  }
  std::sort(events.begin(), events.end(), [](const FrameEvent& a, const FrameEvent& b) {
    return std::tie(a.ns, a.generation, a.kind) < std::tie(b.ns, b.generation, b.kind);
  });
  return events;
}

std::string FrameHistory::Describe(uint64_t frame, size_t lines) const {
  const std::vector<FrameEvent> events = Of(frame);
  if (events.empty()) return "  nothing is remembered of this frame";
  std::string text;
  const size_t from = events.size() - std::min(lines, events.size());
  if (from != 0) absl::StrAppend(&text, "  (", from, " earlier events)\n");
  for (size_t i = from; i < events.size(); ++i) {
    const FrameEvent& event = events[i];
    absl::StrAppendFormat(&text, "  %d ns cpu %d: %s, generation %d, space %d at 0x%x%s", event.ns,
                          event.cpu, NameOf(event.kind), event.generation, event.space, event.va,
                          i + 1 == events.size() ? "" : "\n");
  }
  return text;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// What is known of the memory that the workload `io` reads and writes (memory_words.h).
//
//   OwnPages* own = ground.Own(space_slot, range);      // null: not the pages of one stream
//   own->BeginChange();                                 // their stream: maps, unmaps, writes
//   own->Wrote(offset, bytes);
//   own->EndChange();                                   // what was done is ordered from here on
//   OwnPages::Snapshot before = own->Look(offset, bytes, copy);   // any stream
//
// The memory of OwnPages is a copy of what the pages should hold, kept by the one stream that may
// change them; whoever reads looks at the number of changes before and after, as with a sequence
// lock, and so knows whether his read is ordered with them.
//
// Thread safety: BeginChange to EndChange by the pages' own stream, all else by any. Between the
// number of changes and the copied bytes stands the processor's order of stores and of loads
// (x86-64), on which the copies of core/io/ rely as well. Cost: no lock; a copy of the bytes.

#ifndef PADDOCK_STRESS_MEMORY_GROUND_H_
#define PADDOCK_STRESS_MEMORY_GROUND_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/access.h"
#include "paddock/core/space/machine.h"
#include "paddock/stress/memory_words.h"
#include "paddock/stress/oracle/memory_oracle.h"

namespace paddock {

enum class PageRight : uint8_t { kAbsent, kRead, kWrite };

class alignas(64) OwnPages {
 public:
  struct Snapshot {
    uint64_t changes = 0;  // odd: a change is going on
    PageRight rights[kIoOwnPages] = {};

    bool quiet() const { return changes % 2 == 0; }
    // Where an access to `bytes` from `offset` on ends.
    MemoryEnd End(uint64_t offset, uint64_t bytes, Access access) const;
  };

  // A change may show from here on; nested calls are one change.
  void BeginChange();
  // Every CPU sees what was changed.
  void EndChange();

  void Mapped(uint64_t page, PageRight right, std::span<const std::byte> content);
  void SetRight(uint64_t page, PageRight right);
  PageRight right(uint64_t page) const;
  void Wrote(uint64_t offset, std::span<const std::byte> bytes);
  // Number of changes so far, the rights of all pages, and the bytes from `offset` on; of one
  // moment if changes() is the same afterwards and it is quiet. For their own stream always.
  Snapshot Look(uint64_t offset, std::span<std::byte> bytes) const;
  uint64_t changes() const { return changes_.load(sync::seq_cst); }

 private:
  sync::Atomic<uint64_t> changes_{0};
  int depth_ = 0;  // of BeginChange
  sync::Atomic<uint8_t> rights_[kIoOwnPages] = {};
  const std::unique_ptr<std::byte[]> bytes_ = std::make_unique<std::byte[]>(kIoOwnBytes);
};

class MemoryGround {
 public:
  // `spaces` of them (0 or kIoSpaces) hold pages. RESOURCE_EXHAUSTED: no frames for buffers.
  static absl::StatusOr<std::unique_ptr<MemoryGround>> Create(Machine& machine, uint32_t spaces);

  // The pages that hold all of `range` of the space in `slot`; null: it is not all in one stream's.
  OwnPages* Own(uint32_t slot, VirtRange range);
  // Whose they are.
  static uint32_t OwnerOf(VirtAddr va) {
    return static_cast<uint32_t>((va.value() - kIoOwnStart) / kIoOwnBytes);
  }
  static bool IsShared(VirtAddr va) {
    return va.value() >= kIoSharedStart && va.value() < kIoSharedStart + kIoSharedPages * kPageSize;
  }

  // Numbers a write of `stream` to a shared page. Before it is done.
  uint32_t NextSequence(uint32_t stream) {
    sync::Atomic<uint64_t>& issued = streams_[stream].issued;
    return static_cast<uint32_t>(issued.fetch_add(1, sync::seq_cst) + 1);
  }
  // Whether `source` is a write that has begun, or what a page is mapped with.
  bool WasWritten(WordSource source) const;

  // Frames of the kernel that belong to `stream`, kIoLongest bytes.
  USegment& Buffer(uint32_t stream) { return streams_[stream].buffer; }

 private:
  struct alignas(64) PerStream {
    sync::Atomic<uint64_t> issued{0};
    USegment buffer;
  };

  MemoryGround(uint32_t spaces, uint32_t streams)
      : spaces_(spaces),
        stream_count_(streams),
        own_(new OwnPages[size_t{spaces} * streams]),
        streams_(new PerStream[streams]) {}

  const uint32_t spaces_;
  const uint32_t stream_count_;
  const std::unique_ptr<OwnPages[]> own_;
  const std::unique_ptr<PerStream[]> streams_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_MEMORY_GROUND_H_

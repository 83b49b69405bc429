// SPDX-License-Identifier: Apache-2.0
//
// What a stream does with user memory through readers and writers, and how it is judged.
//
//   MemoryActor memory(stream);
//   memory.Read(op, space);            // checked against what the last ordered writer wrote
//   memory.Write(op, space);
//   OwnPages* own = memory.Own(open);  // of a transaction: to be told what it maps and unmaps
//
// Pages of one stream are read by all. A read during which their stream changed nothing must give
// exactly what they hold, and end where they end; if one change ran meanwhile, each byte is an old
// or a new one; over more changes only the ends are judged. Shared pages are mapped, unmapped and
// written by all: a word that was read with one access must be one that somebody wrote there, and
// in a copy, which may mix the bytes of two words, those that all words at an address have alike.
//
// Thread safety: that of the stream. Cost: copies and comparisons of the bytes; no lock.

#ifndef PADDOCK_STRESS_MEMORY_ACTOR_H_
#define PADDOCK_STRESS_MEMORY_ACTOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/access.h"
#include "paddock/stress/fault_resolver.h"
#include "paddock/stress/memory_ground.h"
#include "paddock/stress/memory_transfer.h"
#include "paddock/stress/ops.h"
#include "paddock/stress/oracle/memory_oracle.h"
#include "paddock/stress/stream.h"

namespace paddock {

class MemoryActor final : public FaultResolver {
 public:
  explicit MemoryActor(Stream& stream) : stream_(stream) {}
  MemoryActor(const MemoryActor&) = delete;
  MemoryActor& operator=(const MemoryActor&) = delete;

  void Read(const ReadMemoryOp& op, const SpaceRef& space);
  void Write(const WriteMemoryOp& op, const SpaceRef& space);

  // The pages of this stream that hold all that a transaction may change; null: it is another's
  // business.
  OwnPages* Own(const OpenOp& open);
  // Fills fresh frames that are to be mapped at `va`: a page that is mapped with words.
  std::span<const std::byte> Fill(const USegment& frames, uint32_t space, VirtAddr va);
  // What the cursor over this stream's own pages found at `va` is what they hold.
  void CheckFrame(const OwnPages& own, uint32_t space, VirtAddr va,
                  const std::optional<PhysAddr>& frame);

  absl::Status Resolve(VirtAddr va, Access access) override;

 private:
  using Bytes = std::span<std::byte>;
  class Faults;

  void ReadOwn(const ReadMemoryOp& op, const SpaceRef& space, OwnPages& own);
  void ReadShared(const ReadMemoryOp& op, const SpaceRef& space);
  void WriteOwn(const WriteMemoryOp& op, const SpaceRef& space, OwnPages& own);
  void WriteShared(const WriteMemoryOp& op, const SpaceRef& space);
  // Whether the operation came to an end that can be judged; counts and reports the others.
  bool Judgeable(const MemoryPlace& place, const MemoryTransfer& done);
  // The end that was seen is the expected one.
  void CheckEnd(const MemoryPlace& place, MemoryEnd expected, const MemoryTransfer& done);
  // Bytes that a write puts at `va`: no two writes the same, but for the stamps of frames.
  void MakeContent(const WriteMemoryOp& op, uint32_t space, Bytes content);
  MemoryPlace Place(std::string_view what, const SpaceRef& space, VirtAddr va) const;
  uint32_t worker() const { return stream_.pin().cpu().value; }
  MemoryOracle& oracle() { return stream_.world().oracles().memory; }

  Stream& stream_;
  // While an operation lets page faults map: in which space.
  const SpaceRef* resolving_ = nullptr;
  bool out_of_frames_ = false;  // the last Resolve found none
  alignas(8) std::array<std::byte, kPageSize> page_;
  alignas(8) std::array<std::byte, kIoLongest> before_;
  alignas(8) std::array<std::byte, kIoLongest> after_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_MEMORY_ACTOR_H_

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/memory_ground.h"

#include <algorithm>
#include <utility>

#include "paddock/concurrency/shared_copy.h"

namespace paddock {

MemoryEnd OwnPages::Snapshot::End(uint64_t offset, uint64_t bytes, Access access) const {
  for (uint64_t done = 0; done < bytes;) {
    const PageRight right = rights[(offset + done) / kPageSize];
    if (right == PageRight::kAbsent) return {done, absl::StatusCode::kNotFound};
    if (right == PageRight::kRead && access == Access::kWrite) {
      return {done, absl::StatusCode::kPermissionDenied};
    }
    done += kPageSize - (offset + done) % kPageSize;
  }
  return {bytes, absl::StatusCode::kOk};
}

void OwnPages::BeginChange() {
  if (depth_++ == 0) changes_.fetch_add(1, sync::seq_cst);
}

void OwnPages::EndChange() {
  if (--depth_ == 0) changes_.fetch_add(1, sync::seq_cst);
}

void OwnPages::Mapped(uint64_t page, PageRight right, std::span<const std::byte> content) {
  Wrote(page * kPageSize, content);
  SetRight(page, right);
}

void OwnPages::SetRight(uint64_t page, PageRight right) {
  rights_[page].store(static_cast<uint8_t>(right), sync::seq_cst);
}

PageRight OwnPages::right(uint64_t page) const {
  return static_cast<PageRight>(rights_[page].load(sync::seq_cst));
}

void OwnPages::Wrote(uint64_t offset, std::span<const std::byte> bytes) {
  CopyShared(bytes_.get() + offset, bytes.data(), bytes.size());
}

OwnPages::Snapshot OwnPages::Look(uint64_t offset, std::span<std::byte> bytes) const {
  Snapshot seen{.changes = changes()};
  for (uint64_t page = 0; page < kIoOwnPages; ++page) seen.rights[page] = right(page);
  CopyShared(bytes.data(), bytes_.get() + offset, bytes.size());
  return seen;
}

absl::StatusOr<std::unique_ptr<MemoryGround>> MemoryGround::Create(Machine& machine,
                                                                   uint32_t spaces) {
  const uint32_t streams = machine.cpus().size();
  std::unique_ptr<MemoryGround> ground(new MemoryGround(spaces, streams));
  for (uint32_t i = 0; spaces != 0 && i < streams; ++i) {
    absl::StatusOr<USegment> buffer =
        machine.frames().AllocateSegment(kIoLongest / kPageSize, 1, Untyped{}, Zeroing::kZero);
    if (!buffer.ok()) return buffer.status();
    ground->streams_[i].buffer = *std::move(buffer);
  }
  return ground;
}

OwnPages* MemoryGround::Own(uint32_t slot, VirtRange range) {
  if (slot >= spaces_ || range.IsEmpty() || range.start.value() < kIoOwnStart) return nullptr;
  const uint32_t owner = OwnerOf(range.start);
  if (owner >= stream_count_ || OwnerOf(range.last()) != owner) return nullptr;
  return &own_[size_t{slot} * stream_count_ + owner];
}

bool MemoryGround::WasWritten(WordSource source) const {
  if (source == kInitialWord) return true;
  if (source.writer >= stream_count_) return false;
  const uint64_t issued = streams_[source.writer].issued.load(sync::seq_cst);
  if (issued >> WordSource::kSequenceBits != 0) return true;
  return source.sequence != 0 && source.sequence <= issued;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Memory of this process as VmIo and VmIoOnce: a span, a frame, a segment, an array of frames.
//
//   MemoryIo io(segment);
//   RETURN_IF_ERROR(io.WriteVal(0x10, header));
//   FramesIo scattered(frames);             // std::vector<UFrame>: frame i is at offset i * 4 KiB
//   absl::StatusOr<uint64_t> word = scattered.ReadVal<uint64_t>(4092);    // across two frames
//
// Thread safety: const, any thread. They refer to the memory and do not own it. Failure:
// OUT_OF_RANGE for offsets beyond size(), with nothing done, and for an empty handle in an array of
// frames, with what lies before it done; else that of the reader or writer that was passed. Cost:
// two words, to be made where they are needed.

#ifndef PADDOCK_CORE_IO_MEMORY_IO_H_
#define PADDOCK_CORE_IO_MEMORY_IO_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/base/attributes.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/io/io_result.h"
#include "paddock/core/io/pod.h"
#include "paddock/core/io/vm_io.h"
#include "paddock/core/io/vm_reader.h"
#include "paddock/core/io/vm_writer.h"

namespace paddock {
namespace internal {

// The bytes from an offset on that lie together; none if the offset holds no byte.
using PieceAt = absl::FunctionRef<std::span<std::byte>(uint64_t offset)>;

// Copy until the writer is full or the reader empty. OUT_OF_RANGE: an offset holds no byte.
IoResult ReadPieces(uint64_t offset, VmWriter<Fallible>& writer, PieceAt piece_at);
IoResult WritePieces(uint64_t offset, VmReader<Fallible>& reader, PieceAt piece_at);

// OUT_OF_RANGE: not inside an object of `size` bytes.
absl::Status CheckInside(uint64_t offset, uint64_t bytes, uint64_t size);

absl::Status NoMemoryAt(uint64_t offset);
// INVALID_ARGUMENT: `bytes` from `offset` on are there, but cross the end of a page.
absl::Status CrossesPieces(uint64_t offset, uint64_t bytes);

// VmIoOnce for a type with a member `PieceAt(offset)`. A piece ends with a page, so a value that is
// aligned lies in one.
template <typename Self>
class PiecewiseOnce {
 public:
  template <PodOnce T>
  absl::StatusOr<T> ReadOnce(uint64_t offset) const {
    const std::span<std::byte> piece = self().PieceAt(offset);
    if (piece.size() < sizeof(T)) return Refuse(offset, piece.size(), sizeof(T));
    return VmReader<Infallible>(piece).template ReadOnce<T>();
  }
  template <PodOnce T>
  absl::Status WriteOnce(uint64_t offset, const T& value) const {
    const std::span<std::byte> piece = self().PieceAt(offset);
    if (piece.size() < sizeof(T)) return Refuse(offset, piece.size(), sizeof(T));
    return VmWriter<Infallible>(piece).WriteOnce(value);
  }

 private:
  absl::Status Refuse(uint64_t offset, uint64_t found, uint64_t wanted) const {
    const uint64_t end = offset + found;
    if (found == 0 || self().PieceAt(end).empty()) return NoMemoryAt(end);
    return CrossesPieces(offset, wanted);
  }
  const Self& self() const { return static_cast<const Self&>(*this); }
};

}  // namespace internal

// Once-accesses are aligned by the address in this process: of a span that starts at an odd place,
// offset 0 is not.
class MemoryIo : public VmIoOperations<MemoryIo>, public internal::PiecewiseOnce<MemoryIo> {
 public:
  explicit MemoryIo(std::span<std::byte> bytes) : bytes_(bytes) {}
  explicit MemoryIo(const UFrame& frame ABSL_ATTRIBUTE_LIFETIME_BOUND) : bytes_(BytesOf(frame)) {}
  explicit MemoryIo(const USegment& segment ABSL_ATTRIBUTE_LIFETIME_BOUND)
      : bytes_(BytesOf(segment)) {}

  uint64_t size() const { return bytes_.size(); }
  absl::Status Read(uint64_t offset, VmWriter<Fallible>& writer) const;
  absl::Status Write(uint64_t offset, VmReader<Fallible>& reader) const;

  // The bytes from `offset` on; none beyond the end.
  std::span<std::byte> PieceAt(uint64_t offset) const {
    return offset < size() ? bytes_.subspan(offset) : std::span<std::byte>();
  }

 private:
  std::span<std::byte> bytes_;
};

class FramesIo : public VmIoOperations<FramesIo>, public internal::PiecewiseOnce<FramesIo> {
 public:
  explicit FramesIo(std::span<const UFrame> frames) : frames_(frames) {}

  uint64_t size() const { return frames_.size() * kPageSize; }
  absl::Status Read(uint64_t offset, VmWriter<Fallible>& writer) const;
  absl::Status Write(uint64_t offset, VmReader<Fallible>& reader) const;

  // The bytes from `offset` to the end of its frame; none beyond the last one, and of an empty
  // handle.
  std::span<std::byte> PieceAt(uint64_t offset) const {
    if (offset >= size()) return {};
    const std::span<std::byte> frame = BytesOf(frames_[offset / kPageSize]);
    return frame.empty() ? frame : frame.subspan(offset % kPageSize);
  }

 private:
  std::span<const UFrame> frames_;
};

static_assert(VmIo<MemoryIo> && VmIoOnce<MemoryIo> && VmIo<FramesIo> && VmIoOnce<FramesIo>);

}  // namespace paddock

#endif  // PADDOCK_CORE_IO_MEMORY_IO_H_

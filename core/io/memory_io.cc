// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/io/memory_io.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace paddock {
namespace internal {
namespace {

// `copy(piece)` moves what it can of the piece; `left()` says how much is wanted.
template <typename Left, typename CopyPiece>
IoResult OverPieces(uint64_t offset, PieceAt piece_at, Left left, CopyPiece copy) {
  IoResult done;
  while (done.ok() && left() != 0) {
    const std::span<std::byte> piece = piece_at(offset + done.bytes);
    if (piece.empty()) {
      done.status = NoMemoryAt(offset + done.bytes);
      break;
    }
    IoResult part = copy(piece);
    done.bytes += part.bytes;
    done.status = std::move(part.status);
  }
  return done;
}

}  // namespace

IoResult ReadPieces(uint64_t offset, VmWriter<Fallible>& writer, PieceAt piece_at) {
  return OverPieces(
      offset, piece_at, [&] { return writer.avail(); },
      [&](std::span<std::byte> piece) { return VmReader<Infallible>(piece).Read(writer); });
}

IoResult WritePieces(uint64_t offset, VmReader<Fallible>& reader, PieceAt piece_at) {
  return OverPieces(
      offset, piece_at, [&] { return reader.remain(); },
      [&](std::span<std::byte> piece) { return VmWriter<Infallible>(piece).Write(reader); });
}

absl::Status NoMemoryAt(uint64_t offset) {
  return absl::OutOfRangeError(absl::StrFormat("there is no memory at %#x", offset));
}

absl::Status CrossesPieces(uint64_t offset, uint64_t bytes) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "%u bytes at %#x cross a page: not at a multiple of their size", bytes, offset));
}

absl::Status CheckInside(uint64_t offset, uint64_t bytes, uint64_t size) {
  if (offset <= size && bytes <= size - offset) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrFormat("%u bytes at offset %#x of an object of %u bytes", bytes, offset, size));
}

}  // namespace internal

absl::Status MemoryIo::Read(uint64_t offset, VmWriter<Fallible>& writer) const {
  absl::Status inside = internal::CheckInside(offset, writer.avail(), size());
  if (!inside.ok()) return inside;
  return VmReader<Infallible>(PieceAt(offset)).Read(writer).status;
}

absl::Status MemoryIo::Write(uint64_t offset, VmReader<Fallible>& reader) const {
  absl::Status inside = internal::CheckInside(offset, reader.remain(), size());
  if (!inside.ok()) return inside;
  return VmWriter<Infallible>(PieceAt(offset)).Write(reader).status;
}

absl::Status FramesIo::Read(uint64_t offset, VmWriter<Fallible>& writer) const {
  absl::Status inside = internal::CheckInside(offset, writer.avail(), size());
  if (!inside.ok()) return inside;
  return internal::ReadPieces(offset, writer, [this](uint64_t at) { return PieceAt(at); }).status;
}

absl::Status FramesIo::Write(uint64_t offset, VmReader<Fallible>& reader) const {
  absl::Status inside = internal::CheckInside(offset, reader.remain(), size());
  if (!inside.ok()) return inside;
  return internal::WritePieces(offset, reader, [this](uint64_t at) { return PieceAt(at); }).status;
}

}  // namespace paddock

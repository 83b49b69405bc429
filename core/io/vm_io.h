// SPDX-License-Identifier: Apache-2.0
//
// Objects that hold bytes at offsets: frames, segments, a user's memory, a guest's. After VmIo and
// VmIoOnce of the Asterinas memory IO (seed 004).
//
//   template <VmIo Io> absl::Status Load(const Io& disk, const Io& memory);
//   absl::StatusOr<Header> header = io.ReadVal<Header>(0x40);
//   RETURN_IF_ERROR(io.WriteSlice(0x1000, std::span<const uint32_t>(table)));
//   absl::StatusOr<uint16_t> index = io.ReadOnce<uint16_t>(0x2002);     // VmIoOnce
//
// Nothing is short: a read or write is done completely or is an error. After an error the part
// before the failing byte may have been done, and a reader or writer that was passed has advanced
// by exactly that part. Offsets beyond the object, overflow included, are OUT_OF_RANGE, and then
// nothing has been done (UserIo: PERMISSION_DENIED, as for VmSpace::Reader); whether no bytes at
// such an offset are an error is the object's own matter. Other errors are those of VmReader and
// VmWriter.
//
// A type becomes one by deriving from VmIoOperations<itself> and providing
//
//   absl::Status Read(uint64_t offset, VmWriter<Fallible>& writer) const;    // avail() bytes
//   absl::Status Write(uint64_t offset, VmReader<Fallible>& reader) const;   // remain() bytes
//
// and for VmIoOnce, ReadOnce and WriteOnce. Static, not virtual: most operations are templates over
// the value's type, which virtual functions cannot be, and a call of Read costs about what a small
// copy does. (The objects are handles: Write does not change them, but what they refer to.)
//
// Thread safety: const functions from any thread; who wants more than each byte by itself adds it.

#ifndef PADDOCK_CORE_IO_VM_IO_H_
#define PADDOCK_CORE_IO_VM_IO_H_

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <ranges>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "paddock/core/io/io_result.h"
#include "paddock/core/io/pod.h"
#include "paddock/core/io/vm_reader.h"
#include "paddock/core/io/vm_writer.h"

namespace paddock {

// `values` were written; OK if those were all, else why the next one was not.
struct [[nodiscard]] WrittenValues {
  uint64_t values = 0;
  absl::Status status;

  bool ok() const { return status.ok(); }
};

// What is made of Read and Write.
template <typename Self>
class VmIoOperations {
 public:
  absl::Status ReadBytes(uint64_t offset, std::span<std::byte> bytes) const {
    VmWriter<Fallible> writer = VmWriter(bytes).ToFallible();
    return self().Read(offset, writer);
  }
  absl::Status WriteBytes(uint64_t offset, std::span<const std::byte> bytes) const {
    VmReader<Fallible> reader = VmReader(bytes).ToFallible();
    return self().Write(offset, reader);
  }

  template <Pod T>
  absl::StatusOr<T> ReadVal(uint64_t offset) const {
    std::array<std::byte, sizeof(T)> bytes;
    if (absl::Status status = ReadBytes(offset, bytes); !status.ok()) return status;
    return std::bit_cast<T>(bytes);
  }
  template <Pod T>
  absl::Status WriteVal(uint64_t offset, const T& value) const {
    return WriteBytes(offset, std::as_bytes(std::span(&value, 1)));
  }

  template <Pod T>
  absl::Status ReadSlice(uint64_t offset, std::span<T> slice) const {
    return ReadBytes(offset, std::as_writable_bytes(slice));
  }
  template <Pod T>
  absl::Status WriteSlice(uint64_t offset, std::span<const T> slice) const {
    return WriteBytes(offset, std::as_bytes(slice));
  }

  // Writes the values one after the other, the first at `offset`, each at a multiple of `align`
  // (0 or 1: without gaps); what lies between is left as it is. Stops at the first that cannot be
  // written, which has been taken from the iterator then. INVALID_ARGUMENT: `align` is not a power
  // of two. OUT_OF_RANGE: a value would reach beyond the last offset.
  template <std::input_iterator Iterator, std::sentinel_for<Iterator> End>
    requires Pod<std::iter_value_t<Iterator>>
  WrittenValues WriteVals(uint64_t offset, Iterator value, const End& end, uint64_t align) const {
    WrittenValues written;
    if (align > 1 && !std::has_single_bit(align)) {
      written.status =
          absl::InvalidArgumentError(absl::StrFormat("align %u is not a power of two", align));
      return written;
    }
    using Value = std::iter_value_t<Iterator>;
    for (; value != end; ++value) {
      const uint64_t padding = align > 1 ? -offset & (align - 1) : 0;
      if (padding + sizeof(Value) > std::numeric_limits<uint64_t>::max() - offset) {
        written.status = absl::OutOfRangeError(absl::StrFormat(
            "a value of %u bytes, aligned to %u, from offset %#x on ends beyond the last offset",
            sizeof(Value), align, offset));
        return written;
      }
      offset += padding;
      const Value item = *value;
      written.status = WriteVal(offset, item);
      if (!written.ok()) return written;
      ++written.values;
      offset += sizeof(Value);
    }
    return written;
  }
  template <std::ranges::input_range Range>
    requires Pod<std::ranges::range_value_t<Range>>
  WrittenValues WriteVals(uint64_t offset, Range&& values, uint64_t align) const {
    return WriteVals(offset, std::ranges::begin(values), std::ranges::end(values), align);
  }

 private:
  const Self& self() const { return static_cast<const Self&>(*this); }
};

template <typename Io>
concept VmIo = std::derived_from<Io, VmIoOperations<Io>> &&
               requires(const Io& io, uint64_t offset, VmWriter<Fallible>& writer,
                        VmReader<Fallible>& reader) {
                 { io.Read(offset, writer) } -> std::same_as<absl::Status>;
                 { io.Write(offset, reader) } -> std::same_as<absl::Status>;
               };

// One access that does not tear, to a place that is a multiple of its size.
template <typename Io>
concept VmIoOnce = requires(const Io& io, uint64_t offset) {
  { io.template ReadOnce<uint32_t>(offset) } -> std::same_as<absl::StatusOr<uint32_t>>;
  { io.template WriteOnce<uint32_t>(offset, 0) } -> std::same_as<absl::Status>;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_IO_VM_IO_H_

// SPDX-License-Identifier: Apache-2.0
//
// Reads memory from front to back: memory of this process (VmReader<Infallible>: frames, buffers)
// or memory that may turn out not to be there (VmReader<Fallible>: a user's, through VmSpace).
// After VmReader of the Asterinas memory IO (seed 004).
//
//   VmReader reader(frame);                               // an Infallible one over 4 KiB
//   absl::StatusOr<Header> header = reader.ReadVal<Header>();
//   uint64_t copied = reader.Limit(512).Read(writer);     // into a VmWriter<Infallible>
//   absl::StatusOr<VmReader<Fallible>> user = space->Reader(pin, va, bytes);
//   IoResult done = user->Read(writer);                   // done.bytes, and why no more
//
// Others may write the memory meanwhile: bytes arrive as they stand at some moment, each by itself
// (shared_copy.h); ReadOnce does not tear. What this orders is nothing: agree with the writer.
//
// Thread safety: a reader is used by one thread; one of user memory by the thread of its pin, and
// the pin, the space and its view registry outlive it. Copies of an Infallible one are independent;
// a Fallible one is move-only, since it may be registered as a view of its space, and has nothing
// left once it was moved from.
//
// Failure. Infallible: only of single values, OUT_OF_RANGE if fewer bytes remain. Fallible: a page
// fault goes to the space's handler, if any, and the access goes on; if it is not resolved, a copy
// returns how many bytes were done and the fault's status, and both cursors have advanced by
// exactly that; single values and Collect leave the cursor where it was. After an error the reader
// can be used on: what faulted once is tried again.
//
// Cost: see memory_window.h; ReadVal of user memory is a TLB lookup and a few moves.

#ifndef PADDOCK_CORE_IO_VM_READER_H_
#define PADDOCK_CORE_IO_VM_READER_H_

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/shared_copy.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/io/io_result.h"
#include "paddock/core/io/memory_window.h"
#include "paddock/core/io/pod.h"
#include "paddock/core/io/user_memory.h"
#include "paddock/core/io/vm_writer.h"

namespace paddock {

template <Fallibility F>
class VmReader {
 public:
  // Memory of this process, which outlives the reader and its copies. An empty handle has none.
  explicit VmReader(std::span<const std::byte> bytes)
    requires std::same_as<F, Infallible>
      : window_(const_cast<std::byte*>(bytes.data()), bytes.size()) {}
  explicit VmReader(const UFrame& frame ABSL_ATTRIBUTE_LIFETIME_BOUND)
    requires std::same_as<F, Infallible>
      : VmReader(BytesOf(frame)) {}
  explicit VmReader(const USegment& segment ABSL_ATTRIBUTE_LIFETIME_BOUND)
    requires std::same_as<F, Infallible>
      : VmReader(BytesOf(segment)) {}
  // User memory; called by who checked that `range` holds user addresses. `view` is ended with the
  // reader.
  VmReader(UserMemory& memory ABSL_ATTRIBUTE_LIFETIME_BOUND,
           const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND, VirtRange range, UserView view)
    requires std::same_as<F, Fallible>
      : window_(memory, pin, range, std::move(view)) {}

  // The same memory, for a function that takes what may fail.
  VmReader<Fallible> ToFallible() const
    requires std::same_as<F, Infallible>
  {
    return VmReader<Fallible>(internal::MemoryWindow(window_));
  }

  // Bytes that are still to be read.
  uint64_t remain() const { return window_.left(); }
  bool has_remain() const { return remain() != 0; }
  // Where the next byte is: in this process, or, of user memory, its user address.
  uint64_t cursor() const { return window_.address(); }

  // At most `bytes` remain.
  VmReader& Limit(uint64_t bytes) {
    if (bytes < remain()) window_.Truncate(bytes);
    return *this;
  }
  // OUT_OF_RANGE: fewer than `bytes` remain; nothing is skipped then.
  absl::Status Skip(uint64_t bytes) {
    if (absl::Status status = internal::CheckLeft(remain(), bytes); !status.ok()) return status;
    window_.Advance(bytes);
    return absl::OkStatus();
  }

  // Copies min(remain(), writer.avail()) bytes.
  template <Fallibility G>
  CopyResult<F, G> Read(VmWriter<G>& writer) {
    return internal::Copy(window_, writer.window_, std::min(remain(), writer.avail()));
  }

  template <Pod T>
  absl::StatusOr<T> ReadVal() {
    if (absl::Status status = internal::CheckLeft(remain(), sizeof(T)); !status.ok()) return status;
    std::array<std::byte, sizeof(T)> bytes;
    if (absl::Status status = internal::ReadExactly(window_, bytes.data(), sizeof(T));
        !status.ok()) {
      return status;
    }
    return std::bit_cast<T>(bytes);
  }

  // One load, which does not tear. INVALID_ARGUMENT: the cursor is not a multiple of sizeof(T).
  template <PodOnce T>
  absl::StatusOr<T> ReadOnce() {
    absl::StatusOr<std::byte*> place = internal::PlaceOfOnce(window_, Access::kRead, sizeof(T));
    if (!place.ok()) return place.status();
    window_.Advance(sizeof(T));
    return std::bit_cast<T>(LoadOnce<internal::WordOf<T>>(*place));
  }

  // All that remains. A Fallible reader takes memory for what it has read, not for what it was
  // promised.
  std::vector<std::byte> Collect()
    requires std::same_as<F, Infallible>
  {
    std::vector<std::byte> bytes(remain());
    VmWriter<Infallible> writer{std::span(bytes)};
    Read(writer);
    return bytes;
  }
  absl::StatusOr<std::vector<std::byte>> Collect()
    requires std::same_as<F, Fallible>
  {
    return internal::CollectAll(window_);
  }

 private:
  template <Fallibility G>
  friend class VmReader;

  using Window =
      std::conditional_t<std::same_as<F, Infallible>, internal::HostWindow, internal::MemoryWindow>;

  explicit VmReader(Window window) : window_(std::move(window)) {}

  Window window_;
};

VmReader(std::span<const std::byte>) -> VmReader<Infallible>;
VmReader(const UFrame&) -> VmReader<Infallible>;
VmReader(const USegment&) -> VmReader<Infallible>;
VmReader(UserMemory&, const CpuPin&, VirtRange, UserView) -> VmReader<Fallible>;

template <Fallibility F>
template <Fallibility G>
CopyResult<F, G> VmWriter<F>::Write(VmReader<G>& reader) {
  return reader.Read(*this);
}

}  // namespace paddock

#endif  // PADDOCK_CORE_IO_VM_READER_H_

// SPDX-License-Identifier: Apache-2.0
//
// Writes memory from front to back; the counterpart of VmReader (vm_reader.h, which says what is
// shared and what fails how). After VmWriter of the Asterinas memory IO (seed 004).
//
//   VmWriter writer(frame);                               // an Infallible one over 4 KiB
//   RETURN_IF_ERROR(writer.WriteVal(header));
//   writer.FillZeros(writer.avail());
//   absl::StatusOr<VmWriter<Fallible>> user = space->Writer(pin, va, bytes);
//   IoResult done = user->Write(reader);
//
// Thread safety: as VmReader; a writer is move-only. Failure: as VmReader. A single value that
// fails half-way leaves the cursor where it was, but the memory before the fault is written.
// What panics on misuse in the seed (alignment in Fill, Skip past the end) is an error here.

#ifndef PADDOCK_CORE_IO_VM_WRITER_H_
#define PADDOCK_CORE_IO_VM_WRITER_H_

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

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

namespace paddock {

template <Fallibility F>
class VmReader;

template <Fallibility F>
class VmWriter {
 public:
  // Memory of this process, which outlives the writer. An empty handle has none.
  explicit VmWriter(std::span<std::byte> bytes)
    requires std::same_as<F, Infallible>
      : window_(bytes.data(), bytes.size()) {}
  explicit VmWriter(const UFrame& frame ABSL_ATTRIBUTE_LIFETIME_BOUND)
    requires std::same_as<F, Infallible>
      : VmWriter(BytesOf(frame)) {}
  explicit VmWriter(const USegment& segment ABSL_ATTRIBUTE_LIFETIME_BOUND)
    requires std::same_as<F, Infallible>
      : VmWriter(BytesOf(segment)) {}
  // User memory; called by who checked that `range` holds user addresses. `view` is ended with the
  // writer.
  VmWriter(UserMemory& memory ABSL_ATTRIBUTE_LIFETIME_BOUND,
           const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND, VirtRange range, UserView view)
    requires std::same_as<F, Fallible>
      : window_(memory, pin, range, std::move(view)) {}

  VmWriter(VmWriter&&) noexcept = default;
  VmWriter& operator=(VmWriter&&) noexcept = default;

  // The same memory, for a function that takes what may fail.
  VmWriter<Fallible> ToFallible() &&
    requires std::same_as<F, Infallible>
  {
    return VmWriter<Fallible>(internal::MemoryWindow(window_));
  }

  // Bytes that can still be written.
  uint64_t avail() const { return window_.left(); }
  bool has_avail() const { return avail() != 0; }
  // Where the next byte goes: in this process, or, of user memory, its user address.
  uint64_t cursor() const { return window_.address(); }

  // At most `bytes` are available.
  VmWriter& Limit(uint64_t bytes) {
    if (bytes < avail()) window_.Truncate(bytes);
    return *this;
  }
  // OUT_OF_RANGE: fewer than `bytes` are available; nothing is skipped then.
  absl::Status Skip(uint64_t bytes) {
    if (absl::Status status = internal::CheckLeft(avail(), bytes); !status.ok()) return status;
    window_.Advance(bytes);
    return absl::OkStatus();
  }

  // As reader.Read(*this). Defined in vm_reader.h.
  template <Fallibility G>
  CopyResult<F, G> Write(VmReader<G>& reader);

  // OUT_OF_RANGE: the value is longer than what is available.
  template <Pod T>
  absl::Status WriteVal(const T& value) {
    if (absl::Status status = internal::CheckLeft(avail(), sizeof(T)); !status.ok()) return status;
    return internal::WriteExactly(window_, std::as_bytes(std::span(&value, 1)).data(), sizeof(T));
  }

  // One store, which does not tear. OUT_OF_RANGE as WriteVal. INVALID_ARGUMENT: the cursor is not a
  // multiple of sizeof(T).
  template <PodOnce T>
  absl::Status WriteOnce(const T& value) {
    absl::StatusOr<std::byte*> place = internal::PlaceOfOnce(window_, Access::kWrite, sizeof(T));
    if (!place.ok()) return place.status();
    window_.Advance(sizeof(T));
    StoreOnce(*place, std::bit_cast<internal::WordOf<T>>(value));
    return absl::OkStatus();
  }

  // Writes copies of `value` to all that is available; the result counts bytes. INVALID_ARGUMENT:
  // the cursor is not aligned as T is, or avail() is not a multiple of its size; nothing is written
  // then.
  template <Pod T>
  IoResult Fill(const T& value) {
    const uint64_t all = avail();
    if (absl::Status status = internal::CheckFill(cursor(), all, sizeof(T), alignof(T));
        !status.ok()) {
      return {0, std::move(status)};
    }
    return internal::Repeat(window_, std::as_bytes(std::span(&value, 1)));
  }

  // Writes min(bytes, avail()) zeros.
  CopyResult<F, F> FillZeros(uint64_t bytes) {
    return internal::Zero(window_, std::min(bytes, avail()));
  }

 private:
  template <Fallibility G>
  friend class VmReader;
  template <Fallibility G>
  friend class VmWriter;

  using Window =
      std::conditional_t<std::same_as<F, Infallible>, internal::HostWindow, internal::MemoryWindow>;

  explicit VmWriter(Window window) : window_(std::move(window)) {}

  Window window_;
};

VmWriter(std::span<std::byte>) -> VmWriter<Infallible>;
VmWriter(const UFrame&) -> VmWriter<Infallible>;
VmWriter(const USegment&) -> VmWriter<Infallible>;
VmWriter(UserMemory&, const CpuPin&, VirtRange, UserView) -> VmWriter<Fallible>;

}  // namespace paddock

#endif  // PADDOCK_CORE_IO_VM_WRITER_H_

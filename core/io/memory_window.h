// SPDX-License-Identifier: Apache-2.0
//
// What VmReader and VmWriter are made of: the stretch of memory that is still to be read or
// written, and the loops that copy between two of them, page by page where addresses are
// translated.
//
// Thread safety: a value of one thread; what is in the memory is shared (shared_copy.h). Failure:
// host memory never fails; of user memory, whatever UserMemory::Resolve says, with an exact count.
// Cost: host memory, that of CopyShared; user memory, a TLB lookup for each page besides.

#ifndef PADDOCK_CORE_IO_MEMORY_WINDOW_H_
#define PADDOCK_CORE_IO_MEMORY_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/shared_copy.h"
#include "paddock/core/io/io_result.h"
#include "paddock/core/io/user_memory.h"

namespace paddock::internal {

// Memory of this process.
class HostWindow {
 public:
  HostWindow(std::byte* data, uint64_t bytes) : data_(data), left_(bytes) {}

  uint64_t left() const { return left_; }
  std::byte* data() const { return data_; }
  uint64_t address() const { return reinterpret_cast<uintptr_t>(data_); }

  // Precondition: n <= left().
  void Advance(uint64_t n) {
    data_ += n;
    left_ -= n;
  }
  void Truncate(uint64_t n) { left_ = n; }

 private:
  std::byte* data_;
  uint64_t left_;
};

// Memory of this process, or of a user. Move-only, as its registration is; one that was moved from
// has nothing left.
class MemoryWindow {
 public:
  explicit MemoryWindow(const HostWindow& host) : host_(host.data()), left_(host.left()) {}
  // Precondition: `range` holds user addresses only. `memory` and `pin` outlive the window.
  MemoryWindow(UserMemory& memory, const CpuPin& pin, VirtRange range, UserView view)
      : user_(&memory), pin_(&pin), va_(range.start), left_(range.size()), view_(std::move(view)) {}
  MemoryWindow(MemoryWindow&& other) noexcept
      : user_(other.user_),
        pin_(other.pin_),
        host_(other.host_),
        va_(other.va_),
        left_(std::exchange(other.left_, 0)),
        view_(std::move(other.view_)) {}
  MemoryWindow& operator=(MemoryWindow&& other) noexcept {
    user_ = other.user_;
    pin_ = other.pin_;
    host_ = other.host_;
    va_ = other.va_;
    left_ = std::exchange(other.left_, 0);
    view_ = std::move(other.view_);
    return *this;
  }

  uint64_t left() const { return left_; }
  uint64_t address() const {
    return user_ != nullptr ? va_.value() : reinterpret_cast<uintptr_t>(host_);
  }

  // Precondition: n <= left().
  void Advance(uint64_t n) {
    Move(n);
    left_ -= n;
  }
  // Undoes the last `n` bytes of Advance.
  void Rewind(uint64_t n) {
    Move(-n);
    left_ += n;
  }
  void Truncate(uint64_t n) { left_ = n; }

  // The next bytes, as many as lie together. None: the access would fault.
  struct Piece {
    std::byte* data = nullptr;
    uint64_t bytes = 0;
    WalkFault fault = WalkFault::kNone;
  };
  // Precondition: left() > 0. See UserMemory for how long the piece may be used.
  Piece Next(Access access) const {
    if (user_ == nullptr) return {host_, left_, WalkFault::kNone};
    const UserLookup found = user_->Lookup(*pin_, va_, access);
    const uint64_t to_end_of_page = kPageSize - va_.value() % kPageSize;
    return {found.data, left_ < to_end_of_page ? left_ : to_end_of_page, found.fault};
  }
  // After a piece that would fault, for the `faults`-th time in a row.
  absl::Status Resolve(Access access, WalkFault fault, int faults) const;

 private:
  void Move(uint64_t n) {
    if (user_ == nullptr) {
      host_ += static_cast<int64_t>(n);
    } else {
      va_ = VirtAddr(va_.value() + n);
    }
  }

  UserMemory* user_ = nullptr;  // null: memory of this process
  const CpuPin* pin_ = nullptr;
  std::byte* host_ = nullptr;  // memory of this process
  VirtAddr va_;                // user memory
  uint64_t left_ = 0;
  UserView view_;
};

// Copies `bytes`, or until a byte of either faults. Both windows advance by what was copied.
// Precondition: neither has fewer left.
inline uint64_t Copy(HostWindow& from, HostWindow& to, uint64_t bytes) {
  CopyShared(to.data(), from.data(), bytes);
  from.Advance(bytes);
  to.Advance(bytes);
  return bytes;
}
IoResult Copy(MemoryWindow& from, MemoryWindow& to, uint64_t bytes);
IoResult Copy(HostWindow& from, MemoryWindow& to, uint64_t bytes);
IoResult Copy(MemoryWindow& from, HostWindow& to, uint64_t bytes);

// All of `bytes`, or an error and the window where it was; a failed write may have written some.
// Precondition: no fewer are left.
absl::Status ReadExactly(HostWindow& from, std::byte* to, uint64_t bytes);
absl::Status ReadExactly(MemoryWindow& from, std::byte* to, uint64_t bytes);
absl::Status WriteExactly(HostWindow& to, const std::byte* from, uint64_t bytes);
absl::Status WriteExactly(MemoryWindow& to, const std::byte* from, uint64_t bytes);

// As Copy, from an endless source of zeros.
uint64_t Zero(HostWindow& to, uint64_t bytes);
IoResult Zero(MemoryWindow& to, uint64_t bytes);

// Copies `value` again and again to all that is left. Precondition: `value` is not empty.
IoResult Repeat(HostWindow& to, std::span<const std::byte> value);
IoResult Repeat(MemoryWindow& to, std::span<const std::byte> value);

// All that is left, or an error and the window where it was.
absl::StatusOr<std::vector<std::byte>> CollectAll(MemoryWindow& from);

// Where one access of `size` bytes to the start of the window goes. OUT_OF_RANGE: too few are left.
// INVALID_ARGUMENT: the address is not a multiple of `size`. Else as Resolve.
absl::StatusOr<std::byte*> PlaceOfOnce(const HostWindow& window, Access access, uint64_t size);
absl::StatusOr<std::byte*> PlaceOfOnce(const MemoryWindow& window, Access access, uint64_t size);

// OUT_OF_RANGE: fewer than `wanted` bytes are left.
absl::Status TooFewLeft(uint64_t left, uint64_t wanted);
inline absl::Status CheckLeft(uint64_t left, uint64_t wanted) {
  return wanted <= left ? absl::OkStatus() : TooFewLeft(left, wanted);
}
// INVALID_ARGUMENT: `address` is not a multiple of `align`, or `left` is not one of `size`.
absl::Status CheckFill(uint64_t address, uint64_t left, uint64_t size, uint64_t align);

}  // namespace paddock::internal

#endif  // PADDOCK_CORE_IO_MEMORY_WINDOW_H_

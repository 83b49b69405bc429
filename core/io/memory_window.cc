// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/io/memory_window.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_format.h"
#include "paddock/concurrency/shared_copy.h"

namespace paddock::internal {
namespace {

constexpr uint64_t kRepeatedAtOnce = 512;
constexpr uint64_t kCollectedAtFirst = 64 << 10;

template <typename Window>
absl::Status CheckOnce(const Window& window, uint64_t size) {
  if (absl::Status status = CheckLeft(window.left(), size); !status.ok()) return status;
  if (window.address() % size != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "address %#x of a %u-byte access is not a multiple of %u", window.address(), size, size));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MemoryWindow::Resolve(Access access, WalkFault fault, int faults) const {
  PADDOCK_DCHECK(user_ != nullptr, "memory of this process does not fault");
  if (faults >= kMaxFaultsPerAccess) return FaultsWithoutEnd(va_);
  return user_->Resolve(*pin_, va_, access, fault);
}

// race: 1. A copy between two user pages.
//   1. This CPU looks the target up: frame F.
//   2. It looks the source up, which faults. The handler polls: this CPU flushes, and acknowledges
//      that F was unmapped.
//   3. That was the last acknowledgement: F is freed, and becomes a page table.
//   4. This CPU copies to F.
// So what was looked up before a fault was resolved is not used after it: both sides are looked up
// again until neither faults, and between that and the copy lies no interrupt point.
// race: 2. The target is unmapped by another CPU between 1. and 4. without this CPU's polling. F
// stays, since this CPU has not acknowledged: the bytes go to a frame that nobody will read, as if
// the copy had come first.
IoResult Copy(MemoryWindow& from, MemoryWindow& to, uint64_t bytes) {
  IoResult done;
  int faults = 0;
  while (done.bytes < bytes) {
    const MemoryWindow::Piece target = to.Next(Access::kWrite);
    if (target.data == nullptr) {
      done.status = to.Resolve(Access::kWrite, target.fault, faults++);
      if (!done.ok()) break;
      continue;
    }
    const MemoryWindow::Piece source = from.Next(Access::kRead);
    if (source.data == nullptr) {
      done.status = from.Resolve(Access::kRead, source.fault, faults++);
      if (!done.ok()) break;
      continue;
    }
    const uint64_t piece = std::min({bytes - done.bytes, target.bytes, source.bytes});
    CopyShared(target.data, source.data, piece);
    from.Advance(piece);
    to.Advance(piece);
    done.bytes += piece;
    faults = 0;
  }
  return done;
}

IoResult Copy(HostWindow& from, MemoryWindow& to, uint64_t bytes) {
  MemoryWindow source(from);
  IoResult done = Copy(source, to, bytes);
  from.Advance(done.bytes);
  return done;
}

IoResult Copy(MemoryWindow& from, HostWindow& to, uint64_t bytes) {
  MemoryWindow target(to);
  IoResult done = Copy(from, target, bytes);
  to.Advance(done.bytes);
  return done;
}

absl::Status ReadExactly(HostWindow& from, std::byte* to, uint64_t bytes) {
  CopyShared(to, from.data(), bytes);
  from.Advance(bytes);
  return absl::OkStatus();
}

// A value mostly lies in one page that is mapped: then it needs no second window and no loop.

absl::Status ReadExactly(MemoryWindow& from, std::byte* to, uint64_t bytes) {
  const MemoryWindow::Piece piece = from.Next(Access::kRead);
  if (piece.data != nullptr && piece.bytes >= bytes) {
    CopyShared(to, piece.data, bytes);
    from.Advance(bytes);
    return absl::OkStatus();
  }
  HostWindow target(to, bytes);
  IoResult done = Copy(from, target, bytes);
  if (!done.ok()) from.Rewind(done.bytes);
  return std::move(done.status);
}

absl::Status WriteExactly(HostWindow& to, const std::byte* from, uint64_t bytes) {
  CopyShared(to.data(), from, bytes);
  to.Advance(bytes);
  return absl::OkStatus();
}

absl::Status WriteExactly(MemoryWindow& to, const std::byte* from, uint64_t bytes) {
  const MemoryWindow::Piece piece = to.Next(Access::kWrite);
  if (piece.data != nullptr && piece.bytes >= bytes) {
    CopyShared(piece.data, from, bytes);
    to.Advance(bytes);
    return absl::OkStatus();
  }
  HostWindow source(const_cast<std::byte*>(from), bytes);
  IoResult done = Copy(source, to, bytes);
  if (!done.ok()) to.Rewind(done.bytes);
  return std::move(done.status);
}

uint64_t Zero(HostWindow& to, uint64_t bytes) {
  ZeroShared(to.data(), bytes);
  to.Advance(bytes);
  return bytes;
}

IoResult Zero(MemoryWindow& to, uint64_t bytes) {
  IoResult done;
  int faults = 0;
  while (done.bytes < bytes) {
    const MemoryWindow::Piece target = to.Next(Access::kWrite);
    if (target.data == nullptr) {
      done.status = to.Resolve(Access::kWrite, target.fault, faults++);
      if (!done.ok()) break;
      continue;
    }
    const uint64_t piece = std::min(bytes - done.bytes, target.bytes);
    ZeroShared(target.data, piece);
    to.Advance(piece);
    done.bytes += piece;
    faults = 0;
  }
  return done;
}

IoResult Repeat(MemoryWindow& to, std::span<const std::byte> value) {
  // Whole values, as many as fit; one that is larger is copied by itself.
  std::array<std::byte, kRepeatedAtOnce> block;
  std::span<const std::byte> values = value;
  if (value.size() * 2 <= block.size()) {
    uint64_t filled = 0;
    for (; filled + value.size() <= block.size(); filled += value.size()) {
      std::copy(value.begin(), value.end(), block.begin() + filled);
    }
    values = std::span(block).first(filled);
  }
  IoResult done;
  while (to.left() != 0 && done.ok()) {
    HostWindow source(const_cast<std::byte*>(values.data()), values.size());
    IoResult part = Copy(source, to, std::min(to.left(), source.left()));
    done.bytes += part.bytes;
    done.status = std::move(part.status);
  }
  return done;
}

IoResult Repeat(HostWindow& to, std::span<const std::byte> value) {
  MemoryWindow target(to);
  IoResult done = Repeat(target, value);
  to.Advance(done.bytes);
  return done;
}

absl::StatusOr<std::vector<std::byte>> CollectAll(MemoryWindow& from) {
  std::vector<std::byte> bytes;
  while (from.left() != 0) {
    const uint64_t have = bytes.size();
    const uint64_t more = std::min(from.left(), std::max(have, kCollectedAtFirst));
    bytes.resize(have + more);
    HostWindow target(bytes.data() + have, more);
    IoResult done = Copy(from, target, more);
    if (!done.ok()) {
      from.Rewind(have + done.bytes);
      return std::move(done.status);
    }
  }
  return bytes;
}

absl::StatusOr<std::byte*> PlaceOfOnce(const HostWindow& window, Access, uint64_t size) {
  if (absl::Status status = CheckOnce(window, size); !status.ok()) return status;
  return window.data();
}

absl::StatusOr<std::byte*> PlaceOfOnce(const MemoryWindow& window, Access access, uint64_t size) {
  if (absl::Status status = CheckOnce(window, size); !status.ok()) return status;
  for (int faults = 0;; ++faults) {
    const MemoryWindow::Piece piece = window.Next(access);
    if (piece.data != nullptr) return piece.data;
    absl::Status status = window.Resolve(access, piece.fault, faults);
    if (!status.ok()) return status;
  }
}

absl::Status TooFewLeft(uint64_t left, uint64_t wanted) {
  return absl::OutOfRangeError(absl::StrFormat("%u bytes where %u are left", wanted, left));
}

absl::Status CheckFill(uint64_t address, uint64_t left, uint64_t size, uint64_t align) {
  if (address % align != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "address %#x is not a multiple of %u, the alignment of the value", address, align));
  }
  if (left % size != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the %u bytes that are left are not a multiple of %u, the size of the value", left, size));
  }
  return absl::OkStatus();
}

}  // namespace paddock::internal

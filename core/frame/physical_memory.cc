// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/frame/physical_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"

namespace paddock {

PhysicalMemory::PhysicalMemory(std::byte* data, uint64_t size, PhysAddr base, MappedRegion region,
                               int fd)
    : data_(data), size_(size), base_(base), region_(std::move(region)), fd_(fd) {}

PhysicalMemory::~PhysicalMemory() {
  if (fd_ >= 0) close(fd_);
}

absl::Status PhysicalMemory::Check(uint64_t bytes, PhysAddr base) {
  constexpr uint64_t kLimit = uint64_t{1} << kMaxAddressBits;
  if (bytes == 0) return absl::InvalidArgumentError("physical memory of 0 bytes");
  if (bytes % kPageSize != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("physical memory of %#x bytes is not a multiple of 4 KiB", bytes));
  }
  if (!base.IsAligned(kPageSize)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("physical base %#x is not aligned to 4 KiB", base.value()));
  }
  if (base.value() >= kLimit || bytes > kLimit - base.value()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%#x bytes of physical memory from %#x pass the highest address of %d bits",
                        bytes, base.value(), kMaxAddressBits));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<PhysicalMemory>> PhysicalMemory::Anonymous(uint64_t bytes,
                                                                          PhysAddr base) {
  if (absl::Status status = Check(bytes, base); !status.ok()) return status;
  absl::StatusOr<MappedRegion> region = MappedRegion::Anonymous(bytes);
  if (!region.ok()) return region.status();
  std::byte* const data = region->data();
  return std::unique_ptr<PhysicalMemory>(
      new PhysicalMemory(data, bytes, base, *std::move(region), -1));
}

absl::StatusOr<std::unique_ptr<PhysicalMemory>> PhysicalMemory::Memfd(uint64_t bytes,
                                                                      const std::string& name,
                                                                      PhysAddr base) {
  if (absl::Status status = Check(bytes, base); !status.ok()) return status;
  const int fd = memfd_create(name.c_str(), MFD_CLOEXEC);
  if (fd < 0) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("cannot create memory file \"%s\": %s", name, std::strerror(errno)));
  }
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    const int reason = errno;
    close(fd);
    return absl::ResourceExhaustedError(absl::StrFormat(
        "cannot extend memory file \"%s\" to %u bytes: %s", name, bytes, std::strerror(reason)));
  }
  absl::StatusOr<MappedRegion> region = MappedRegion::SharedFile(fd, bytes);
  if (!region.ok()) {
    close(fd);
    return region.status();
  }
  std::byte* const data = region->data();
  return std::unique_ptr<PhysicalMemory>(
      new PhysicalMemory(data, bytes, base, *std::move(region), fd));
}

absl::StatusOr<std::unique_ptr<PhysicalMemory>> PhysicalMemory::CallerOwned(
    std::span<std::byte> memory, PhysAddr base) {
  if (absl::Status status = Check(memory.size(), base); !status.ok()) return status;
  if (reinterpret_cast<uintptr_t>(memory.data()) % kPageSize != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("memory at %p is not aligned to 4 KiB", memory.data()));
  }
  return std::unique_ptr<PhysicalMemory>(
      new PhysicalMemory(memory.data(), memory.size(), base, MappedRegion(), -1));
}

}  // namespace paddock

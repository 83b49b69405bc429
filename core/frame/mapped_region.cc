// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/frame/mapped_region.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace paddock {

absl::StatusOr<MappedRegion> MappedRegion::Anonymous(uint64_t bytes) {
  return Map(-1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, bytes);
}

absl::StatusOr<MappedRegion> MappedRegion::SharedFile(int fd, uint64_t bytes) {
  return Map(fd, MAP_SHARED | MAP_NORESERVE, bytes);
}

absl::StatusOr<MappedRegion> MappedRegion::Map(int fd, int flags, uint64_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (data == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("cannot map %u bytes: %s", bytes, std::strerror(errno)));
  }
  return MappedRegion(static_cast<std::byte*>(data), bytes);
}

MappedRegion::~MappedRegion() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace paddock

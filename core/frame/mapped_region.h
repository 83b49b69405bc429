// SPDX-License-Identifier: Apache-2.0
//
// A piece of the process's address space, mapped without reserving memory for it and unmapped at
// the end.
//
// Thread safety: a value. Failure: RESOURCE_EXHAUSTED with the system's reason. Cost: a page of
// memory per page that is written.

#ifndef PADDOCK_CORE_FRAME_MAPPED_REGION_H_
#define PADDOCK_CORE_FRAME_MAPPED_REGION_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"

namespace paddock {

class MappedRegion {
 public:
  // `bytes` of zeros. Precondition: bytes > 0.
  static absl::StatusOr<MappedRegion> Anonymous(uint64_t bytes);
  // The first `bytes` of the file `fd`, shared with whoever else maps it.
  static absl::StatusOr<MappedRegion> SharedFile(int fd, uint64_t bytes);

  MappedRegion() = default;
  MappedRegion(MappedRegion&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MappedRegion& operator=(MappedRegion&& other) noexcept {
    MappedRegion taken(std::move(other));
    std::swap(data_, taken.data_);
    std::swap(bytes_, taken.bytes_);
    return *this;
  }
  ~MappedRegion();

  std::byte* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  MappedRegion(std::byte* data, uint64_t bytes) : data_(data), bytes_(bytes) {}
  static absl::StatusOr<MappedRegion> Map(int fd, int flags, uint64_t bytes);

  std::byte* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_MAPPED_REGION_H_

// SPDX-License-Identifier: Apache-2.0
//
// A contiguous space of physical addresses [base, base + size) and the host memory behind it.
//
//   auto memory = PhysicalMemory::Anonymous(uint64_t{64} << 30);
//   std::byte* byte = (*memory)->Data(PhysAddr(0x1000));
//
// Anonymous memory and memory files are reserved, not used: they read as zeros and cost host memory
// only where they are written. A memory file can be given to another process, or to a hypervisor as
// guest memory.
//
// Thread safety: immutable after creation; what is in the memory is its users' business. Failure:
// INVALID_ARGUMENT for a size of 0, for size or base that are not multiples of 4 KiB, for addresses
// of more than 52 bits; RESOURCE_EXHAUSTED with the system's reason if the memory cannot be mapped.
// Cost: Data() is an addition.

#ifndef PADDOCK_CORE_FRAME_PHYSICAL_MEMORY_H_
#define PADDOCK_CORE_FRAME_PHYSICAL_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/core/frame/mapped_region.h"

namespace paddock {

class PhysicalMemory {
 public:
  static constexpr int kMaxAddressBits = 52;

  static absl::StatusOr<std::unique_ptr<PhysicalMemory>> Anonymous(uint64_t bytes,
                                                                   PhysAddr base = PhysAddr(0));
  // A memory file; `name` is shown in /proc only.
  static absl::StatusOr<std::unique_ptr<PhysicalMemory>> Memfd(uint64_t bytes,
                                                               const std::string& name,
                                                               PhysAddr base = PhysAddr(0));
  // Memory that the caller owns, which must be aligned to 4 KiB and outlive this object.
  static absl::StatusOr<std::unique_ptr<PhysicalMemory>> CallerOwned(std::span<std::byte> memory,
                                                                     PhysAddr base = PhysAddr(0));

  ~PhysicalMemory();
  PhysicalMemory(const PhysicalMemory&) = delete;
  PhysicalMemory& operator=(const PhysicalMemory&) = delete;

  // In bytes.
  uint64_t size() const { return size_; }
  PhysAddr base() const { return base_; }
  PhysRange range() const { return PhysRange{base_, base_.Plus(size_)}; }
  bool Contains(PhysAddr address) const { return address.value() - base_.value() < size_; }

  // Where the byte at `address` is in this process. Precondition: Contains(address).
  std::byte* Data(PhysAddr address) const { return data_ + (address.value() - base_.value()); }

  // The memory file, owned by this object; -1 if there is none.
  int fd() const { return fd_; }

 private:
  PhysicalMemory(std::byte* data, uint64_t size, PhysAddr base, MappedRegion region, int fd);
  static absl::Status Check(uint64_t bytes, PhysAddr base);

  std::byte* const data_;
  const uint64_t size_;
  const PhysAddr base_;
  const MappedRegion region_;
  const int fd_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_PHYSICAL_MEMORY_H_

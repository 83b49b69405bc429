// SPDX-License-Identifier: Apache-2.0
//
// The memory of a space as VmIo and VmIoOnce, for code on one CPU; offsets are user addresses.
//
//   UserIo io(*space, pin);
//   absl::StatusOr<uint64_t> argument = io.ReadVal<uint64_t>(stack + 8);
//   absl::StatusOr<uint32_t> futex = io.ReadOnce<uint32_t>(word);
//
// Thread safety: that of the pin. Failure: as VmSpace::Reader and Writer, and their faults. A fault
// in the middle leaves what came before it done. Cost: a reader or writer for each call.

#ifndef PADDOCK_CORE_SPACE_USER_IO_H_
#define PADDOCK_CORE_SPACE_USER_IO_H_

#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/io/pod.h"
#include "paddock/core/io/vm_io.h"
#include "paddock/core/space/vm_space.h"

namespace paddock {

class UserIo : public VmIoOperations<UserIo> {
 public:
  UserIo(VmSpace& space ABSL_ATTRIBUTE_LIFETIME_BOUND,
         const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND)
      : space_(&space), pin_(&pin) {}

  absl::Status Read(uint64_t address, VmWriter<Fallible>& writer) const {
    absl::StatusOr<VmReader<Fallible>> reader = ReaderAt(address, writer.avail());
    if (!reader.ok()) return reader.status();
    return reader->Read(writer).status;
  }
  absl::Status Write(uint64_t address, VmReader<Fallible>& reader) const {
    absl::StatusOr<VmWriter<Fallible>> writer = WriterAt(address, reader.remain());
    if (!writer.ok()) return writer.status();
    return writer->Write(reader).status;
  }

  template <PodOnce T>
  absl::StatusOr<T> ReadOnce(uint64_t address) const {
    absl::StatusOr<VmReader<Fallible>> reader = ReaderAt(address, sizeof(T));
    if (!reader.ok()) return reader.status();
    return reader->ReadOnce<T>();
  }
  template <PodOnce T>
  absl::Status WriteOnce(uint64_t address, const T& value) const {
    absl::StatusOr<VmWriter<Fallible>> writer = WriterAt(address, sizeof(T));
    if (!writer.ok()) return writer.status();
    return writer->WriteOnce(value);
  }

 private:
  absl::StatusOr<VmReader<Fallible>> ReaderAt(uint64_t address, uint64_t bytes) const {
    return space_->Reader(*pin_, VirtAddr(address), bytes);
  }
  absl::StatusOr<VmWriter<Fallible>> WriterAt(uint64_t address, uint64_t bytes) const {
    return space_->Writer(*pin_, VirtAddr(address), bytes);
  }

  VmSpace* space_;
  const CpuPin* pin_;
};

static_assert(VmIo<UserIo> && VmIoOnce<UserIo>);

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_USER_IO_H_

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/memory_transfer.h"

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "paddock/core/io/memory_io.h"
#include "paddock/core/io/vm_reader.h"
#include "paddock/core/io/vm_writer.h"
#include "paddock/core/space/user_io.h"
#include "paddock/stress/memory_words.h"

namespace paddock {
namespace {

std::span<std::byte> BytesOf(USegment& buffer, uint64_t bytes) { return {buffer.Data(), bytes}; }

MemoryTransfer Copy(VmReader<Fallible>& reader, uint64_t bytes, USegment& buffer) {
  VmWriter writer(buffer);
  const uint64_t room = writer.avail();
  const uint64_t start = reader.cursor();
  IoResult read = reader.Read(writer);
  const bool agree = reader.remain() == bytes - read.bytes &&
                     reader.cursor() == start + read.bytes && writer.avail() == room - read.bytes;
  return {std::move(read.status), read.bytes, agree};
}

MemoryTransfer Copy(VmWriter<Fallible>& writer, uint64_t bytes, USegment& buffer) {
  VmReader reader(buffer);
  reader.Limit(bytes);
  const uint64_t start = writer.cursor();
  IoResult written = writer.Write(reader);
  const bool agree = writer.avail() == bytes - written.bytes &&
                     writer.cursor() == start + written.bytes &&
                     reader.remain() == bytes - written.bytes;
  return {std::move(written.status), written.bytes, agree};
}

template <typename T>
MemoryTransfer Keep(const absl::StatusOr<T>& read, USegment& buffer) {
  if (!read.ok()) return {read.status()};
  return {MemoryIo(buffer).WriteVal(0, *read), sizeof(T)};
}

MemoryTransfer ReadOnce(const UserIo& io, uint64_t address, uint64_t bytes, USegment& buffer) {
  if (bytes == 1) return Keep(io.ReadOnce<uint8_t>(address), buffer);
  if (bytes == 2) return Keep(io.ReadOnce<uint16_t>(address), buffer);
  if (bytes == 4) return Keep(io.ReadOnce<uint32_t>(address), buffer);
  return Keep(io.ReadOnce<uint64_t>(address), buffer);
}

absl::Status WriteOnce(const UserIo& io, uint64_t address, uint64_t bytes, USegment& buffer) {
  const MemoryIo from(buffer);
  if (bytes == 1) return io.WriteOnce(address, *from.ReadVal<uint8_t>(0));
  if (bytes == 2) return io.WriteOnce(address, *from.ReadVal<uint16_t>(0));
  if (bytes == 4) return io.WriteOnce(address, *from.ReadVal<uint32_t>(0));
  return io.WriteOnce(address, *from.ReadVal<uint64_t>(0));
}

}  // namespace

MemoryTransfer ReadMemory(VmSpace& space, const CpuPin& pin, const ReadMemoryOp& op,
                          USegment& buffer) {
  const UserIo io(space, pin);
  switch (op.way) {
    case IoWay::kCopy: {
      absl::StatusOr<VmReader<Fallible>> reader = space.Reader(pin, op.va, op.bytes);
      return reader.ok() ? Copy(*reader, op.bytes, buffer) : MemoryTransfer{reader.status()};
    }
    case IoWay::kPair: {
      absl::StatusOr<UserReaderWriter> both = space.ReaderWriter(pin, op.va, op.bytes);
      return both.ok() ? Copy(both->reader(), op.bytes, buffer) : MemoryTransfer{both.status()};
    }
    case IoWay::kBytes:
      return {io.ReadBytes(op.va.value(), BytesOf(buffer, op.bytes))};
    case IoWay::kCollect: {
      absl::StatusOr<VmReader<Fallible>> reader = space.Reader(pin, op.va, op.bytes);
      if (!reader.ok()) return {reader.status()};
      const absl::StatusOr<std::vector<std::byte>> all = reader->Collect();
      if (!all.ok()) return {all.status()};
      return {MemoryIo(buffer).WriteBytes(0, *all), all->size()};
    }
    case IoWay::kValue:
      return Keep(io.ReadVal<IoValue>(op.va.value()), buffer);
    case IoWay::kOnce:
      return ReadOnce(io, op.va.value(), op.bytes, buffer);
  }
  return {absl::InternalError("no such way of reading")};
}

MemoryTransfer WriteMemory(VmSpace& space, const CpuPin& pin, const WriteMemoryOp& op,
                           USegment& buffer) {
  const UserIo io(space, pin);
  switch (op.way) {
    case IoWay::kCopy: {
      absl::StatusOr<VmWriter<Fallible>> writer = space.Writer(pin, op.va, op.bytes);
      return writer.ok() ? Copy(*writer, op.bytes, buffer) : MemoryTransfer{writer.status()};
    }
    case IoWay::kPair: {
      absl::StatusOr<UserReaderWriter> both = space.ReaderWriter(pin, op.va, op.bytes);
      return both.ok() ? Copy(both->writer(), op.bytes, buffer) : MemoryTransfer{both.status()};
    }
    case IoWay::kBytes:
      return {io.WriteBytes(op.va.value(), BytesOf(buffer, op.bytes))};
    case IoWay::kCollect: {
      absl::StatusOr<VmWriter<Fallible>> writer = space.Writer(pin, op.va, op.bytes);
      if (!writer.ok()) return {writer.status()};
      IoResult filled = writer->Fill(*MemoryIo(buffer).ReadVal<uint64_t>(0));
      return {std::move(filled.status), filled.bytes};
    }
    case IoWay::kValue:
      return {io.WriteVal(op.va.value(), *MemoryIo(buffer).ReadVal<IoValue>(0))};
    case IoWay::kOnce:
      return {WriteOnce(io, op.va.value(), op.bytes, buffer)};
  }
  return {absl::InternalError("no such way of writing")};
}

}  // namespace paddock

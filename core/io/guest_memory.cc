// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/io/guest_memory.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace paddock {
namespace {

constexpr int kMaxGuestAddressBits = 52;

absl::Status CheckRegion(const GuestRegion& region) {
  const uint64_t base = region.base().value();
  const uint64_t bytes = region.bytes().size();
  const auto place = reinterpret_cast<uintptr_t>(region.bytes().data());
  if (bytes == 0) {
    return absl::InvalidArgumentError(absl::StrFormat("the region at %#x is empty", base));
  }
  if (base % kPageSize != 0 || bytes % kPageSize != 0 || place % kPageSize != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the region at %#x, %u bytes at %#x in this process, is not aligned to "
                        "4 KiB",
                        base, bytes, place));
  }
  constexpr uint64_t kEnd = uint64_t{1} << kMaxGuestAddressBits;
  if (base >= kEnd || bytes > kEnd - base) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the region at %#x of %u bytes reaches beyond %d bits", base, bytes, kMaxGuestAddressBits));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GuestMemory> GuestMemory::Create(std::vector<GuestRegion> regions) {
  for (const GuestRegion& region : regions) {
    if (absl::Status status = CheckRegion(region); !status.ok()) return status;
  }
  std::sort(regions.begin(), regions.end(),
            [](const GuestRegion& a, const GuestRegion& b) { return a.base() < b.base(); });
  for (size_t i = 1; i < regions.size(); ++i) {
    const GuestRegion& before = regions[i - 1];
    if (before.base().Plus(before.bytes().size()) > regions[i].base()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("the region at %#x of %u bytes overlaps the one at %#x",
                          before.base().value(), before.bytes().size(), regions[i].base().value()));
    }
  }
  return GuestMemory(std::move(regions));
}

std::span<std::byte> GuestMemory::PieceAt(uint64_t address) const {
  const auto above = std::upper_bound(
      regions_.begin(), regions_.end(), address,
      [](uint64_t wanted, const GuestRegion& region) { return wanted < region.base().value(); });
  if (above == regions_.begin()) return {};
  const GuestRegion& region = *std::prev(above);
  const uint64_t offset = address - region.base().value();
  return offset < region.bytes().size() ? region.bytes().subspan(offset) : std::span<std::byte>();
}

uint64_t GuestMemory::CoveredFrom(uint64_t address, uint64_t bytes) const {
  uint64_t covered = 0;
  while (covered < bytes) {
    const uint64_t piece = PieceAt(address + covered).size();
    if (piece == 0) break;
    covered += std::min(piece, bytes - covered);
  }
  return covered;
}

bool GuestMemory::Covers(PhysAddr address, uint64_t bytes) const {
  return CoveredFrom(address.value(), bytes) == bytes;
}

absl::Status GuestMemory::CheckCovers(uint64_t address, uint64_t bytes) const {
  const uint64_t covered = CoveredFrom(address, bytes);
  if (covered == bytes) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrFormat("%u bytes at %#x: there is no memory at %#x", bytes,
                                               address, address + covered));
}

absl::Status GuestMemory::Read(uint64_t address, VmWriter<Fallible>& writer) const {
  if (absl::Status status = CheckCovers(address, writer.avail()); !status.ok()) return status;
  return ReadSome(PhysAddr(address), writer).status;
}

absl::Status GuestMemory::Write(uint64_t address, VmReader<Fallible>& reader) const {
  if (absl::Status status = CheckCovers(address, reader.remain()); !status.ok()) return status;
  return WriteSome(PhysAddr(address), reader).status;
}

IoResult GuestMemory::ReadSome(PhysAddr address, VmWriter<Fallible>& writer) const {
  return internal::ReadPieces(address.value(), writer, [this](uint64_t at) { return PieceAt(at); });
}

IoResult GuestMemory::WriteSome(PhysAddr address, VmReader<Fallible>& reader) const {
  return internal::WritePieces(address.value(), reader,
                               [this](uint64_t at) { return PieceAt(at); });
}

}  // namespace paddock

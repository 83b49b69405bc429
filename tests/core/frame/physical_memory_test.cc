// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/frame/physical_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;

TEST(PhysicalMemoryTest, AnonymousMemoryReadsZerosAndKeepsWhatIsWritten) {
  auto memory = PhysicalMemory::Anonymous(4 * kPageSize);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ((*memory)->size(), 4 * kPageSize);
  EXPECT_EQ((*memory)->fd(), -1);
  std::byte* last = (*memory)->Data(PhysAddr(4 * kPageSize - 1));
  EXPECT_EQ(*last, std::byte{0});
  *last = std::byte{42};
  EXPECT_EQ(*(*memory)->Data(PhysAddr(4 * kPageSize - 1)), std::byte{42});
}

TEST(PhysicalMemoryTest, AddressesStartAtTheBase) {
  auto memory = PhysicalMemory::Anonymous(2 * kPageSize, PhysAddr(0x8000'0000));
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_FALSE((*memory)->Contains(PhysAddr(0)));
  EXPECT_FALSE((*memory)->Contains(PhysAddr(0x7fff'ffff)));
  EXPECT_TRUE((*memory)->Contains(PhysAddr(0x8000'0000)));
  EXPECT_TRUE((*memory)->Contains(PhysAddr(0x8000'1fff)));
  EXPECT_FALSE((*memory)->Contains(PhysAddr(0x8000'2000)));
  EXPECT_EQ((*memory)->Data(PhysAddr(0x8000'1000)) - (*memory)->Data(PhysAddr(0x8000'0000)),
            static_cast<std::ptrdiff_t>(kPageSize));
}

TEST(PhysicalMemoryTest, MemoryFileIsSharedWithOtherMappingsOfIt) {
  auto memory = PhysicalMemory::Memfd(2 * kPageSize, "paddock-test");
  ASSERT_TRUE(memory.ok()) << memory.status();
  ASSERT_GE((*memory)->fd(), 0);
  void* other = mmap(nullptr, 2 * kPageSize, PROT_READ, MAP_SHARED, (*memory)->fd(), 0);
  ASSERT_NE(other, MAP_FAILED);
  std::memcpy((*memory)->Data(PhysAddr(kPageSize)), "hello", 6);
  EXPECT_STREQ(static_cast<const char*>(other) + kPageSize, "hello");
  munmap(other, 2 * kPageSize);
}

TEST(PhysicalMemoryTest, CallerOwnedMemoryIsUsedInPlace) {
  alignas(kPageSize) static std::byte bytes[2 * kPageSize];
  auto memory = PhysicalMemory::CallerOwned(bytes, PhysAddr(kPageSize));
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ((*memory)->Data(PhysAddr(kPageSize)), bytes);
}

TEST(PhysicalMemoryTest, CallerOwnedMemoryMustBeAligned) {
  alignas(kPageSize) static std::byte bytes[3 * kPageSize];
  auto memory = PhysicalMemory::CallerOwned(std::span(bytes + 64, 2 * kPageSize));
  EXPECT_EQ(memory.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(memory.status().message(), HasSubstr("aligned"));
}

TEST(PhysicalMemoryTest, BadSizesAndBasesAreRefusedWithTheValue) {
  const auto refused = [](uint64_t bytes, uint64_t base) {
    const absl::Status status = PhysicalMemory::Anonymous(bytes, PhysAddr(base)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(PhysicalMemory::Memfd(bytes, "x", PhysAddr(base)).status(), status);
    return std::string(status.message());
  };
  EXPECT_THAT(refused(0, 0), HasSubstr("0 bytes"));
  EXPECT_THAT(refused(0x1800, 0), HasSubstr("0x1800"));
  EXPECT_THAT(refused(0x1000, 0x234), HasSubstr("0x234"));
  EXPECT_THAT(refused(0x2000, (uint64_t{1} << 52) - 0x1000), HasSubstr("52 bits"));
  EXPECT_THAT(refused(0x1000, uint64_t{1} << 63), HasSubstr("52 bits"));
}

TEST(PhysicalMemoryTest, MemoryThatCannotBeMappedIsExhaustedResources) {
  // Larger than the user half of a 48-bit address space.
  const absl::Status status = PhysicalMemory::Anonymous(uint64_t{1} << 51).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("annot")) << "the system's reason belongs in the message";
}

}  // namespace
}  // namespace paddock

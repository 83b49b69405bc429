// SPDX-License-Identifier: Apache-2.0
//
// Where a machine's kernel has what: which layouts are refused, and what the linear map contains.

#include "paddock/core/space/kernel_layout.h"

#include <cstdint>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/tests/support/soft_mmu.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr uint64_t kStart = 0xffff'fc00'0000'0000;
constexpr uint64_t kBound = 0xffff'ff80'0000'0000;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

VirtRange Range(uint64_t start, uint64_t end) { return {VirtAddr(start), VirtAddr(end)}; }

absl::Status Check(const KernelLayout& layout, uint64_t memory_bytes = 16 * kMiB) {
  return CheckLayout(layout, {PhysAddr(0), PhysAddr(memory_bytes)});
}

absl::StatusOr<std::unique_ptr<Machine>> Create(std::unique_ptr<PhysicalMemory> memory,
                                                const KernelLayout& layout) {
  Machine::Options options;
  options.memory = std::move(memory);
  options.kernel = layout;
  return Machine::Create(std::move(options));
}

TEST(KernelLayout, TheDefaultIsSound) {
  EXPECT_TRUE(IsOk(Check({})));
  EXPECT_TRUE(IsOk(Check({.linear_mapping = LinearMapping::kAllMemory}, uint64_t{2} << 40)));
}

TEST(KernelLayout, RangesThatBreakARuleAreRefusedByName) {
  const struct {
    VirtRange window;
    StatusCode code;
    const char* says;
  } cases[] = {
      {Range(kStart, kStart), StatusCode::kInvalidArgument, "is empty"},
      {Range(kStart + 0x2000, kStart + 0x1000), StatusCode::kInvalidArgument, "is reversed"},
      {Range(kStart + 8, kStart + 0x1000), StatusCode::kInvalidArgument, "not aligned to 4 KiB"},
      {Range(kStart - 0x1000, kStart + 0x1000), StatusCode::kOutOfRange, "0xfffffc0000000000"},
      {Range(kBound - 0x1000, kBound + 0x1000), StatusCode::kOutOfRange, "0xffffff8000000000"},
      {Range(kBound, 0), StatusCode::kOutOfRange, "not inside"},
      {Range(0x1000, 0x2000), StatusCode::kOutOfRange, "not inside"},
  };
  for (const auto& c : cases) {
    KernelLayout layout;
    layout.linear_map = {};
    layout.dynamic_window = c.window;
    EXPECT_TRUE(Refused(Check(layout), c.code, {"kernel.dynamic_window", c.says}));
    layout = {};
    layout.linear_map = c.window;
    layout.linear_mapping = LinearMapping::kAllMemory;
    EXPECT_TRUE(Refused(Check(layout), c.code, {"kernel.linear_map", c.says}));
  }
}

TEST(KernelLayout, OverlappingRangesAreRefused) {
  KernelLayout layout;
  layout.linear_map = Range(kStart, kStart + 8 * kGiB);
  layout.dynamic_window = Range(kStart + 8 * kGiB - 0x1000, kStart + 9 * kGiB);
  EXPECT_TRUE(Refused(Check(layout), StatusCode::kInvalidArgument, {"overlaps", "linear_map"}));
  layout.dynamic_window = Range(kStart + 8 * kGiB, kStart + 9 * kGiB);
  EXPECT_TRUE(IsOk(Check(layout)));
}

TEST(KernelLayout, ALinearMapThatIsTooSmallForTheMemoryIsRefused) {
  KernelLayout layout;
  layout.linear_map = Range(kStart, kStart + 16 * kMiB);
  EXPECT_TRUE(IsOk(Check(layout, 17 * kMiB))) << "nothing is mapped there";
  layout.linear_mapping = LinearMapping::kAllMemory;
  EXPECT_TRUE(IsOk(Check(layout, 16 * kMiB)));
  EXPECT_TRUE(Refused(Check(layout, 16 * kMiB + kPageSize), StatusCode::kInvalidArgument,
                      {"0x1000000 bytes", "0x1000fff"}));
  EXPECT_TRUE(Refused(CheckLayout(layout, {PhysAddr(8 * kMiB), PhysAddr(24 * kMiB)}),
                      StatusCode::kInvalidArgument));
}

TEST(KernelLayout, AMachineIsNotMadeWithAWrongOne) {
  Machine::Options options;
  options.kernel.dynamic_window = {};
  EXPECT_TRUE(Refused(Machine::Create(std::move(options)), StatusCode::kInvalidArgument,
                      {"kernel.dynamic_window"}));
}

TEST(KernelLayout, NothingIsMappedUnlessAsked) {
  auto machine = Must(Machine::Create({}));
  const CpuPin pin = Must(machine->Pin(CpuId{0}));
  EXPECT_FALSE(machine->kernel().LinearAddress(PhysAddr(0)));
  EXPECT_TRUE(Refused(machine->KernelLoad(pin, VirtAddr(kStart)), StatusCode::kNotFound));
}

TEST(LinearMap, MapsAllMemoryWithTheLargestPagesThatFit) {
  // Two whole GiB, with ends that are not even multiples of 2 MiB.
  const PhysAddr base(kGiB - 2 * kMiB - kPageSize);
  const uint64_t size = 2 * kGiB + 4 * kMiB + 2 * kPageSize;
  auto machine = Must(Create(Must(PhysicalMemory::Anonymous(size, base)),
                             {.linear_mapping = LinearMapping::kAllMemory}));
  const CpuPin pin = Must(machine->Pin(CpuId{0}));
  EXPECT_TRUE(IsOk(machine->kernel().CheckInvariants(pin)));
  const auto seen = [&](PhysAddr address) {
    return SoftWalk<UserFormat>(machine->memory(), machine->kernel_table().root(),
                                VirtAddr(kStart).Plus(address.value()));
  };
  const PageProperty property{kReadWriteKernel.flags | PageFlags::kGlobal, CachePolicy::kWriteBack,
                              kUntrackedSoftwareBit};
  const struct {
    uint64_t address;
    int level;
  } cases[] = {{base.value(), 1}, {kGiB - 2 * kMiB, 2},
               {kGiB, 3},         {2 * kGiB + 777 * kPageSize, 3},
               {3 * kGiB, 2},     {3 * kGiB + 2 * kMiB, 1}};
  for (const auto& c : cases) {
    const PhysAddr address(c.address);
    EXPECT_EQ(machine->kernel().LinearAddress(address), VirtAddr(kStart).Plus(c.address));
    EXPECT_EQ(seen(address), (MappedPage{address, c.level, property})) << c.address;
  }
  for (const PhysAddr outside : {PhysAddr(base.value() - kPageSize), base.Plus(size)}) {
    EXPECT_FALSE(machine->kernel().LinearAddress(outside));
    EXPECT_FALSE(seen(outside));
  }
}

TEST(LinearMap, ReachesTheSameMemoryAsASpaceAndCountsNothing) {
  auto machine = Must(Create(Must(PhysicalMemory::Anonymous(16 * kMiB)),
                             {.linear_mapping = LinearMapping::kAllMemory}));
  const CpuPin pin = Must(machine->Pin(CpuId{0}));
  UFrame frame = Must(machine->frames().Allocate(Untyped{}, Zeroing::kZero));
  const PhysAddr address = frame.start();
  const VirtAddr linear = *machine->kernel().LinearAddress(address);
  auto space = Must(VmSpace::Create(*machine, pin));
  Must(Must(space->OpenCursorMut(pin, Range(0x1000, 0x2000)))
           .Map(MappedFrames(std::move(frame), kReadWriteUser)));
  space->Activate(pin);
  EXPECT_TRUE(IsOk(space->Store(pin, VirtAddr(0x1010), 77)));
  const AccessResult loaded = Must(machine->KernelLoad(pin, linear.Plus(0x10)));
  EXPECT_EQ(loaded.value, 77u);
  EXPECT_EQ(loaded.frame, address);
  EXPECT_EQ(machine->frames().slot(address).ref_count.load(sync::seq_cst), 1u);

  // The frame goes, the mapping stays, and an access is still as good as any.
  Must(Must(space->OpenCursorMut(pin, Range(0x1000, 0x2000))).Unmap(kPageSize));
  machine->rcu().Drain(pin);
  EXPECT_EQ(machine->frames().slot(address).ref_count.load(sync::seq_cst), kRefUnused);
  const AccessResult later = Must(machine->KernelLoad(pin, linear.Plus(0x10)));
  EXPECT_EQ(later.generation_at_fill, later.generation_now);
  machine->DeactivateSpace(pin);
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// Every number that a machine is made from: at its bounds the machine works, beyond them it is
// refused with the rule, and nothing is allocated.

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "paddock/tests/support/machine_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr uint32_t kMost32 = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMost64 = std::numeric_limits<uint64_t>::max();

Machine::Options Small() {
  Machine::Options options;
  options.cpus = 1;
  options.memory_bytes = uint64_t{1} << 20;
  return options;
}

// Creates a machine whose options are `Small()` after `change`.
template <typename Change>
absl::StatusOr<std::unique_ptr<Machine>> Make(Change change) {
  Machine::Options options = Small();
  change(options);
  return Machine::Create(std::move(options));
}

// Maps, stores, protects and unmaps one page.
void Use(Machine& machine) {
  constexpr VirtRange kPage{VirtAddr(0x1000), VirtAddr(0x2000)};
  const CpuPin pin = Must(machine.Pin(CpuId{0}));
  const auto space = Must(VmSpace::Create(machine, pin));
  UFrame frame = Must(machine.frames().Allocate(Untyped{}, Zeroing::kZero));
  Must(Must(space->OpenCursorMut(pin, kPage)).Map(MappedFrames(std::move(frame), kReadWriteUser)));
  space->Activate(pin);
  EXPECT_TRUE(IsOk(space->Store(pin, kPage.start, 1)));
  EXPECT_EQ(Must(Must(space->OpenCursorMut(pin, kPage)).Unmap(kPageSize)).pages, 1u);
  EXPECT_TRUE(Refused(space->Load(pin, kPage.start), StatusCode::kNotFound));
  machine.DeactivateSpace(pin);
}

TEST(MachineOptions, CpusAreOneToTheMost) {
  for (const uint32_t cpus : {0u, kMaxCpus + 1, kMost32}) {
    EXPECT_TRUE(Refused(Make([&](auto& o) { o.cpus = cpus; }), StatusCode::kInvalidArgument,
                        {std::to_string(cpus), "1 to 1024 CPUs"}));
  }
  const auto machine = Must(Make([](auto& o) {
    o.cpus = kMaxCpus;
    o.tlb.tlb_sets = 1;
  }));
  Use(*machine);
  EXPECT_TRUE(IsOk(machine->Pin(CpuId{kMaxCpus - 1})));
}

TEST(MachineOptions, AMemoryThatCannotBeIsRefused) {
  const auto bytes = [](uint64_t n) { return Make([=](auto& o) { o.memory_bytes = n; }); };
  EXPECT_TRUE(Refused(bytes(0), StatusCode::kInvalidArgument, {"0 bytes"}));
  EXPECT_TRUE(Refused(bytes(kPageSize + 1), StatusCode::kInvalidArgument, {"multiple of 4 KiB"}));
  EXPECT_TRUE(Refused(bytes(2 * kPageSize), StatusCode::kResourceExhausted));
  for (const uint64_t huge : {uint64_t{1} << 53, kMost64 - kPageSize + 1}) {
    EXPECT_TRUE(Refused(bytes(huge), StatusCode::kInvalidArgument, {"52 bits"}));
  }
  // Within the address width; the host's address space decides.
  EXPECT_FALSE(bytes(uint64_t{1} << 51).ok());
}

TEST(MachineOptions, ATlbLargerThanAnyIsRefused) {
  struct Case {
    uint32_t sets;
    uint32_t ways;
  };
  constexpr uint32_t kMost = SoftTlb::kMaxEntries;
  for (const Case& each : {Case{1u << 31, 4}, Case{64, kMost32}, Case{1u << 31, kMost32},
                           Case{1, kMost + 1}, Case{2 * kMost, 1}, Case{64, kMost / 64 + 1}}) {
    EXPECT_TRUE(Refused(Make([&](auto& o) {
                          o.tlb.tlb_sets = each.sets;
                          o.tlb.tlb_ways = each.ways;
                        }),
                        StatusCode::kInvalidArgument,
                        {"tlb_sets", std::to_string(each.sets), "tlb_ways",
                         std::to_string(each.ways), "above 16384"}));
  }
  for (const Case& each : {Case{kMost, 1}, Case{1, kMost}, Case{1, 1}}) {
    Use(*Must(Make([&](auto& o) {
      o.tlb.tlb_sets = each.sets;
      o.tlb.tlb_ways = each.ways;
    })));
  }
}

TEST(MachineOptions, OtherNumbersOfTheTlbHaveBounds) {
  for (const uint32_t tags : {0u, TagTable::kMaxSlots + 1, kMost32}) {
    EXPECT_TRUE(Refused(Make([&](auto& o) { o.tlb.tags_per_cpu = tags; }),
                        StatusCode::kInvalidArgument,
                        {"tags_per_cpu", std::to_string(tags), "[1, 4096]"}));
  }
  EXPECT_TRUE(Refused(Make([](auto& o) { o.tlb.full_flush_threshold = kMost32; }),
                      StatusCode::kInvalidArgument, {"full_flush_threshold", "above 64"}));
  Use(*Must(Make([](auto& o) { o.tlb.tags_per_cpu = TagTable::kMaxSlots; })));
  for (const uint32_t limit : {0u, kMost32}) {
    Use(*Must(Make([&](auto& o) { o.tlb.in_flight_limit = limit; })));
  }
}

TEST(MachineOptions, NumbersOfReclamationMayBeAnythingAboveZero) {
  EXPECT_TRUE(Refused(Make([](auto& o) { o.rcu.batch_size = 0; }), StatusCode::kInvalidArgument,
                      {"batch_size 0"}));
  EXPECT_TRUE(Refused(Make([](auto& o) { o.rcu.max_nesting = 0; }), StatusCode::kInvalidArgument,
                      {"max_nesting 0"}));
  EXPECT_TRUE(Refused(Make([](auto& o) { o.rcu.stall_ns = 0; }), StatusCode::kInvalidArgument,
                      {"stall_ns 0"}));
  Use(*Must(Make([](auto& o) { o.rcu = {.batch_size = kMost32, .max_nesting = kMost32}; })));
  for (const uint64_t limit : {uint64_t{0}, kMost64 / 2 + 1, kMost64}) {
    for (const uint64_t stall_ns : {uint64_t{1}, kMost64}) {
      Use(*Must(Make([&](auto& o) {
        o.cpus = 2;
        o.rcu = {.backlog_limit = limit, .stall_ns = stall_ns};
      })));
    }
  }
}

TEST(MachineOptions, FramesHaveAtLeastOneOwnerAndAnAllocator) {
  for (const uint32_t most : {0u, 0x8000'0000u, kMost32}) {
    EXPECT_TRUE(Refused(Make([&](auto& o) { o.frames.max_references = most; }),
                        StatusCode::kInvalidArgument, {"max_references"}));
  }
  EXPECT_TRUE(Refused(Make([](auto& o) { o.frames.wrap_allocator = [](auto) { return nullptr; }; }),
                      StatusCode::kInvalidArgument, {"wrap_allocator"}));
  Use(*Must(Make([](auto& o) { o.frames.max_references = 1; })));
}

}  // namespace
}  // namespace paddock

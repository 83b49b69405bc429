// SPDX-License-Identifier: Apache-2.0
//
// The hot paths of concurrency/ do not allocate: counted by replacing operator new.
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/tests/concurrency/rcu_objects.h"

namespace {
thread_local uint64_t allocations = 0;

void* Allocate(std::size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
}  // namespace

void* operator new(std::size_t bytes) { return Allocate(bytes); }
void* operator new[](std::size_t bytes) { return Allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace paddock {
namespace {

TEST(Allocation, IsCounted) {
  const uint64_t before = allocations;
  const std::vector<int> some(100);
  EXPECT_EQ(allocations, before + 1);
}

TEST(Allocation, RetireAndReclaimAllocateNothing) {
  CpuRegistry registry(2);
  RcuDomain rcu(registry, {.batch_size = 8, .backlog_limit = 64});
  std::vector<Retired> objects(1000);
  absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{0});
  const uint64_t before = allocations;
  for (Retired& object : objects) {
    {
      absl::StatusOr<CpuPin> nested = registry.Pin(CpuId{0});
      RcuReadGuard guard(rcu, *nested);
      rcu.Retire(*nested, &object);
    }
    rcu.Poll(*pin);
    rcu.Throttle(*pin);
  }
  rcu.Drain(*pin);
  EXPECT_EQ(allocations, before);
}

class Nothing final : public IpiRequest {
 public:
  void Handle(const CpuPin&) override {}
};

TEST(Allocation, SendAndPollAllocateNothingInSteadyState) {
  CpuRegistry registry(1);
  IpiBus bus(registry);
  Nothing request;
  absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{0});
  const auto burst = [&] {
    for (int i = 0; i < 100; ++i) bus.Send(CpuId{0}, &request);
    bus.Poll(*pin);
  };
  burst();
  burst();
  const uint64_t before = allocations;
  for (int i = 0; i < 10; ++i) burst();
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace paddock

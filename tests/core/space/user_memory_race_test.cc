// SPDX-License-Identifier: Apache-2.0
//
// Copies of one CPU while another one unmaps the pages under them.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

class UserMemoryRace : public MachineTest {};

// Frames come back to the allocator all the time, and are taken by somebody who never maps them:
// a copy that reached a frame after it was freed would leave its bytes there. (Checked builds also
// look at every translation.)
TEST_F(UserMemoryRace, NoCopyWritesAFrameThatWasFreed) {
  constexpr uint64_t kPages = 8;
  constexpr std::byte kMark{0x5a};
  const uint64_t seed = TestSeed();
  const auto space = NewSpace({.views = ViewDiscipline::kOff});  // copies within the pages overlap
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> copied{0};
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    std::mt19937_64 random(seed);
    const std::vector<std::byte> ones(2 * kPageSize, std::byte{1});
    while (!stop) {
      space->Activate(cpu);
      const auto somewhere = [&] { return VirtAddr(random() % (kPages * kPageSize)); };
      const uint64_t bytes = 1 + random() % (2 * kPageSize);
      auto writer = Must(space->Writer(cpu, somewhere(), bytes));
      if (random() % 2 == 0) {
        VmReader source{std::span(ones)};
        copied += writer.Write(source).bytes;
      } else {
        auto reader = Must(space->Reader(cpu, somewhere(), bytes));
        copied += writer.Write(reader).bytes;
      }
      if (random() % 3 == 0) machine().Poll(cpu);
      if (random() % 16 == 0) machine().DeactivateSpace(cpu);
    }
    machine().DeactivateSpace(cpu);
  });

  std::mt19937_64 random(seed + 1);
  std::vector<UFrame> held;
  uint64_t changed = 0;
  const auto let_go = [&] {
    for (const UFrame& frame : held) {
      const std::vector<std::byte> bytes = VmReader(frame).Collect();
      if (bytes != std::vector<std::byte>(kPageSize, kMark)) ++changed;
    }
    held.clear();
  };
  const auto change_a_page = [&] {
    const VirtRange page = Page(random() % kPages);
    if (random() % 2 == 0) {
      MapNew(*space, page);
    } else {
      Must(Must(space->OpenCursorMut(pin(), page)).Unmap(kPageSize));
    }
    UFrame frame = NewFrame();
    EXPECT_TRUE(VmWriter(frame).Fill(kMark).ok());
    held.push_back(std::move(frame));
    if (held.size() == 64) let_go();
    machine().Poll(pin());
  };
  for (int round = 0; round < 2000; ++round) change_a_page();
  EXPECT_TRUE(Eventually([&] { return copied >= 100'000; }, change_a_page));
  stop = true;
  threads.Join();
  let_go();
  EXPECT_EQ(changed, 0u);
}

// User code on two CPUs and the kernel on a third write and read the same bytes at once.
TEST_F(UserMemoryRace, ConcurrentWritersOfTheSameBytesAreNoDataRace) {
  const auto space = NewSpace({.views = ViewDiscipline::kOff});  // they mean to overlap
  MapNew(*space, Page(1));
  MapNew(*space, Page(2));
  std::atomic<int> writing{2};
  CpuThreads threads(machine().cpus());
  for (const uint32_t id : {1u, 2u}) {
    threads.Run(id, [&, id](const CpuPin& cpu) {
      space->Activate(cpu);
      const std::vector<std::byte> mine(5000, static_cast<std::byte>(id));
      for (int i = 0; i < 200; ++i) {
        VmReader source{std::span(mine)};
        auto writer = Must(space->Writer(cpu, VirtAddr(0x1000 + i % 7), mine.size()));
        EXPECT_EQ(writer.Write(source).bytes, mine.size());
        EXPECT_TRUE(IsOk(space->Store(cpu, VirtAddr(0x2ff8), id)));
        machine().Poll(cpu);
      }
      --writing;
      machine().DeactivateSpace(cpu);
    });
  }
  space->Activate(pin());
  int reads = 0;
  while (writing != 0 || reads == 0) {
    ++reads;
    auto reader = Must(space->Reader(pin(), VirtAddr(0x1003), 4000));
    for (const std::byte byte : Must(reader.Collect())) {
      ASSERT_TRUE(byte == std::byte{0} || byte == std::byte{1} || byte == std::byte{2});
    }
    auto word = Must(space->Reader(pin(), VirtAddr(0x2ff8), 8));
    ASSERT_LE(Must(word.ReadOnce<uint64_t>()), 2u);
    machine().Poll(pin());
  }
}

}  // namespace
}  // namespace paddock

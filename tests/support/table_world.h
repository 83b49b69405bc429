// SPDX-License-Identifier: Apache-2.0
//
// Everything that page tables are built on, put together without a Machine, so that a test can have
// tables of any format.
//
//   TableWorld world;
//   CpuPin pin = world.Pin(0);
//   auto table = Must(PageTable<Config>::Create(world.env(), pin));
//   ...
//   table.reset();
//   world.ExpectNothingLeft(pin);

#ifndef PADDOCK_TESTS_SUPPORT_TABLE_WORLD_H_
#define PADDOCK_TESTS_SUPPORT_TABLE_WORLD_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/physical_memory.h"
#include "paddock/core/page_table/page_table_env.h"
#include "paddock/core/tlb/tlb_system.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {

// That no slot of a frame that is free, or that is in use and no node, carries a claim, and that
// nobody waits anywhere. Only when nobody opens a cursor.
inline void ExpectNoClaims(FrameTable& frames) {
  const PhysAddr base = frames.memory().base();
  for (uint64_t i = 0; i < frames.total_pages(); ++i) {
    const PhysAddr frame = base.Plus(i * kPageSize);
    const MetaSlot& slot = frames.slot(frame);
    const uint64_t claims = slot.lock.load(sync::seq_cst);
    const uint64_t waiters = slot.waiters.load(sync::seq_cst);
    ASSERT_TRUE(claims == 0 && waiters == 0)
        << "frame " << std::hex << frame.value() << " has claims " << claims << " and waiters "
        << waiters;
  }
}

class TableWorld {
 public:
  struct Options {
    uint32_t cpus = 4;
    uint64_t memory_bytes = uint64_t{16} << 20;
    RcuDomain::Options rcu;
    TlbSystem::Options tlb;
    FrameTable::Options frames;
    ShootdownTransport* transport = nullptr;
  };

  TableWorld() : TableWorld(Options()) {}
  explicit TableWorld(Options options)
      : cpus_(options.cpus),
        rcu_(cpus_, options.rcu),
        bus_(cpus_),
        memory_(Must(PhysicalMemory::Anonymous(options.memory_bytes))),
        frames_(Must(FrameTable::Create(*memory_, cpus_, std::move(options.frames)))),
        tlb_(cpus_, rcu_, bus_, *frames_, options.tlb, options.transport),
        env_(cpus_, rcu_, bus_, *frames_, tlb_) {}

  CpuPin Pin(uint32_t cpu) { return Must(cpus_.Pin(CpuId{cpu})); }

  CpuRegistry& cpus() { return cpus_; }
  RcuDomain& rcu() { return rcu_; }
  IpiBus& bus() { return bus_; }
  FrameTable& frames() { return *frames_; }
  TlbSystem& tlb() { return tlb_; }
  PageTableEnv& env() { return env_; }

  void Poll(const CpuPin& pin) {
    bus_.Poll(pin);
    rcu_.Poll(pin);
  }

  // Reclaims everything that was retired. Every other CPU is idle.
  void Settle(const CpuPin& pin) {
    bus_.Poll(pin);
    rcu_.Drain(pin);
  }

  // To be called when every table is gone.
  void ExpectNothingLeft(const CpuPin& pin) {
    Settle(pin);
    EXPECT_EQ(rcu_.stats().retired, rcu_.stats().reclaimed);
    EXPECT_EQ(frames_->used_pages(), 0u);
    frames_->ForEachInUse([](PhysAddr frame, const MetaSlot& slot) {
      // order: acquire, as for any look at who owns a frame.
      const MetaVtable* kind = slot.kind.load(sync::acquire);
      ADD_FAILURE() << "frame " << std::hex << frame.value() << " is still in use as "
                    << (kind == nullptr ? "nothing" : kind->name);
    });
    ExpectNoClaims(*frames_);
  }

 private:
  CpuRegistry cpus_;
  RcuDomain rcu_;
  IpiBus bus_;
  std::unique_ptr<PhysicalMemory> memory_;
  std::unique_ptr<FrameTable> frames_;
  TlbSystem tlb_;
  PageTableEnv env_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_TABLE_WORLD_H_

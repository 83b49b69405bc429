// SPDX-License-Identifier: Apache-2.0
#include "paddock/stress/explore/small_world.h"

#include <string>

#include "paddock/concurrency/sync.h"

namespace paddock::explore {

void RunPinned(CpuRegistry& cpus, const std::vector<std::function<void(const CpuPin&)>>& bodies) {
  std::vector<sync::Thread> threads;
  for (uint32_t cpu = 0; cpu < bodies.size(); ++cpu) {
    threads.emplace_back([&cpus, cpu, &body = bodies[cpu]] {
      model::NameThread("CPU " + std::to_string(cpu));
      const CpuPin pin = Must(cpus.Pin(CpuId{cpu}));
      body(pin);
    });
  }
}

SmallWorld::SmallWorld(TagMode tags)
    : cpus_(kCpus),
      rcu_(cpus_, {.batch_size = 1}),
      bus_(cpus_),
      bytes_(kFrames),
      memory_(bytes_.NewMemory()),
      frames_(Must(FrameTable::Create(*memory_, cpus_, Poisoning(*memory_)))),
      tlb_(cpus_, rcu_, bus_, *frames_, {.tlb_sets = 1, .tlb_ways = 2, .tag_mode = tags}),
      env_(cpus_, rcu_, bus_, *frames_, tlb_) {
  if (!model::IsTraced()) return;
  NameFrames(*frames_);
  NameField(cpus_, "", "cpus");
  NameField(rcu_, "", "rcu");
  NameField(bus_, "", "bus");
  NameField(tlb_, "", "tlb");
  NameField(env_, "", "env");
}

SmallWorld::~SmallWorld() {
  {
    const CpuPin pin = Pin(kSetupCpu);
    bus_.Poll(pin);
    rcu_.Drain(pin);
  }
  const RcuStats stats = rcu_.stats();
  model::Expect(stats.retired == stats.reclaimed, "everything retired is reclaimed");
  model::Expect(frames_->used_pages() == 0, "every frame is free again");
  ExpectNothingClaimed(*frames_);
}

}  // namespace paddock::explore

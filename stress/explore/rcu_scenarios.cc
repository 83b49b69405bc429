// SPDX-License-Identifier: Apache-2.0
//
// Read-copy-update: an object that a reader may hold is not reclaimed, and what is retired is
// reclaimed once.

#include "paddock/concurrency/rcu.h"

#include <functional>
#include <vector>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

// CPUs and a domain that seals objects by themselves, unless told otherwise.
struct RcuWorld {
  CpuRegistry cpus{3};
  RcuDomain rcu;

  explicit RcuWorld(const RcuOptions& options = {.batch_size = 1}) : rcu(cpus, options) {}
  ~RcuWorld() {
    {
      const CpuPin pin = Must(cpus.Pin(CpuId{2}));
      rcu.Drain(pin);
    }
    const RcuStats stats = rcu.stats();
    model::Expect(stats.retired == stats.reclaimed, "everything retired is reclaimed");
  }

  void Run(const std::vector<std::function<void(const CpuPin&)>>& bodies) {
    RunPinned(cpus, bodies);
  }
};

struct Object : RcuHead {
  uint64_t value = 0;
  bool reclaimed = false;

  explicit Object(uint64_t v) : value(v) {
    reclaim = [](RcuHead* head, const CpuPin&) {
      auto* const object = static_cast<Object*>(head);
      model::Expect(!object->reclaimed, "an object is reclaimed once");
      object->reclaimed = true;
      model::ReleaseMemory(&object->value, sizeof(object->value));
    };
  }
  uint64_t Read() { return sync::AtomicRef<uint64_t>(value).load(sync::relaxed); }
};

using Root = sync::Atomic<Object*>;

// Looks at the object twice, with an interrupt point's worth of time in between.
void ReadTwice(RcuDomain& rcu, const CpuPin& pin, Root& root) {
  const RcuReadGuard guard(rcu, pin);
  Object* const object = root.load(sync::acquire);
  const uint64_t value = object->Read();
  model::Reach(value == 1 ? "sees the old object" : "sees the new object");
  model::Expect(object->Read() == value, "an object does not change under its reader");
}

void Replace(RcuDomain& rcu, const CpuPin& pin, Root& root, Object& next) {
  Object* const old = root.exchange(&next, sync::seq_cst);
  rcu.Retire(pin, old);
  rcu.Poll(pin);
  rcu.Poll(pin);
  rcu.Poll(pin);
  if (old->reclaimed) model::Reach("reclaimed at once");
}

void ReaderAgainstRetire() {
  RcuWorld world;
  Object first(1);
  Object second(2);
  Root root(&first);
  model::Name(&root, sizeof(root), "root");
  model::Name(&first.value, sizeof(first.value), "first");
  world.Run({[&](const CpuPin& pin) { ReadTwice(world.rcu, pin, root); },
             [&](const CpuPin& pin) { Replace(world.rcu, pin, root, second); }});
}

// Sealing orders the unlinking, whatever its own order is: here it only publishes the new object.
// The third CPU advances the epoch.
void ReaderAgainstWeakUnlinking() {
  RcuWorld world;
  Object first(1);
  Object second(2);
  Object others(3);
  Root root(&first);
  world.Run({[&](const CpuPin& pin) {
               root.store(&second, sync::release);
               world.rcu.Retire(pin, &first);
               world.rcu.Poll(pin);
               if (first.reclaimed) model::Reach("reclaimed at once");
             },
             [&](const CpuPin& pin) { world.rcu.Retire(pin, &others); },
             [&](const CpuPin& pin) { ReadTwice(world.rcu, pin, root); }});
}

void NestedReaderAgainstRetire() {
  RcuWorld world;
  Object first(1);
  Object second(2);
  Root root(&first);
  world.Run({[&](const CpuPin& pin) {
               const RcuReadGuard outer(world.rcu, pin);
               Object* const object = root.load(sync::acquire);
               {
                 const RcuReadGuard inner(world.rcu, pin);
               }
               object->Read();
             },
             [&](const CpuPin& pin) { Replace(world.rcu, pin, root, second); }});
}

void ReaderAgainstSynchronize() {
  RcuWorld world;
  Object first(1);
  Object second(2);
  Root root(&first);
  world.Run({[&](const CpuPin& pin) { ReadTwice(world.rcu, pin, root); },
             [&](const CpuPin& pin) {
               Object* const old = root.exchange(&second, sync::seq_cst);
               Must(world.rcu.Synchronize(pin, [] {}));
               model::ReleaseMemory(&old->value, sizeof(old->value));
             }});
}

// The CPU that retired goes idle; another one reclaims what it left.
void IdleCpuLeavesItsBacklog() {
  RcuWorld world;
  Object first(1);
  Object second(2);
  Root root(&first);
  world.Run(
      {[&](const CpuPin& pin) {
         ReadTwice(world.rcu, pin, root);
         for (int i = 0; i < 3; ++i) world.rcu.Poll(pin);
         if (first.reclaimed) model::Reach("reclaimed by the other CPU");
       },
       [&](const CpuPin& pin) { world.rcu.Retire(pin, root.exchange(&second, sync::seq_cst)); }});
}

// The same while a reader may still hold the object that the third CPU reclaims.
void IdleCpuLeavesItsBacklogToAThird() {
  RcuWorld world;
  Object first(1);
  Object second(2);
  Root root(&first);
  world.Run(
      {[&](const CpuPin& pin) { ReadTwice(world.rcu, pin, root); },
       [&](const CpuPin& pin) { world.rcu.Retire(pin, root.exchange(&second, sync::seq_cst)); },
       [&](const CpuPin& pin) {
         for (int i = 0; i < 3; ++i) world.rcu.Poll(pin);
         if (first.reclaimed) model::Reach("reclaimed by the third CPU");
       }});
}

// A CPU over its limit gives its backlog away and goes on; the third reclaims it.
void BusyCpuGivesItsBacklogAway() {
  RcuWorld world({.batch_size = 1, .backlog_limit = 0});
  Object first(1);
  Object second(2);
  Object third(2);
  Root root(&first);
  world.Run({[&](const CpuPin& pin) { ReadTwice(world.rcu, pin, root); },
             [&](const CpuPin& pin) {
               world.rcu.Retire(pin, root.exchange(&second, sync::seq_cst));
               world.rcu.Retire(pin, root.exchange(&third, sync::seq_cst));
             },
             [&](const CpuPin& pin) {
               for (int i = 0; i < 3; ++i) world.rcu.Poll(pin);
               if (first.reclaimed) model::Reach("reclaimed by the third CPU");
             }});
}

void TwoWritersOneReader() {
  RcuWorld world;
  Object first(1);
  Object second(2);
  Object third(3);
  Root root(&first);
  world.Run({[&](const CpuPin& pin) { Replace(world.rcu, pin, root, second); },
             [&](const CpuPin& pin) { Replace(world.rcu, pin, root, third); },
             [&](const CpuPin& pin) { ReadTwice(world.rcu, pin, root); }});
}

// The machine ends: the domain is destroyed with objects sealed, open, and left by CPUs that went
// idle while others read. Everything is reclaimed, once.
void DomainIsDestroyed() {
  Object first(1);
  Object second(2);
  Object lone(3);
  {
    CpuRegistry cpus(2);
    RcuDomain rcu(cpus, {.batch_size = 2});
    Root root(&first);
    RunPinned(cpus, {[&](const CpuPin& pin) { ReadTwice(rcu, pin, root); },
                     [&](const CpuPin& pin) {
                       rcu.Retire(pin, &lone);
                       rcu.Retire(pin, root.exchange(&second, sync::seq_cst));
                       rcu.Poll(pin);
                       rcu.Poll(pin);
                       model::Reach(first.reclaimed ? "reclaimed before" : "left for the end");
                     }});
  }
  model::Expect(first.reclaimed && lone.reclaimed, "nothing is left when the domain ends");
  model::Expect(!second.reclaimed, "what was not retired is not reclaimed");
}

// One CPU drains while another reads, retires something itself and goes idle with it. Has found
// that a new weight of the orphans was read beside an old epoch: rcu_drain:1t2.37t2.61t1.75r1, on
// the sources of then.
void DrainAgainstReader() {
  RcuWorld world({.batch_size = 2});
  Object first(1);
  Object second(2);
  Object others(3);
  Root root(&first);
  world.Run({[&](const CpuPin& pin) {
               ReadTwice(world.rcu, pin, root);
               world.rcu.Retire(pin, &others);
             },
             [&](const CpuPin& pin) {
               world.rcu.Retire(pin, root.exchange(&second, sync::seq_cst));
               world.rcu.Drain(pin);
               model::Expect(first.reclaimed, "Drain reclaims what this CPU retired");
               if (others.reclaimed) model::Reach("and what an idle CPU left");
             }});
}

}  // namespace

std::vector<model::Scenario> RcuScenarios() {
  return {
      {.name = "rcu_retire",
       .what = "a reader against a writer that replaces, retires and polls",
       .body = &ReaderAgainstRetire,
       .must_reach = {"sees the old object", "sees the new object", "reclaimed at once"},
       .least_executions = 1000,
       .bound = 3},
      {.name = "rcu_weak_unlink",
       .what = "unlinking by a store that is only a release, while a third CPU advances the epoch",
       .body = &ReaderAgainstWeakUnlinking,
       .must_reach = {"sees the old object", "sees the new object", "reclaimed at once"},
       .bound = 3},
      {.name = "rcu_nested",
       .what = "the same with a section inside the reader's",
       .body = &NestedReaderAgainstRetire,
       .must_reach = {"reclaimed at once"},
       .bound = 3},
      {.name = "rcu_synchronize",
       .what = "a reader against a writer that waits for a grace period",
       .body = &ReaderAgainstSynchronize,
       .must_reach = {"sees the old object", "sees the new object"},
       .bound = 3},
      {.name = "rcu_idle",
       .what = "the backlog of a CPU that goes idle is reclaimed by another",
       .body = &IdleCpuLeavesItsBacklog,
       .must_reach = {"reclaimed by the other CPU"},
       .bound = 3},
      {.name = "rcu_idle_reader",
       .what = "the same with a reader beside the two",
       .body = &IdleCpuLeavesItsBacklogToAThird,
       .must_reach = {"sees the old object", "reclaimed by the third CPU"},
       .bound = 2},
      {.name = "rcu_busy",
       .what = "a CPU over its limit gives its backlog away beside a reader",
       .body = &BusyCpuGivesItsBacklogAway,
       .must_reach = {"sees the old object", "reclaimed by the third CPU"},
       .bound = 2},
      {.name = "rcu_writers",
       .what = "two writers and a reader",
       .body = &TwoWritersOneReader,
       .must_reach = {"sees the old object", "reclaimed at once"},
       .bound = 2},
      {.name = "rcu_shutdown",
       .what = "the domain ends with objects that readers may just have left",
       .body = &DomainIsDestroyed,
       .must_reach = {"sees the old object", "sees the new object", "reclaimed before",
                      "left for the end"},
       .bound = 3},
      {.name = "rcu_drain",
       .what = "one CPU drains while another reads and goes idle with a backlog",
       .body = &DrainAgainstReader,
       .must_reach = {"sees the old object", "sees the new object", "and what an idle CPU left"},
       .bound = 3},
  };
}

}  // namespace paddock::explore

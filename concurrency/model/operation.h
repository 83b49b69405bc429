// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_OPERATION_H_
#define PADDOCK_CONCURRENCY_MODEL_OPERATION_H_

#include <source_location>

#include <cstdint>

#include "paddock/concurrency/model/order.h"

// What a thread is about to do when the scheduler is asked who runs next.
namespace paddock::model {

enum class OpKind : uint8_t {
  kStart,  // nothing shared: it begins, or goes on after it was blocked
  kLoad,
  kStore,
  kUpdate,  // a read-modify-write, also one that fails
  kSleep,   // WaitOnWord
  kWake,
  kTime,  // the clock jumps: to a sleeper's deadline, or because the scenario says so
};

struct Operation {
  OpKind kind = OpKind::kStart;
  Order order = Order::kRelaxed;
  bool shared = true;  // false: no other thread has anything to do with `address`
  uintptr_t address = 0;
  std::source_location where;
};

// Whether the two, of different threads, lead to the same state in either order.
constexpr bool Independent(const Operation& a, const Operation& b) {
  // What follows an operation may read the clock, also what follows kStart.
  if (a.kind == OpKind::kTime || b.kind == OpKind::kTime) return false;
  if (a.kind == OpKind::kStart || b.kind == OpKind::kStart) return true;
  if (a.address != b.address) return true;
  if (a.kind != OpKind::kLoad || b.kind != OpKind::kLoad) return false;
  // A seq_cst load keeps later ones from reading something older.
  return a.order != Order::kSeqCst || b.order != Order::kSeqCst;
}

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_OPERATION_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_FIBER_H_
#define PADDOCK_CONCURRENCY_MODEL_FIBER_H_

#include <ucontext.h>

#include <cstddef>

#include "paddock/concurrency/model/vector_clock.h"

// Stacks to switch between on one thread of the operating system.
//
//   Fiber host, fiber;
//   fiber.Prepare(/*stack=*/0, &Entry);    // Entry must not return
//   host.SwitchTo(fiber);                  // runs Entry until something switches back to `host`
//
// Built on the C library's ucontext: no dependency, and debuggers and unwinders know it. A switch
// makes a system call for the signal mask, about 0.3 us; an execution switches some dozens of times
// and takes hundreds of microseconds, so a faster switch would not be felt.
namespace paddock::model {

class Fiber {
 public:
  static constexpr size_t kStackBytes = size_t{256} << 10;

  // The next switch to this fiber calls `entry` at the bottom of stack number `stack`, which is
  // below kMaxThreads and of nobody who still runs. Stacks are at the same addresses each time.
  void Prepare(ThreadId stack, void (*entry)());

  // Continues `next` where it left off; returns when somebody switches back to this one.
  void SwitchTo(Fiber& next) { swapcontext(&context_, &next.context_); }

  // Whether `address` lies on one of the stacks, and on which.
  static bool FindStack(const void* address, ThreadId& stack);

 private:
  ucontext_t context_;
};

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_FIBER_H_

// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/fiber.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

namespace paddock::model {
namespace {

// With a page that faults below each stack.
constexpr size_t kGuardBytes = 4096;
constexpr size_t kStride = Fiber::kStackBytes + kGuardBytes;

std::byte* Stacks() {
  static std::byte* const stacks = [] {
    void* const memory = mmap(nullptr, kStride * kMaxThreads, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      std::fputs("model: no memory for the stacks of fibers\n", stderr);
      std::abort();
    }
    auto* const base = static_cast<std::byte*>(memory);
    for (uint32_t i = 0; i < kMaxThreads; ++i) mprotect(base + i * kStride, kGuardBytes, PROT_NONE);
    return base;
  }();
  return stacks;
}

}  // namespace

void Fiber::Prepare(ThreadId stack, void (*entry)()) {
  getcontext(&context_);
  context_.uc_stack.ss_sp = Stacks() + stack * kStride + kGuardBytes;
  context_.uc_stack.ss_size = kStackBytes;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
}

bool Fiber::FindStack(const void* address, ThreadId& stack) {
  const auto* const byte = static_cast<const std::byte*>(address);
  if (byte < Stacks() || byte >= Stacks() + kStride * kMaxThreads) return false;
  stack = static_cast<ThreadId>(static_cast<size_t>(byte - Stacks()) / kStride);
  return true;
}

}  // namespace paddock::model

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/interrupt.h"

#include <atomic>
#include <csignal>

namespace paddock {
namespace {

std::atomic<int> g_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);

void OnSignal(int number) {
  int none = 0;
  const bool first = g_signal.compare_exchange_strong(none, number);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  // It came before the first one's handler got this far.
  if (!first) std::raise(number);
}

}  // namespace

InterruptHandler::InterruptHandler()
    : interrupt_(std::signal(SIGINT, &OnSignal)),
      terminate_(std::signal(SIGTERM, &OnSignal)),
      pipe_(std::signal(SIGPIPE, SIG_IGN)) {}

InterruptHandler::~InterruptHandler() {
  std::signal(SIGINT, interrupt_);
  std::signal(SIGTERM, terminate_);
  std::signal(SIGPIPE, pipe_);
  g_signal.store(0);
}

int InterruptHandler::signal() { return g_signal.load(); }

}  // namespace paddock

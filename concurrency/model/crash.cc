// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/crash.h"

#include <signal.h>

#include <array>
#include <string>

#include "paddock/concurrency/model/execution.h"

namespace paddock::model {
namespace {

constexpr size_t kSignalStackBytes = size_t{64} << 10;
constexpr std::array<int, 5> kSignals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

void OnSignal(int number) {
  if (Execution* const execution = Execution::Current()) {
    // Goes back to the explorer's own context, whose signal mask blocks nothing. The fiber that
    // crashed is never continued.
    execution->Fail("crash", "signal " + std::to_string(number));
  }
  signal(number, SIG_DFL);
  raise(number);
}

}  // namespace

void CatchCrashes() {
  static std::array<char, kSignalStackBytes> signal_stack;
  stack_t stack{};
  stack.ss_sp = signal_stack.data();
  stack.ss_size = signal_stack.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_handler = &OnSignal;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (const int number : kSignals) sigaction(number, &action, nullptr);
}

}  // namespace paddock::model

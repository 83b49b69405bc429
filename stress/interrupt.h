// SPDX-License-Identifier: Apache-2.0
//
// SIGINT and SIGTERM, while one of these lives: the first asks to stop and leaves time to report,
// the next one kills, whichever it is. SIGPIPE is ignored: writing reports it.
//
//   const InterruptHandler interrupt;
//   while (InterruptHandler::signal() == 0) Work();
//
// Thread safety: one instance at a time; signal() from any thread.

#ifndef PADDOCK_STRESS_INTERRUPT_H_
#define PADDOCK_STRESS_INTERRUPT_H_

namespace paddock {

class InterruptHandler {
 public:
  InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;
  ~InterruptHandler();

  // The signal that asked to stop while the instance lives; 0: none.
  static int signal();

 private:
  using Handler = void (*)(int);

  const Handler interrupt_;
  const Handler terminate_;
  const Handler pipe_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_INTERRUPT_H_

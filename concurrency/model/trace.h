// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_TRACE_H_
#define PADDOCK_CONCURRENCY_MODEL_TRACE_H_

#include <source_location>

#include <cstdint>
#include <string>
#include <string_view>

#include "paddock/concurrency/model/arena.h"
#include "paddock/concurrency/model/vector_clock.h"

// What an execution did, step by step, for people: one line for each step, one column for each
// thread.
//
//     tick  T0 main            T1 mapper                     T2 unmapper
//       12                     root[1]: 0x0 -> 0x2000002 store release   core/page_table/node.h:110
namespace paddock::model {

struct Step {
  uint32_t tick = 0;
  ThreadId thread = 0;
  bool quiet = false;  // on a location that only one thread uses
  HostString what;
  std::source_location where;
};

struct Trace {
  HostVector<Step> steps;
  HostVector<HostString> threads;  // their names
};

// "core/page_table/node.h:88": the path as it is below the project's root.
std::string ShortPlace(std::string_view file, uint32_t line);
inline std::string ShortPlace(const std::source_location& where) {
  return ShortPlace(where.file_name(), where.line());
}

// The whole trace as a table; without the quiet steps.
std::string FormatTrace(const Trace& trace);

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_TRACE_H_

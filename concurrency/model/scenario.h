// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_SCENARIO_H_
#define PADDOCK_CONCURRENCY_MODEL_SCENARIO_H_

#include <source_location>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// What a scenario is, and what its code may say to the explorer.
//
//   const Scenario kHandOver{
//       .name = "hand_over",
//       .body = [] {
//         sync::Plain<int> data;
//         sync::Atomic<uint32_t> ready(0);
//         model::Name(&ready, sizeof(ready), "ready");
//         sync::Thread reader([&] {
//           if (ready.load(sync::acquire) == 0) return model::Reach("too early");
//           model::Expect(data.Read() == 1, "the data arrives with the flag");
//         });
//         data.Write(1);
//         ready.store(1, sync::release);
//       },
//       .must_reach = {"too early"}};
//
// The body runs once for each execution, from the start, on thread 0 of it. It must do the same
// each time but for what its threads' interleaving decides: no clocks, no randomness, no input,
// nothing kept from one execution to the next.
//
// Outside of an execution the functions do nothing, and a failed Expect stops the process.
namespace paddock::model {

// A bound that keeps nothing out.
inline constexpr uint32_t kUnboundedSearch = ~0u;

struct Scenario {
  std::string name;
  std::string what;  // in one line
  std::function<void()> body;
  // States that at least one execution must Reach; else the scenario does not test what it says.
  std::vector<std::string> must_reach = {};
  // Fewer executions are a failure too, unless there are no others.
  uint64_t least_executions = 1;
  // Of the default search: deviations, see DepthFirst.
  uint32_t bound = 2;
};

// The execution fails here if it does not hold.
void Expect(bool holds, std::string_view rule,
            std::source_location where = std::source_location::current());
[[noreturn]] void Fail(std::string_view kind, std::string_view message);

// Whether this execution is for people to read. Naming is for these only, if it takes long.
bool IsTraced();
// Names an object for traces.
void Name(const void* start, size_t bytes, std::string_view name);
// Names the calling thread.
void NameThread(std::string_view name);

// Notes that this execution came here.
void Reach(std::string_view state);

// Lets time pass for everybody.
void AdvanceTime(uint64_t ns);

// The memory is given back: from here on an access to an atomic in it is a violation, and so is one
// made before that is not ordered before this. Then somebody takes it anew.
void ReleaseMemory(const void* start, size_t bytes,
                   std::source_location where = std::source_location::current());
void TakeMemory(const void* start, size_t bytes,
                std::source_location where = std::source_location::current());

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_SCENARIO_H_

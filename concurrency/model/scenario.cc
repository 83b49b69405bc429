// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/scenario.h"

#include "paddock/concurrency/check.h"
#include "paddock/concurrency/model/execution.h"
#include "paddock/concurrency/model/trace.h"

namespace paddock::model {

void Expect(bool holds, std::string_view rule, std::source_location where) {
  if (holds) return;
  Fail("expectation", ShortPlace(where) + ": not so: " + std::string(rule));
}

void Fail(std::string_view kind, std::string_view message) {
  Execution* const execution = Execution::Current();
  PADDOCK_CHECK(execution != nullptr, std::string(message));
  execution->Fail(kind, message);
}

bool IsTraced() {
  const Execution* const execution = Execution::Current();
  return execution != nullptr && execution->traces();
}

void Name(const void* start, size_t bytes, std::string_view name) {
  if (Execution* const execution = Execution::Current()) execution->Name(start, bytes, name);
}

void NameThread(std::string_view name) {
  if (Execution* const execution = Execution::Current()) execution->NameThread(name);
}

void Reach(std::string_view state) {
  if (Execution* const execution = Execution::Current()) execution->Reach(state);
}

void AdvanceTime(uint64_t ns) {
  if (Execution* const execution = Execution::Current()) execution->AdvanceTime(ns);
}

void ReleaseMemory(const void* start, size_t bytes, std::source_location where) {
  if (Execution* const execution = Execution::Concurrent()) {
    execution->ReleaseMemory(start, bytes, where);
  }
}

void TakeMemory(const void* start, size_t bytes, std::source_location where) {
  if (Execution* const execution = Execution::Concurrent()) {
    execution->TakeMemory(start, bytes, where);
  }
}

}  // namespace paddock::model

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/violation.h"

#include <utility>

namespace paddock {

ViolationSink::ViolationSink(std::string reproduce, size_t keep)
    : reproduce_(std::move(reproduce)), keep_(keep) {}

void ViolationSink::Report(std::string_view oracle, std::string message) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++by_oracle_[std::string(oracle)];
  if (kept_.size() < keep_) {
    kept_.push_back({std::string(oracle), std::move(message), reproduce_});
  }
  count_.fetch_add(1);
}

uint64_t ViolationSink::count(std::string_view oracle) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto it = by_oracle_.find(oracle);
  return it == by_oracle_.end() ? 0 : it->second;
}

std::vector<Violation> ViolationSink::violations() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return kept_;
}

}  // namespace paddock

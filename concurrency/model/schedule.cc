// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/schedule.h"

#include <charconv>

namespace paddock::model {
namespace {

bool TakeNumber(std::string_view& text, uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool TakeKind(std::string_view& text, Deviation::Kind& kind) {
  if (text.empty()) return false;
  kind = static_cast<Deviation::Kind>(text.front());
  text.remove_prefix(1);
  return kind == Deviation::Kind::kThread || kind == Deviation::Kind::kRead ||
         kind == Deviation::Kind::kWake;
}

}  // namespace

std::string EncodeSchedule(const Schedule& schedule) {
  if (schedule.empty()) return "-";
  std::string token;
  for (const Deviation& deviation : schedule) {
    if (!token.empty()) token += '.';
    token += std::to_string(deviation.tick);
    token += static_cast<char>(deviation.kind);
    token += std::to_string(deviation.value);
  }
  return token;
}

std::optional<Schedule> DecodeSchedule(std::string_view token) {
  Schedule schedule;
  if (token == "-") return schedule;
  for (;;) {
    Deviation deviation;
    if (!TakeNumber(token, deviation.tick) || !TakeKind(token, deviation.kind) ||
        !TakeNumber(token, deviation.value)) {
      return std::nullopt;
    }
    if (!schedule.empty() && schedule.back().tick > deviation.tick) return std::nullopt;
    schedule.push_back(deviation);
    if (token.empty()) return schedule;
    if (token.front() != '.') return std::nullopt;
    token.remove_prefix(1);
  }
}

}  // namespace paddock::model

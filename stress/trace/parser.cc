// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/parser.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace paddock {
namespace {

struct CallForm {
  TraceCall call;
  std::string_view name;
  std::array<std::string_view, 5> args;  // of the enter event
};

constexpr CallForm kCalls[] = {
    {TraceCall::kMmap, "mmap", {"addr", "len", "prot", "flags"}},
    {TraceCall::kMunmap, "munmap", {"addr", "len"}},
    {TraceCall::kMprotect, "mprotect", {"start", "len", "prot"}},
    {TraceCall::kBrk, "brk", {"brk"}},
    {TraceCall::kMadvise, "madvise", {"start", "len_in", "behavior"}},
    {TraceCall::kMremap, "mremap", {"addr", "old_len", "new_len", "flags", "new_addr"}},
};

absl::Status NotUnderstood(const std::string& what, std::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(what, " `", std::string(text.substr(0, 40)), "`"));
}

constexpr std::string_view kBlanks = " \t";

std::string_view StripLeadingBlanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kBlanks), text.size()));
}

bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool ConsumeSuffix(std::string_view& text, char suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(1);
  return true;
}

// The next run of characters without blanks; removes it and the blanks before it.
std::string_view TakeToken(std::string_view& text) {
  text = StripLeadingBlanks(text);
  const size_t length = std::min(text.find_first_of(kBlanks), text.size());
  const std::string_view token = text.substr(0, length);
  text.remove_prefix(length);
  return token;
}

template <typename Int>
std::optional<Int> ParseNumber(std::string_view digits, int base) {
  Int value = 0;
  const char* const begin = digits.data();
  const char* const end = begin + digits.size();
  const auto [stop, error] = std::from_chars(begin, end, value, base);
  if (digits.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

enum class Prefix { kRequired, kOptional };

std::optional<uint64_t> ParseHex(std::string_view text, Prefix prefix) {
  if (!ConsumePrefix(text, "0x") && prefix == Prefix::kRequired) return std::nullopt;
  return ParseNumber<uint64_t>(text, 16);
}

bool ParseIds(std::string_view token, TraceEvent& event) {
  const size_t slash = token.find('/');
  if (slash == std::string_view::npos) return false;
  const auto pid = ParseNumber<uint32_t>(token.substr(0, slash), 10);
  const auto tid = ParseNumber<uint32_t>(token.substr(slash + 1), 10);
  if (!pid || !tid) return false;
  event.pid = *pid;
  event.tid = *tid;
  return true;
}

bool ParseTime(std::string_view token, TraceEvent& event) {
  if (!ConsumeSuffix(token, ':')) return false;
  const size_t dot = token.find('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view fraction = token.substr(dot + 1);
  const auto seconds = ParseNumber<uint64_t>(token.substr(0, dot), 10);
  const auto part = ParseNumber<uint32_t>(fraction, 10);
  if (!seconds || !part || fraction.size() > 9) return false;
  if (*seconds >= std::numeric_limits<uint64_t>::max() / 1'000'000'000) return false;
  uint64_t nanoseconds = *part;
  for (size_t digits = fraction.size(); digits < 9; ++digits) nanoseconds *= 10;
  event.time_ns = *seconds * 1'000'000'000 + nanoseconds;
  return true;
}

bool IsPageFault(std::string_view event_name) {
  // Modifiers follow after another colon.
  const std::string_view base = event_name.substr(0, event_name.find(':'));
  return base == "page-faults" || base == "faults" || base == "minor-faults" ||
         base == "major-faults";
}

// `sys_enter_CALL` or `sys_exit_CALL` of a call that is ours.
const CallForm* FindCall(std::string_view event_name, TraceEvent& event) {
  if (!ConsumePrefix(event_name, "syscalls:sys_")) return nullptr;
  if (ConsumePrefix(event_name, "enter_")) {
    event.phase = TracePhase::kEnter;
  } else if (ConsumePrefix(event_name, "exit_")) {
    event.phase = TracePhase::kExit;
  } else {
    return nullptr;
  }
  for (const CallForm& form : kCalls) {
    if (form.name == event_name) {
      event.call = form.call;
      return &form;
    }
  }
  return nullptr;
}

// The column for the event's address: a number without prefix, 0 where there is none.
bool IsAddressColumn(std::string_view token) {
  return ParseNumber<uint64_t>(token, 16).has_value();
}

absl::Status ParseFault(std::string_view rest, TraceEvent& event) {
  const std::string_view token = TakeToken(rest);
  const std::optional<uint64_t> address = ParseHex(token, Prefix::kOptional);
  if (!address) return NotUnderstood("a page fault at no address:", token);
  if (const std::string_view more = TakeToken(rest); !more.empty()) {
    return NotUnderstood("text after the address of a page fault:", more);
  }
  event.phase = TracePhase::kInstant;
  event.call = TraceCall::kPageFault;
  event.args[0] = *address;
  return absl::OkStatus();
}

absl::Status ParseExit(std::string_view rest, TraceEvent& event) {
  std::string_view token = TakeToken(rest);
  if (IsAddressColumn(token)) token = TakeToken(rest);
  const std::optional<uint64_t> result = ParseHex(token, Prefix::kRequired);
  if (!result) return NotUnderstood("an exit without a result:", token);
  token = TakeToken(rest);
  if (!token.empty() && !IsAddressColumn(token)) {
    return NotUnderstood("text after the result:", token);
  }
  token = TakeToken(rest);
  if (!token.empty()) return NotUnderstood("text after the result:", token);
  event.args[0] = *result;
  return absl::OkStatus();
}

absl::Status ParseEnter(const CallForm& form, std::string_view rest, TraceEvent& event) {
  std::array<bool, 5> found = {};
  for (bool first = true;; first = false) {
    std::string_view name = TakeToken(rest);
    if (name.empty()) break;
    if (IsAddressColumn(name)) {
      if (first) continue;
      if (StripLeadingBlanks(rest).empty()) break;
    }
    if (!ConsumeSuffix(name, ':')) return NotUnderstood("expected `name:` at", name);
    std::string_view value = TakeToken(rest);
    ConsumeSuffix(value, ',');
    const std::optional<uint64_t> number = ParseHex(value, Prefix::kRequired);
    if (!number) {
      return NotUnderstood(std::string(form.name) + ": " + std::string(name) + " is no 0x number:",
                           value);
    }
    for (size_t i = 0; i < form.args.size(); ++i) {
      if (form.args[i] != name) continue;
      if (found[i]) return NotUnderstood(std::string(form.name) + " has twice", name);
      found[i] = true;
      event.args[i] = *number;
    }
  }
  for (size_t i = 0; i < form.args.size(); ++i) {
    if (!form.args[i].empty() && !found[i]) {
      return NotUnderstood(std::string(form.name) + " lacks", form.args[i]);
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view TraceCallName(TraceCall call) {
  for (const CallForm& form : kCalls) {
    if (form.call == call) return form.name;
  }
  return "page-faults";
}

bool IsTraceComment(std::string_view line) {
  line = StripLeadingBlanks(line);
  return line.empty() || line[0] == '#';
}

absl::StatusOr<TraceEvent> ParseTraceLine(std::string_view line) {
  TraceEvent event;
  std::string_view rest = line;
  if (const std::string_view token = TakeToken(rest); !ParseIds(token, event)) {
    return NotUnderstood("expected PID/TID at", token);
  }
  if (const std::string_view token = TakeToken(rest); !ParseTime(token, event)) {
    return NotUnderstood("expected SECONDS.FRACTION: at", token);
  }
  std::string_view name = TakeToken(rest);
  if (name.starts_with("PERF_RECORD_LOST")) {
    return NotUnderstood("events were lost while recording:", rest);
  }
  if (!ConsumeSuffix(name, ':')) return NotUnderstood("expected EVENT: at", name);
  absl::Status parsed;
  if (IsPageFault(name)) {
    parsed = ParseFault(rest, event);
  } else if (const CallForm* form = FindCall(name, event)) {
    parsed =
        event.phase == TracePhase::kExit ? ParseExit(rest, event) : ParseEnter(*form, rest, event);
  } else {
    parsed = NotUnderstood("no event of ours:", name);
  }
  if (!parsed.ok()) return parsed;
  return event;
}

}  // namespace paddock

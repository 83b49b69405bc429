// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/memory_oracle.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {
namespace {

// The 16 bytes around `at`, or fewer at an end.
std::string Around(MemoryOracle::Bytes bytes, size_t at) {
  std::string text;
  const size_t from = at - std::min<size_t>(at, 8);
  for (size_t i = from; i < std::min(bytes.size(), from + 16); ++i) {
    const std::string byte = absl::StrFormat("%02x", static_cast<unsigned>(bytes[i]));
    absl::StrAppend(&text, i == at ? absl::StrCat(" [", byte, "]") : absl::StrCat(" ", byte));
  }
  return text;
}

}  // namespace

void MemoryOracle::Report(const MemoryPlace& place, absl::FunctionRef<std::string()> describe) {
  if (sink_.full()) return sink_.Report(kMemoryOracle, "");
  sink_.Report(kMemoryOracle,
               absl::StrFormat("cpu %d: %s at %#x of space %d %s", place.cpu,
                               std::string(place.what), place.va.value(), place.space, describe()));
}

bool MemoryOracle::CheckBytes(uint32_t worker, const MemoryPlace& place, Bytes written,
                              Bytes read) {
  const bool equal = written.size() == read.size() &&
                     (read.empty() || std::memcmp(written.data(), read.data(), read.size()) == 0);
  return CheckThat(worker, place, equal, [&] {
    const auto differs = std::mismatch(written.begin(), written.end(), read.begin(), read.end());
    const auto at = static_cast<size_t>(differs.second - read.begin());
    return absl::StrFormat(
        "found other bytes than the last ordered writer left: byte %d of %d is the first, at %#x\n"
        "  written:%s\n  found:  %s",
        at, read.size(), place.va.Plus(at).value(), Around(written, at), Around(read, at));
  });
}

bool MemoryOracle::CheckOneOf(uint32_t worker, const MemoryPlace& place, Bytes before, Bytes after,
                              Bytes read) {
  size_t at = 0;
  while (at < read.size() && (read[at] == before[at] || read[at] == after[at])) ++at;
  return CheckThat(worker, place, at == read.size(), [&] {
    return absl::StrFormat(
        "found a byte that is neither what stood there nor what was being written: byte %d of %d, "
        "at %#x\n  before:%s\n  after: %s\n  found: %s",
        at, read.size(), place.va.Plus(at).value(), Around(before, at), Around(after, at),
        Around(read, at));
  });
}

bool MemoryOracle::CheckEnd(uint32_t worker, const MemoryPlace& place, const MemoryEnd& expected,
                            const MemoryEnd& done) {
  return CheckThat(worker, place, expected == done, [&] {
    return absl::StrFormat("ended after %d bytes with %s, expected %d bytes and %s", done.bytes,
                           absl::StatusCodeToString(done.code), expected.bytes,
                           absl::StatusCodeToString(expected.code));
  });
}

OracleResult MemoryOracle::result() const {
  return {std::string(kMemoryOracle), checks(), sink_.count(kMemoryOracle)};
}

}  // namespace paddock

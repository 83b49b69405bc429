// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/ops.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "paddock/stress/op_fields.h"
#include "paddock/stress/op_text.h"
#include "paddock/stress/rng.h"

namespace paddock {
namespace {

constexpr std::string_view kNames[] = {
    "open",         "map",        "unmap",      "protect",     "protect_next", "query",
    "find_next",    "jump",       "take_next",  "sync",        "close",        "access",
    "walk",         "activate",   "deactivate", "idle",        "create_space", "destroy_space",
    "retire",       "read",       "grace",      "read_memory", "write_memory", "create_area",
    "destroy_area", "split_area", "query_area", "access_area", "flush_areas",  "check_areas"};
static_assert(std::size(kNames) == kOpKinds);

uint64_t Word(uint64_t value) { return value; }
uint64_t Word(VirtAddr va) { return va.value(); }
uint64_t Word(VirtRange range) { return MixBits(range.start.value()) + range.end.value(); }
uint64_t Word(const PageProperty& property) {
  return static_cast<uint64_t>(property.flags) << 16 | static_cast<uint64_t>(property.cache) << 8 |
         property.software;
}
uint64_t Word(const PropertyEdit& edit) {
  return static_cast<uint64_t>(edit.set) << 24 | static_cast<uint64_t>(edit.clear) << 16 |
         uint64_t{edit.software_set} << 8 | edit.software_clear;
}
template <typename E>
  requires std::is_enum_v<E>
uint64_t Word(E value) {
  return static_cast<uint64_t>(value);
}

struct Digester {
  uint64_t digest;

  void operator()(const char*) {}
  template <typename T>
  void operator()(const char*, const T& value) {
    digest = MixBits(digest * 31 + Word(value));
  }
};

}  // namespace

std::string_view OpName(size_t index) { return index < kOpKinds ? kNames[index] : "none"; }

std::string Print(const Op& op) {
  return std::visit([](const auto& one) { return PrintFields(one); }, op);
}

std::string Print(absl::Span<const Op> ops) {
  std::string text = "{\n";
  for (const Op& op : ops) absl::StrAppend(&text, "    ", Print(op), ",\n");
  return text + "}";
}

uint64_t DigestOp(uint64_t digest, const Op& op) {
  Digester digester{MixBits(digest * 31 + op.index())};
  std::visit([&](const auto& one) { VisitFields(one, digester); }, op);
  return digester.digest;
}

}  // namespace paddock

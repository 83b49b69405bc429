// SPDX-License-Identifier: Apache-2.0
//
// The values that operations are made of, and operations, as the C++ that makes them.
//
//   PrintFields(MapOp{.pages = 512}) == "MapOp{.pages = 512, .property = PageProperty{...}}"
//
// Thread safety: pure functions. Cost: they allocate.

#ifndef PADDOCK_STRESS_OP_TEXT_H_
#define PADDOCK_STRESS_OP_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/stress/op_fields.h"
#include "paddock/stress/ops.h"

namespace paddock {

inline std::string Text(uint32_t value) { return absl::StrCat(value); }
inline std::string Text(uint64_t value) { return absl::StrFormat("0x%x", value); }
inline std::string Text(VirtAddr va) { return absl::StrFormat("VirtAddr(0x%x)", va.value()); }
inline std::string Text(VirtRange range) {
  return absl::StrCat("VirtRange{", Text(range.start), ", ", Text(range.end), "}");
}
inline std::string Text(PageFlags flags) {
  return absl::StrFormat("PageFlags(0x%02x)", static_cast<unsigned>(flags));
}
inline std::string Text(const PageProperty& property) {
  return absl::StrFormat("PageProperty{.flags = %s, .cache = CachePolicy(%d), .software = 0x%02x}",
                         Text(property.flags), static_cast<int>(property.cache), property.software);
}
inline std::string Text(const PropertyEdit& edit) {
  return absl::StrFormat(
      "PropertyEdit{.set = %s, .clear = %s, .software_set = 0x%02x, .software_clear = 0x%02x}",
      Text(edit.set), Text(edit.clear), edit.software_set, edit.software_clear);
}
inline std::string Text(CursorKind kind) {
  return kind == CursorKind::kLook ? "CursorKind::kLook" : "CursorKind::kChange";
}
inline std::string Text(Intent intent) {
  return intent == Intent::kMap ? "Intent::kMap" : "Intent::kNoMap";
}
inline std::string Text(Anchor anchor) {
  return anchor == Anchor::kHigh ? "Anchor::kHigh" : "Anchor::kLow";
}
inline std::string Text(Wait wait) {
  switch (wait) {
    case Wait::kForever:
      return "Wait::kForever";
    case Wait::kTry:
      return "Wait::kTry";
    case Wait::kDeadline:
      return "Wait::kDeadline";
  }
  return "Wait()";
}
inline std::string Text(MapContent content) {
  return content == MapContent::kStamp ? "MapContent::kStamp" : "MapContent::kWords";
}
inline std::string Text(OnFault on_fault) {
  return on_fault == OnFault::kEnd ? "OnFault::kEnd" : "OnFault::kMap";
}
inline std::string Text(IoWay way) {
  constexpr const char* kWays[] = {"kCopy", "kValue", "kOnce", "kBytes", "kPair", "kCollect"};
  return absl::StrCat("IoWay::", kWays[static_cast<size_t>(way)]);
}
inline std::string Text(AreaKind kind) {
  constexpr const char* kKinds[] = {"kNothing", "kFrames", "kSegment", "kDevice", "kOutside"};
  return absl::StrCat("AreaKind::", kKinds[static_cast<size_t>(kind)]);
}
inline std::string Text(AreaEnd end) {
  constexpr const char* kEnds[] = {"kDestroy", "kDestructor", "kDestructorOnIdleCpu"};
  return absl::StrCat("AreaEnd::", kEnds[static_cast<size_t>(end)]);
}
inline std::string Text(AccessKind kind) {
  return kind == AccessKind::kLoad ? "AccessKind::kLoad" : "AccessKind::kStore";
}

struct FieldPrinter {
  std::string type;
  std::string fields;

  void operator()(const char* name) { type = name; }
  template <typename T>
  void operator()(const char* name, const T& value) {
    absl::StrAppend(&fields, fields.empty() ? "." : ", .", name, " = ", Text(value));
  }
};

// `op` has a VisitFields.
template <typename O>
std::string PrintFields(const O& op) {
  FieldPrinter printer;
  VisitFields(op, printer);
  return absl::StrCat(printer.type, "{", printer.fields, "}");
}

}  // namespace paddock

#endif  // PADDOCK_STRESS_OP_TEXT_H_

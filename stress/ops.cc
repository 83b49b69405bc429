// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/ops.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/stress/rng.h"

namespace paddock {
namespace {

constexpr std::string_view kNames[] = {
    "open",      "map",      "unmap",      "protect", "protect_next", "query",
    "find_next", "jump",     "take_next",  "sync",    "close",        "access",
    "walk",      "activate", "deactivate", "idle",    "create_space", "destroy_space",
    "retire",    "read",     "grace"};
static_assert(std::size(kNames) == kOpKinds);

std::string Text(uint32_t value) { return absl::StrCat(value); }
std::string Text(uint64_t value) { return absl::StrFormat("0x%x", value); }
std::string Text(VirtAddr va) { return absl::StrFormat("VirtAddr(0x%x)", va.value()); }
std::string Text(VirtRange range) {
  return absl::StrCat("VirtRange{", Text(range.start), ", ", Text(range.end), "}");
}
std::string Text(PageFlags flags) {
  return absl::StrFormat("PageFlags(0x%02x)", static_cast<unsigned>(flags));
}
std::string Text(const PageProperty& property) {
  return absl::StrFormat("PageProperty{.flags = %s, .cache = CachePolicy(%d), .software = 0x%02x}",
                         Text(property.flags), static_cast<int>(property.cache), property.software);
}
std::string Text(const PropertyEdit& edit) {
  return absl::StrFormat(
      "PropertyEdit{.set = %s, .clear = %s, .software_set = 0x%02x, .software_clear = 0x%02x}",
      Text(edit.set), Text(edit.clear), edit.software_set, edit.software_clear);
}
std::string Text(CursorKind kind) {
  return kind == CursorKind::kLook ? "CursorKind::kLook" : "CursorKind::kChange";
}
std::string Text(Intent intent) {
  return intent == Intent::kMap ? "Intent::kMap" : "Intent::kNoMap";
}
std::string Text(Anchor anchor) {
  return anchor == Anchor::kHigh ? "Anchor::kHigh" : "Anchor::kLow";
}
std::string Text(Wait wait) {
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
std::string Text(AccessKind kind) {
  return kind == AccessKind::kLoad ? "AccessKind::kLoad" : "AccessKind::kStore";
}

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

// Calls visit(type name), then visit(field name, value) for each field: the one list of fields.
template <typename Visit>
struct Fields {
  Visit& visit;

  void operator()(const OpenOp& o) {
    visit("OpenOp");
    visit("space", o.space);
    visit("range", o.range);
    visit("kind", o.kind);
    visit("intent", o.intent);
    visit("anchor", o.anchor);
    visit("wait", o.wait);
  }
  void operator()(const MapOp& o) {
    visit("MapOp");
    visit("pages", o.pages);
    visit("property", o.property);
  }
  void operator()(const UnmapOp& o) { Bytes("UnmapOp", o); }
  void operator()(const ProtectOp& o) {
    Bytes("ProtectOp", o);
    visit("edit", o.edit);
  }
  void operator()(const ProtectNextOp& o) {
    Bytes("ProtectNextOp", o);
    visit("edit", o.edit);
  }
  void operator()(const QueryOp&) { visit("QueryOp"); }
  void operator()(const FindNextOp& o) { Bytes("FindNextOp", o); }
  void operator()(const JumpOp& o) {
    visit("JumpOp");
    visit("to", o.to);
  }
  void operator()(const TakeNextOp& o) { Bytes("TakeNextOp", o); }
  void operator()(const SyncOp&) { visit("SyncOp"); }
  void operator()(const CloseOp&) { visit("CloseOp"); }
  void operator()(const AccessOp& o) {
    Space("AccessOp", o);
    visit("va", o.va);
    visit("kind", o.kind);
  }
  void operator()(const WalkOp& o) {
    Space("WalkOp", o);
    visit("va", o.va);
  }
  void operator()(const ActivateOp& o) { Space("ActivateOp", o); }
  void operator()(const DeactivateOp&) { visit("DeactivateOp"); }
  void operator()(const IdleOp& o) {
    visit("IdleOp");
    visit("yields", o.yields);
  }
  void operator()(const CreateSpaceOp& o) { Space("CreateSpaceOp", o); }
  void operator()(const DestroySpaceOp& o) { Space("DestroySpaceOp", o); }
  void operator()(const RetireOp& o) {
    visit("RetireOp");
    visit("cell", o.cell);
  }
  void operator()(const ReadOp& o) {
    visit("ReadOp");
    visit("cell", o.cell);
    visit("spins", o.spins);
  }
  void operator()(const GraceOp&) { visit("GraceOp"); }

  template <typename O>
  void Bytes(const char* type, const O& o) {
    visit(type);
    visit("bytes", o.bytes);
  }
  template <typename O>
  void Space(const char* type, const O& o) {
    visit(type);
    visit("space", o.space);
  }
};

template <typename Visit>
void VisitFields(const Op& op, Visit& visit) {
  std::visit(Fields<Visit>{visit}, op);
}

struct Printer {
  std::string type;
  std::string fields;

  void operator()(const char* name) { type = name; }
  template <typename T>
  void operator()(const char* name, const T& value) {
    absl::StrAppend(&fields, fields.empty() ? "." : ", .", name, " = ", Text(value));
  }
};

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
  Printer printer;
  VisitFields(op, printer);
  return absl::StrCat(printer.type, "{", printer.fields, "}");
}

std::string Print(absl::Span<const Op> ops) {
  std::string text = "{\n";
  for (const Op& op : ops) absl::StrAppend(&text, "    ", Print(op), ",\n");
  return text + "}";
}

uint64_t DigestOp(uint64_t digest, const Op& op) {
  Digester digester{MixBits(digest * 31 + op.index())};
  VisitFields(op, digester);
  return digester.digest;
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/fuzz/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace paddock::fuzz {
namespace {

// Reads tokens; after the first error everything fails.
class Source {
 public:
  explicit Source(std::string_view text) : text_(text) {}

  bool ok() const { return error_.ok(); }
  const absl::Status& error() const { return error_; }

  // Whether `token` is next; it is taken then.
  bool Take(std::string_view token) {
    SkipSpace();
    if (!ok() || !text_.substr(at_).starts_with(token)) return false;
    if (IsWord(token.back()) && IsWord(Next(at_ + token.size()))) return false;
    at_ += token.size();
    return true;
  }
  void Want(std::string_view token) {
    if (!Take(token)) Fail(token);
  }
  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }

  uint64_t Number() {
    SkipSpace();
    std::string_view rest = text_.substr(at_);
    const int base = rest.starts_with("0x") ? 16 : 10;
    const size_t prefix = base == 16 ? 2 : 0;
    rest.remove_prefix(prefix);
    uint64_t value = 0;
    const auto [end, result] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
    if (!ok() || result != std::errc() || end == rest.data()) {
      Fail("a number");
      return 0;
    }
    at_ += prefix + static_cast<size_t>(end - rest.data());
    return value;
  }
  template <typename T>
  T NumberBelow(uint64_t limit) {
    const uint64_t value = Number();
    if (value >= limit) Fail("a smaller number");
    return static_cast<T>(value);
  }
  // One of the names.
  template <typename E>
  E Name(std::initializer_list<E> values) {
    for (const E value : values) {
      if (Take(Text(value))) return value;
    }
    Fail(Text(*values.begin()));
    return *values.begin();
  }

  void Fail(std::string_view wanted) {
    if (!ok()) return;
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<long>(at_), '\n');
    const std::string_view found = text_.substr(at_, text_.substr(at_).find('\n'));
    constexpr size_t kEnough = 40;
    error_ = absl::InvalidArgumentError(absl::StrCat("line ", line, ": wanted ",
                                                     std::string(wanted), ", found '",
                                                     std::string(found.substr(0, kEnough)), "'"));
  }

 private:
  static bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
  char Next(size_t at) const { return at < text_.size() ? text_[at] : '\0'; }
  void SkipSpace() {
    for (;;) {
      while (std::isspace(static_cast<unsigned char>(Next(at_)))) ++at_;
      if (!text_.substr(at_).starts_with("//")) return;
      at_ = std::min(text_.find('\n', at_), text_.size());
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  absl::Status error_;
};

constexpr uint64_t kByteLimit = 1 << 8;
constexpr uint64_t kWordLimit = uint64_t{1} << 32;

void Read(Source& source, uint64_t& value) { value = source.Number(); }
void Read(Source& source, uint32_t& value) { value = source.NumberBelow<uint32_t>(kWordLimit); }
void Read(Source& source, uint8_t& value) { value = source.NumberBelow<uint8_t>(kByteLimit); }
void Read(Source& source, VirtAddr& value) {
  source.Want("VirtAddr");
  source.Want("(");
  value = VirtAddr(source.Number());
  source.Want(")");
}
void Read(Source& source, VirtRange& value) {
  source.Want("VirtRange");
  source.Want("{");
  Read(source, value.start);
  source.Want(",");
  Read(source, value.end);
  source.Want("}");
}
void Read(Source& source, PageFlags& value) {
  source.Want("PageFlags");
  source.Want("(");
  value = source.NumberBelow<PageFlags>(kByteLimit);
  source.Want(")");
}
void Read(Source& source, CachePolicy& value) {
  source.Want("CachePolicy");
  source.Want("(");
  value = source.NumberBelow<CachePolicy>(kByteLimit);
  source.Want(")");
}
void Read(Source& source, CursorKind& value) {
  value = source.Name({CursorKind::kChange, CursorKind::kLook});
}
void Read(Source& source, Intent& value) { value = source.Name({Intent::kMap, Intent::kNoMap}); }
void Read(Source& source, Anchor& value) { value = source.Name({Anchor::kHigh, Anchor::kLow}); }
void Read(Source& source, Wait& value) {
  value = source.Name({Wait::kForever, Wait::kTry, Wait::kDeadline});
}
void Read(Source& source, MapContent& value) {
  value = source.Name({MapContent::kStamp, MapContent::kWords});
}
void Read(Source& source, AccessKind& value) {
  value = source.Name({AccessKind::kLoad, AccessKind::kStore});
}
void Read(Source& source, AreaFrames& value) {
  value = source.Name(
      {AreaFrames::kNone, AreaFrames::kSingle, AreaFrames::kSegment, AreaFrames::kUntracked});
}
void Read(Source& source, PageProperty& value);
void Read(Source& source, PropertyEdit& value);

// Reads ".field = value" pairs, in order, some or all left out.
class FieldReader {
 public:
  explicit FieldReader(Source& source) : source_(source) {}

  void operator()(const char*) {}
  template <typename T>
  void operator()(const char* field, T& value) {
    if (pending_.empty() && source_.Take(".")) pending_ = ".";
    if (pending_.empty() || !source_.Take(field)) return;
    source_.Want("=");
    Read(source_, value);
    pending_.clear();
    if (source_.Take(",") && source_.Take(".")) pending_ = ".";
  }
  // After the last field.
  void Close() {
    if (!pending_.empty()) source_.Fail("a field of this type, in its order");
    source_.Want("}");
  }

 private:
  Source& source_;
  // "." if one was read, and the field that it belongs to was not met yet.
  std::string pending_;
};

void Read(Source& source, PageProperty& value) {
  source.Want("PageProperty");
  source.Want("{");
  value = {};
  FieldReader fields(source);
  fields("flags", value.flags);
  fields("cache", value.cache);
  fields("software", value.software);
  fields.Close();
}
void Read(Source& source, PropertyEdit& value) {
  source.Want("PropertyEdit");
  source.Want("{");
  value = {};
  FieldReader fields(source);
  fields("set", value.set);
  fields("clear", value.clear);
  fields("software_set", value.software_set);
  fields("software_clear", value.software_clear);
  fields.Close();
}

struct TypeName {
  std::string name;
  void operator()(const char* type) { name = type; }
  template <typename T>
  void operator()(const char*, const T&) {}
};

// The step if it is a `O`.
template <typename O>
bool ReadAs(Source& source, Step& step) {
  O op;
  TypeName type;
  VisitFields(op, type);
  if (!source.Take(type.name)) return false;
  source.Want("{");
  FieldReader fields(source);
  VisitFields(op, fields);
  fields.Close();
  step = op;
  return true;
}

template <size_t... kIndex>
bool ReadAny(Source& source, Step& step, std::index_sequence<kIndex...>) {
  return (ReadAs<std::variant_alternative_t<kIndex, Step>>(source, step) || ...);
}

}  // namespace

absl::StatusOr<Program> Parse(std::string_view text) {
  Source source(text);
  Program program;
  source.Want("{");
  while (source.ok() && !source.Take("}")) {
    Step step;
    if (!ReadAny(source, step, std::make_index_sequence<std::variant_size_v<Step>>())) {
      source.Fail("a step");
      break;
    }
    program.push_back(step);
    if (!source.Take(",")) {
      source.Want("}");
      break;
    }
  }
  if (source.ok() && !source.AtEnd()) source.Fail("the end");
  if (!source.ok()) return source.error();
  return program;
}

}  // namespace paddock::fuzz

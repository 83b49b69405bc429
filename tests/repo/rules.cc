// SPDX-License-Identifier: Apache-2.0
#include "paddock/tests/repo/rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <optional>
#include <regex>
#include <string>
#include <string_view>

namespace paddock::repo {
namespace {

// Top to bottom. "examples" is not a layer: it stands under the library, beside the harness.
constexpr std::array<std::string_view, 10> kLayers = {
    "arch/",    "core/spec/",  "concurrency/", "core/frame/", "core/tlb/", "core/page_table/",
    "core/io/", "core/space/", "stress/",      "tests/"};
constexpr size_t kFirstHarnessLayer = 8;

std::optional<size_t> LayerOf(std::string_view path) {
  for (size_t i = 0; i < kLayers.size(); ++i) {
    if (path.starts_with(kLayers[i])) return i;
  }
  return std::nullopt;
}

bool IsLibrary(std::string_view path) {
  return path.starts_with("arch/") || path.starts_with("core/") || path.starts_with("concurrency/");
}

bool IsFacade(std::string_view path) { return path.starts_with("concurrency/sync"); }

void Add(const SourceFile& file, size_t line, const std::string& message, Findings& findings) {
  findings.push_back(file.path + ":" + std::to_string(line + 1) + ": " + message);
}

struct Include {
  size_t line;
  bool quoted;
  std::string name;
};

std::vector<Include> IncludesOf(const SourceFile& file) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*(["<])([^">]*)[">])");
  std::vector<Include> includes;
  std::smatch match;
  for (size_t i = 0; i < file.code.size(); ++i) {
    if (!std::regex_search(file.code[i], match, kInclude)) continue;
    includes.push_back({i, match[1] == "\"", match[2]});
  }
  return includes;
}

// A header of ours that is not written "paddock/<path>". Of the libraries' headers only zstd's
// stand in no folder.
bool IsUnprefixed(const Include& include) {
  const bool bare = include.name.find('/') == std::string::npos && include.name != "zstd.h";
  return include.quoted && (bare || LayerOf(include.name).has_value());
}

// Examples share headers among themselves, and the tests of an example use what tests use.
void CheckExampleInclude(const SourceFile& file, const Include& include,
                         std::optional<size_t> layer, Findings& findings) {
  if (!layer || *layer < kFirstHarnessLayer) return;
  const bool is_test = file.path.ends_with("_test.cc");
  if (is_test && include.name.starts_with("paddock/tests/support/")) return;
  Add(file, include.line, "an example includes " + include.name + ", which is not a public header",
      findings);
}

bool HasOrderComment(const SourceFile& file, size_t line) {
  constexpr size_t kLinesAbove = 6;
  const size_t first = line < kLinesAbove ? 0 : line - kLinesAbove;
  for (size_t i = first; i <= line; ++i) {
    if (file.lines[i].find("// order:") != std::string::npos) return true;
  }
  return false;
}

std::string ExpectedGuard(std::string_view path) {
  std::string guard = "PADDOCK_";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    guard += std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_';
  }
  return guard + "_";
}

bool HasLine(const SourceFile& file, std::string_view text) {
  return std::find(file.lines.begin(), file.lines.end(), text) != file.lines.end();
}

}  // namespace

Findings CheckLayers(const SourceFile& file) {
  constexpr std::string_view kPrefix = "paddock/";
  Findings findings;
  const std::optional<size_t> own = LayerOf(file.path);
  for (const Include& include : IncludesOf(file)) {
    if (IsUnprefixed(include)) {
      Add(file, include.line, include.name + " must be included as \"paddock/<path>\"", findings);
    }
    if (!include.name.starts_with(kPrefix)) continue;
    const std::string name = include.name.substr(kPrefix.size());
    const std::optional<size_t> other = LayerOf(name);
    const bool is_example = file.path.starts_with("examples/");
    if (!other && !(is_example && name.starts_with("examples/"))) {
      Add(file, include.line, include.name + " is in no layer", findings);
    } else if (is_example) {
      CheckExampleInclude(file, include, other, findings);
    } else if (!own) {
      Add(file, include.line, "this file is in no layer", findings);
    } else if (*other > *own) {
      Add(file, include.line,
          std::string(kLayers[*own]) + " must not include " + include.name + ", a lower layer",
          findings);
    }
  }
  return findings;
}

Findings CheckFacade(const SourceFile& file) {
  static const std::regex kForbidden(
      "atomic|barrier|condition_variable|future|latch|mutex|semaphore|shared_mutex|stdatomic\\.h|"
      "stop_token|thread|threads\\.h|pthread\\.h|absl/synchronization/.*|oneapi/.*|tbb/.*");
  Findings findings;
  if (!IsLibrary(file.path) || IsFacade(file.path)) return findings;
  for (const Include& include : IncludesOf(file)) {
    if (!std::regex_match(include.name, kForbidden)) continue;
    Add(file, include.line, include.name + ": only concurrency/sync* may include this", findings);
  }
  return findings;
}

Findings CheckAssembly(const SourceFile& file) {
  static const std::regex kAssembly(R"(\b(asm|__asm__|__asm)\b)");
  static const std::regex kVolatile(R"(\b(volatile|__volatile__)\b)");
  Findings findings;
  const bool may_assemble = file.path.starts_with("arch/") || file.path.starts_with("concurrency/");
  for (size_t i = 0; i < file.code.size(); ++i) {
    const bool is_assembly = std::regex_search(file.code[i], kAssembly);
    if (is_assembly && !may_assemble) {
      Add(file, i, "inline assembly outside arch/ and concurrency/", findings);
    }
    if (!is_assembly && std::regex_search(file.code[i], kVolatile)) {
      Add(file, i, "volatile: shared data goes through concurrency/sync.h", findings);
    }
  }
  return findings;
}

Findings CheckOrders(const SourceFile& file) {
  static const std::regex kWeakOrder(
      R"((sync::|memory_order_|memory_order::|Order::)(relaxed|acquire|release|acq_rel|consume)\b)"
      R"(|[(,]\s*(relaxed|acquire|release|acq_rel)\s*[,)])");
  static const std::regex kDefinition(R"(^\s*(inline\s+constexpr|constexpr|using)\b)");
  Findings findings;
  if (!IsLibrary(file.path)) return findings;
  for (size_t i = 0; i < file.code.size(); ++i) {
    if (!std::regex_search(file.code[i], kWeakOrder)) continue;
    if (std::regex_search(file.code[i], kDefinition) || HasOrderComment(file, i)) continue;
    Add(file, i, "a weak memory order without an \"// order:\" comment", findings);
  }
  return findings;
}

Findings CheckPreamble(const SourceFile& file) {
  Findings findings;
  if (file.lines.empty() || file.lines[0] != "// SPDX-License-Identifier: Apache-2.0") {
    Add(file, 0, "the first line is not the SPDX line", findings);
  }
  if (!file.path.ends_with(".h")) return findings;
  const std::string guard = ExpectedGuard(file.path);
  if (!HasLine(file, "#ifndef " + guard) || !HasLine(file, "#define " + guard) ||
      !HasLine(file, "#endif  // " + guard)) {
    Add(file, 0, "the include guard is not " + guard, findings);
  }
  return findings;
}

}  // namespace paddock::repo

// SPDX-License-Identifier: Apache-2.0
#include "paddock/tests/repo/source_file.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace paddock::repo {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kFolders = {"arch",   "core",  "concurrency",
                                                      "stress", "tests", "examples"};

std::vector<std::string> SplitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

// An apostrophe after a digit or a letter separates digits (1'000); it opens no literal.
bool OpensCharLiteral(std::string_view text, size_t i) {
  if (text[i] != '\'') return false;
  if (i == 0) return true;
  const char before = text[i - 1];
  const bool is_word = (before >= '0' && before <= '9') || (before >= 'a' && before <= 'f') ||
                       (before >= 'A' && before <= 'F');
  return !is_word;
}

// The position after the literal or comment that starts at `i`, or `i` if none does.
size_t SkipIgnored(std::string_view text, size_t i) {
  const auto after = [&](size_t found, size_t length) {
    return found == std::string_view::npos ? text.size() : found + length;
  };
  if (text.substr(i).starts_with("//")) return after(text.find('\n', i), 0);
  if (text.substr(i).starts_with("/*")) return after(text.find("*/", i + 2), 2);
  if (text.substr(i).starts_with("R\"")) {
    const size_t open = text.find('(', i);
    if (open == std::string_view::npos) return text.size();
    const std::string close = ")" + std::string(text.substr(i + 2, open - i - 2)) + "\"";
    return after(text.find(close, open), close.size());
  }
  if (text[i] == '"' || OpensCharLiteral(text, i)) {
    size_t end = i + 1;
    while (end < text.size() && text[end] != text[i] && text[end] != '\n') {
      end += text[end] == '\\' ? 2 : 1;
    }
    return std::min(end + 1, text.size());
  }
  return i;
}

bool IsInclude(std::string_view text, size_t line_start) {
  return text.substr(line_start).starts_with("#include");
}

// Blanks comments and literals, and keeps the line structure and the names of includes.
std::string BlankIgnored(std::string_view text) {
  std::string code(text);
  size_t line_start = 0;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '\n') line_start = i + 1;
    const bool is_name = text[i] == '"' && IsInclude(text, line_start);
    const size_t end = is_name ? i : SkipIgnored(text, i);
    if (end == i) {
      ++i;
      continue;
    }
    for (; i < end; ++i) {
      if (text[i] != '\n') code[i] = ' ';
    }
  }
  return code;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace

SourceFile MakeSource(std::string_view path, std::string_view text) {
  return {std::string(path), SplitLines(text), SplitLines(BlankIgnored(text))};
}

std::vector<SourceFile> LoadSources(std::string_view root) {
  std::vector<SourceFile> files;
  for (const std::string_view folder : kFolders) {
    std::error_code absent;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root) / folder, absent)) {
      const std::string extension = entry.path().extension().string();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cc")) continue;
      files.push_back(
          MakeSource(fs::relative(entry.path(), root).string(), ReadFile(entry.path())));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace paddock::repo

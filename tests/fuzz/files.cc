// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/fuzz/files.h"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>

#include "absl/strings/str_cat.h"
#include "paddock/tests/fuzz/bytes.h"
#include "paddock/tests/fuzz/text.h"

namespace paddock::fuzz {

absl::StatusOr<Program> ReadProgram(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(file), {});
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  if (!path.ends_with(".steps")) {
    return Decode({reinterpret_cast<const uint8_t*>(content.data()), content.size()});
  }
  absl::StatusOr<Program> program = Parse(content);
  if (program.ok()) return program;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", program.status().message()));
}

absl::Status WriteFile(const std::string& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file) return absl::UnavailableError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

std::string FileText(const Program& program) {
  return absl::StrCat("// SPDX-License-Identifier: Apache-2.0\n", Print(program));
}

}  // namespace paddock::fuzz

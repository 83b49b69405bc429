// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/flag_reader.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace paddock {

std::optional<uint64_t> ParseSeed(const std::string& text) {
  uint64_t seed = 0;
  const bool is_number = absl::StartsWith(text, "0x") ? absl::SimpleHexAtoi(text, &seed)
                                                      : absl::SimpleAtoi(text, &seed);
  return is_number ? std::optional(seed) : std::nullopt;
}

absl::Status WrongFlag(const std::string& flag, const std::string& value, const std::string& rule) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", value, ": ", rule));
}

absl::Status ReadFlags(const std::vector<std::string>& names,
                       const std::vector<std::string>& args) {
  std::string error;
  for (const std::string& name : names) {
    absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(name);
    flag->ParseFrom(flag->DefaultValue(), &error);
  }
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (!absl::StartsWith(arg, "--")) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", arg, "' is no flag; flags look like --", names.front(), "=VALUE"));
    }
    const size_t equals = arg.find('=');
    const std::string name = arg.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("no flag --", name, "; there are --", absl::StrJoin(names, ", --")));
    }
    std::string value;
    if (equals != std::string::npos) {
      value = arg.substr(equals + 1);
    } else if (i + 1 < args.size() && !absl::StartsWith(args[i + 1], "--")) {
      value = args[++i];
    }
    if (value.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, " needs a value"));
    }
    if (!absl::FindCommandLineFlag(name)->ParseFrom(value, &error)) {
      return WrongFlag(name, value, error);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDistinctFiles(const std::vector<FileFlag>& files) {
  std::map<std::string, std::string> used;  // by canonical name: by which flag
  for (const auto& [flag, file] : files) {
    if (file.empty()) continue;
    std::error_code error;
    const std::filesystem::path path = std::filesystem::absolute(file, error);
    const std::string name = std::filesystem::weakly_canonical(path, error).string();
    const auto [before, is_new] = used.try_emplace(error ? file : name, flag);
    if (!is_new && before->second != flag) {
      return WrongFlag(flag, file, absl::StrCat("it is the file of --", before->second, " too"));
    }
  }
  return absl::OkStatus();
}

std::string DescribeFlags(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const std::string indent(name.size() < 12 ? 12 - name.size() : 1, ' ');
    absl::StrAppend(&text, "  --", name, indent, absl::FindCommandLineFlag(name)->Help(), "\n");
  }
  return text;
}

bool WantsHelp(const std::vector<std::string>& args) {
  for (const std::string& arg : args) {
    if (arg == "--help" || arg == "-h" || arg == "-help") return true;
  }
  return false;
}

}  // namespace paddock

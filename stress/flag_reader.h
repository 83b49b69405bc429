// SPDX-License-Identifier: Apache-2.0
//
// Command lines into Abseil flags, so that what is wrong is returned, not printed before an exit.
//
//   ABSL_FLAG(std::string, json, "", "file for the results");
//   absl::Status status = ReadFlags({"json"}, {"--json=out.json"});
//   std::string path = absl::GetFlag(FLAGS_json);
//
// Thread safety: one thread. Failure: INVALID_ARGUMENT, with the flags that there are; the
// arguments before the wrong one have been read.

#ifndef PADDOCK_STRESS_FLAG_READER_H_
#define PADDOCK_STRESS_FLAG_READER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace paddock {

// Gives the flags their defaults, then reads "--name=value" and "--name value". `names` are those
// of defined flags, in the order in which to list them.
absl::Status ReadFlags(const std::vector<std::string>& names, const std::vector<std::string>& args);

// A number below 2^64, as 7 or 0x7; none if it is not one.
std::optional<uint64_t> ParseSeed(const std::string& text);

// "--flag=value: rule", as INVALID_ARGUMENT.
absl::Status WrongFlag(const std::string& flag, const std::string& value, const std::string& rule);

// No two flags may name one file, however its path is written; one flag may name it again.
struct FileFlag {
  std::string flag;
  std::string file;  // empty: none
};
absl::Status CheckDistinctFiles(const std::vector<FileFlag>& files);

// A line for each flag: its name and what it means.
std::string DescribeFlags(const std::vector<std::string>& names);

// Whether --help or -h is among the arguments.
bool WantsHelp(const std::vector<std::string>& args);

}  // namespace paddock

#endif  // PADDOCK_STRESS_FLAG_READER_H_

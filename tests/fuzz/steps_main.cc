// SPDX-License-Identifier: Apache-2.0
//
// Programs of the fuzzer, without the fuzzer: prints, replays, converts and generates them.
// ./paddock fuzz calls it; usage in kUsage.

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/tests/fuzz/bytes.h"
#include "paddock/tests/fuzz/files.h"
#include "paddock/tests/fuzz/generate.h"
#include "paddock/tests/fuzz/replay.h"

namespace paddock::fuzz {
namespace {

constexpr char kUsage[] =
    "usage: paddock_steps COMMAND\n"
    "  print FILE            the program as C++ initialisers\n"
    "  replay FILE...        runs each, says what is wrong; status 1 if something is\n"
    "  encode FOLDER FILE... writes each as the fuzzer's bytes into the folder\n"
    "  generate FOLDER       writes the seed corpus\n"
    "A FILE is a text if its name ends in .steps, else bytes.\n";

int Say(const absl::Status& status) {
  std::fprintf(stderr, "paddock_steps: %s\n", std::string(status.message()).c_str());
  return 3;
}

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

int PrintProgram(const std::string& path) {
  const absl::StatusOr<Program> program = ReadProgram(path);
  if (!program.ok()) return Say(program.status());
  std::fputs(FileText(*program).c_str(), stdout);
  return 0;
}

int ReplayAll(const std::vector<std::string>& paths) {
  int status = 0;
  for (const std::string& path : paths) {
    const absl::StatusOr<Program> program = ReadProgram(path);
    if (!program.ok()) return Say(program.status());
    // Before it runs: a broken check stops the process.
    std::printf("%s: %zu steps\n%s", path.c_str(), program->size(), Print(*program).c_str());
    std::fflush(stdout);
    const absl::Status held = Replay(*program);
    std::printf("%s: %s\n", path.c_str(), held.ok() ? "pass" : held.ToString().c_str());
    if (!held.ok()) status = 1;
  }
  return status;
}

int EncodeAll(const std::string& folder, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    const absl::StatusOr<Program> program = ReadProgram(path);
    if (!program.ok()) return Say(program.status());
    const absl::StatusOr<std::vector<uint8_t>> bytes = Encode(*program);
    if (!bytes.ok()) {
      // A test that somebody wrote by hand: replayed by the tests, and no seed.
      std::fprintf(stderr, "%s: %s\n", path.c_str(), std::string(bytes.status().message()).c_str());
      continue;
    }
    const std::string_view content(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    const absl::Status written = WriteFile(absl::StrCat(folder, "/", BaseName(path)), content);
    if (!written.ok()) return Say(written);
  }
  return 0;
}

int GenerateAll(const std::string& folder) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::string path = absl::StrFormat("%s/seed_%02d.steps", folder, seed);
    const absl::Status written = WriteFile(path, FileText(Generate(seed)));
    if (!written.ok()) return Say(written);
  }
  return 0;
}

int Main(const std::vector<std::string>& args) {
  const std::string command = args.empty() ? "" : args[0];
  const std::vector<std::string> rest(args.begin() + (args.empty() ? 0 : 1), args.end());
  if (command == "print" && rest.size() == 1) return PrintProgram(rest[0]);
  if (command == "replay" && !rest.empty()) return ReplayAll(rest);
  if (command == "encode" && rest.size() >= 2) {
    return EncodeAll(rest[0], {rest.begin() + 1, rest.end()});
  }
  if (command == "generate" && rest.size() == 1) return GenerateAll(rest[0]);
  std::fputs(kUsage, stderr);
  return 2;
}

}  // namespace
}  // namespace paddock::fuzz

int main(int argc, char** argv) {
  return paddock::fuzz::Main(std::vector<std::string>(argv + 1, argv + argc));
}

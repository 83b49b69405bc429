// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_TESTS_REPO_SOURCE_FILE_H_
#define PADDOCK_TESTS_REPO_SOURCE_FILE_H_

#include <string>
#include <string_view>
#include <vector>

namespace paddock::repo {

// One C++ file of the project, as the repository rules look at it.
//
//   for (const SourceFile& file : LoadSources("/path/to/root")) CheckLayers(file);
struct SourceFile {
  std::string path;                // relative to the root: "core/tlb/soft_tlb.h"
  std::vector<std::string> lines;  // as written
  std::vector<std::string> code;   // the same lines with comments and literals blanked out
};

// A file with this text, as if it were stored at `path`.
SourceFile MakeSource(std::string_view path, std::string_view text);

// Every .h and .cc file under the project's folders below `root`, sorted by path.
std::vector<SourceFile> LoadSources(std::string_view root);

}  // namespace paddock::repo

#endif  // PADDOCK_TESTS_REPO_SOURCE_FILE_H_

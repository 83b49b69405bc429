// SPDX-License-Identifier: Apache-2.0
//
// The rules of rules.h on every source of the project, read from the source tree itself.
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/repo/rules.h"
#include "paddock/tests/repo/source_file.h"

namespace paddock::repo {
namespace {

// The test's copy of WORKSPACE is a link to the one at the root.
const std::vector<SourceFile>& Sources() {
  static const auto* const sources = new std::vector<SourceFile>(
      LoadSources(std::filesystem::canonical("WORKSPACE").parent_path().string()));
  return *sources;
}

void ExpectNoFindings(Findings (*rule)(const SourceFile&)) {
  for (const SourceFile& file : Sources()) {
    for (const std::string& finding : rule(file)) ADD_FAILURE() << finding;
  }
}

TEST(Repository, SourcesOfEveryPartAreRead) {
  std::set<std::string> folders;
  for (const SourceFile& file : Sources()) folders.insert(file.path.substr(0, file.path.find('/')));
  for (const std::string_view folder : {"arch", "core", "concurrency", "stress", "tests"}) {
    EXPECT_TRUE(folders.contains(std::string(folder))) << folder << "/ holds no source";
  }
}

TEST(Repository, FoldersIncludeOnlyTheLayersAbove) { ExpectNoFindings(CheckLayers); }

TEST(Repository, ThreadsAndAtomicsAreReachedThroughTheFacade) { ExpectNoFindings(CheckFacade); }

TEST(Repository, NothingIsVolatileAndAssemblyStaysInItsFolders) { ExpectNoFindings(CheckAssembly); }

TEST(Repository, EveryWeakMemoryOrderSaysWhatItPairsWith) { ExpectNoFindings(CheckOrders); }

TEST(Repository, EveryFileHasItsLicenceLineAndGuard) { ExpectNoFindings(CheckPreamble); }

}  // namespace
}  // namespace paddock::repo

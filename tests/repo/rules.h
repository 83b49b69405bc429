// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_TESTS_REPO_RULES_H_
#define PADDOCK_TESTS_REPO_RULES_H_

#include <string>
#include <vector>

#include "paddock/tests/repo/source_file.h"

namespace paddock::repo {

// Rules about the sources that no compiler checks. Each function returns one line for each
// place that breaks its rule ("core/tlb/a.h:12: ..."), and nothing for a clean file.
//
//   EXPECT_TRUE(CheckLayers(file).empty());
using Findings = std::vector<std::string>;

// A folder includes itself and what stands above it in the table of layers: arch, core/spec,
// concurrency, core/frame, core/tlb, core/page_table, core/io, core/space, stress, tests.
// Examples include library headers only. Our headers are written "paddock/<path>".
Findings CheckLayers(const SourceFile& file);

// arch/, core/ and concurrency/ reach threads and atomics through concurrency/sync* only.
Findings CheckFacade(const SourceFile& file);

// Nothing is `volatile`; inline assembly stands in concurrency/ and arch/ only.
Findings CheckAssembly(const SourceFile& file);

// In arch/, core/ and concurrency/, an order weaker than seq_cst has an `// order:` comment on
// its line or on one of the six lines above: one comment may cover the few operations under it.
Findings CheckOrders(const SourceFile& file);

// The first line is the SPDX line, and a header has the guard PADDOCK_<PATH>_H_.
Findings CheckPreamble(const SourceFile& file);

}  // namespace paddock::repo

#endif  // PADDOCK_TESTS_REPO_RULES_H_

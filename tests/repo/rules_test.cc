// SPDX-License-Identifier: Apache-2.0
//
// Each rule on small samples: what it must find, and what it must leave alone.
#include "paddock/tests/repo/rules.h"

#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/tests/repo/source_file.h"

namespace paddock::repo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(LayerRule, RefusesALowerLayer) {
  const SourceFile file =
      MakeSource("core/frame/a.cc", "int x;\n#include \"paddock/core/tlb/soft_tlb.h\"\n");
  EXPECT_THAT(CheckLayers(file), ElementsAre(HasSubstr("core/frame/a.cc:2: ")));
}

TEST(LayerRule, AllowsItselfAndWhatStandsAbove) {
  EXPECT_THAT(CheckLayers(MakeSource("core/tlb/a.cc",
                                     "#include \"paddock/core/tlb/soft_tlb.h\"\n"
                                     "#include \"paddock/concurrency/rcu.h\"\n"
                                     "#include <vector>\n")),
              IsEmpty());
}

TEST(LayerRule, TheModelKnowsOnlyTheFormats) {
  EXPECT_THAT(CheckLayers(MakeSource("core/spec/a.h", "#include \"paddock/arch/address.h\"\n")),
              IsEmpty());
  EXPECT_THAT(CheckLayers(MakeSource("core/spec/a.h", "#include \"paddock/concurrency/rcu.h\"\n")),
              ElementsAre(HasSubstr("lower layer")));
}

TEST(LayerRule, ExamplesUsePublicHeadersOnly) {
  EXPECT_THAT(
      CheckLayers(MakeSource("examples/a.cc", "#include \"paddock/core/space/vm_space.h\"\n")),
      IsEmpty());
  EXPECT_THAT(CheckLayers(MakeSource("examples/a.cc", "#include \"paddock/stress/ops.h\"\n")),
              ElementsAre(HasSubstr("not a public header")));
}

TEST(LayerRule, ExamplesIncludeEachOtherAndNobodyIncludesThem) {
  constexpr std::string_view kText = "#include \"paddock/examples/a.h\"\n";
  EXPECT_THAT(CheckLayers(MakeSource("examples/a.cc", kText)), IsEmpty());
  EXPECT_THAT(CheckLayers(MakeSource("tests/core/a.cc", kText)),
              ElementsAre(HasSubstr("no layer")));
}

TEST(LayerRule, TestsOfExamplesUseWhatTestsUse) {
  constexpr std::string_view kText = "#include \"paddock/tests/support/config_conformance.h\"\n";
  EXPECT_THAT(CheckLayers(MakeSource("examples/a_test.cc", kText)), IsEmpty());
  EXPECT_THAT(CheckLayers(MakeSource("examples/a.cc", kText)),
              ElementsAre(HasSubstr("not a public header")));
  EXPECT_THAT(
      CheckLayers(MakeSource("examples/a_test.cc", "#include \"paddock/tests/core/a.h\"\n")),
      ElementsAre(HasSubstr("not a public header")));
}

TEST(LayerRule, RefusesOurHeadersWithoutThePrefix) {
  EXPECT_THAT(CheckLayers(MakeSource("core/tlb/a.cc", "#include \"core/tlb/soft_tlb.h\"\n")),
              ElementsAre(HasSubstr("paddock/<path>")));
  EXPECT_THAT(CheckLayers(MakeSource("core/tlb/a.cc", "#include \"soft_tlb.h\"\n")),
              ElementsAre(HasSubstr("paddock/<path>")));
}

TEST(LayerRule, RefusesUnknownFolders) {
  EXPECT_THAT(CheckLayers(MakeSource("core/tlb/a.cc", "#include \"paddock/misc/a.h\"\n")),
              ElementsAre(HasSubstr("no layer")));
  EXPECT_THAT(CheckLayers(MakeSource("core/misc/a.cc", "#include \"paddock/arch/address.h\"\n")),
              ElementsAre(HasSubstr("no layer")));
}

TEST(LayerRule, IgnoresComments) {
  EXPECT_THAT(CheckLayers(MakeSource("arch/a.h", "//   #include \"paddock/core/tlb/a.h\"\n")),
              IsEmpty());
}

TEST(FacadeRule, RefusesThreadsAndAtomicsInTheLibrary) {
  for (const std::string_view header :
       {"<atomic>", "<mutex>", "<thread>", "<condition_variable>",
        "\"absl/synchronization/mutex.h\"", "\"oneapi/tbb/task_arena.h\"", "\"tbb/tbb.h\""}) {
    const std::string text = "#include " + std::string(header) + "\n";
    EXPECT_THAT(CheckFacade(MakeSource("core/tlb/a.cc", text)), ElementsAre(HasSubstr("a.cc:1")))
        << header;
    EXPECT_THAT(CheckFacade(MakeSource("concurrency/sync.h", text)), IsEmpty()) << header;
    EXPECT_THAT(CheckFacade(MakeSource("stress/a.cc", text)), IsEmpty()) << header;
  }
}

TEST(FacadeRule, AllowsOtherHeaders) {
  EXPECT_THAT(CheckFacade(MakeSource("core/tlb/a.cc", "#include <cstdint>\n")), IsEmpty());
}

TEST(AssemblyRule, RefusesVolatile) {
  EXPECT_THAT(CheckAssembly(MakeSource("stress/a.cc", "int a;\nvolatile int b;\n")),
              ElementsAre(HasSubstr("a.cc:2: volatile")));
  EXPECT_THAT(
      CheckAssembly(MakeSource("arch/a.h", "// not volatile\nconst char* a = \"volatile\";")),
      IsEmpty());
}

TEST(AssemblyRule, RefusesAssemblyOutsideItsFolders) {
  constexpr std::string_view kText = "asm volatile(\"pause\");\n";
  EXPECT_THAT(CheckAssembly(MakeSource("core/tlb/a.cc", kText)),
              ElementsAre(HasSubstr("assembly")));
  EXPECT_THAT(CheckAssembly(MakeSource("concurrency/a.h", kText)), IsEmpty());
}

TEST(OrderRule, RefusesAWeakOrderWithoutItsComment) {
  for (const std::string_view use :
       {"a.load(sync::acquire);", "a.load(std::memory_order_relaxed);", "a.store(1, release);",
        "a.load(std::memory_order::acq_rel);"}) {
    EXPECT_THAT(CheckOrders(MakeSource("core/tlb/a.cc", use)), ElementsAre(HasSubstr("a.cc:1")))
        << use;
  }
}

TEST(OrderRule, AcceptsACommentOnTheLineOrUpToSixAbove) {
  constexpr std::string_view kUse = "a.load(sync::acquire);";
  const std::string comment = "// order: pairs with the store in b\n";
  EXPECT_THAT(CheckOrders(MakeSource("arch/a.h", std::string(kUse) + "  " + comment)), IsEmpty());
  EXPECT_THAT(CheckOrders(MakeSource("arch/a.h", comment + "\n\n\n\n\n" + std::string(kUse))),
              IsEmpty());
  EXPECT_THAT(CheckOrders(MakeSource("arch/a.h", comment + "\n\n\n\n\n\n" + std::string(kUse))),
              ElementsAre(HasSubstr("a.h:8")));
}

TEST(OrderRule, LeavesAloneTheStrongestOrderAndDefinitions) {
  EXPECT_THAT(CheckOrders(MakeSource("concurrency/sync.h",
                                     "inline constexpr Order relaxed = std::memory_order_relaxed;\n"
                                     "a.load(sync::seq_cst);\n"
                                     "// a.load(sync::acquire)\n")),
              IsEmpty());
}

TEST(PreambleRule, WantsTheLicenceLine) {
  EXPECT_THAT(CheckPreamble(MakeSource("arch/a.cc", "int a;\n")), ElementsAre(HasSubstr("SPDX")));
  EXPECT_THAT(CheckPreamble(MakeSource("arch/a.cc", "// SPDX-License-Identifier: Apache-2.0\n")),
              IsEmpty());
}

TEST(PreambleRule, WantsTheGuardOfThePath) {
  const auto header = [](const std::string& guard) {
    return "// SPDX-License-Identifier: Apache-2.0\n#ifndef " + guard + "\n#define " + guard +
           "\n#endif  // " + guard + "\n";
  };
  EXPECT_THAT(CheckPreamble(MakeSource("core/tlb/a.h", header("PADDOCK_CORE_TLB_A_H_"))),
              IsEmpty());
  EXPECT_THAT(CheckPreamble(MakeSource("core/tlb/a.h", header("PADDOCK_TLB_A_H_"))),
              ElementsAre(HasSubstr("PADDOCK_CORE_TLB_A_H_")));
}

TEST(SourceFile, KeepsLinesWhenItBlanksCommentsAndLiterals) {
  const SourceFile file = MakeSource("arch/a.h",
                                     "int a = 1'000; /* b\nc */ int d;\n"
                                     "auto s = R\"x(volatile\n)x\"; char q = '\"'; int e;\n");
  ASSERT_EQ(file.lines.size(), file.code.size());
  EXPECT_THAT(file.code[0], HasSubstr("int a = 1'000;"));
  EXPECT_THAT(file.code[1], HasSubstr("int d;"));
  EXPECT_THAT(file.code[2], ::testing::Not(HasSubstr("volatile")));
  EXPECT_THAT(file.code[3], HasSubstr("int e;"));
}

}  // namespace
}  // namespace paddock::repo

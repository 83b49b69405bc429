// SPDX-License-Identifier: Apache-2.0
//
// What the concept PageTableConfig refuses. Everything here is decided by the compiler.

#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/core/page_table/config.h"
#include "paddock/tests/support/bare_config.h"

namespace paddock {
namespace {

using Format4 = x86_64::Format4;

// Root entries.
static_assert(PageTableConfig<BareConfig<Format4, 0, 0>>);
static_assert(PageTableConfig<BareConfig<Format4, 0, 255>>);
static_assert(PageTableConfig<BareConfig<Format4, 256, 511>>);
static_assert(PageTableConfig<BareConfig<tiny::Format2x2, 0, 1>>, "no hole, no halves");
static_assert(!PageTableConfig<BareConfig<Format4, 5, 4>>, "no entry");
static_assert(!PageTableConfig<BareConfig<Format4, 256, 512>>, "beyond the root");
static_assert(!PageTableConfig<BareConfig<Format4, 0, ~uint64_t{0}>>, "beyond every root");
static_assert(!PageTableConfig<BareConfig<Format4, 255, 256>>, "across the hole");
static_assert(!PageTableConfig<BareConfig<tiny::Format2x2, 0, 2>>, "beyond a small root");

// The bits above the address width are those of every managed address.
static_assert(LeadingBits<BareConfig<Format4, 0, 255>>() == 0);
static_assert(LeadingBits<BareConfig<Format4, 256, 511>>() == 0xffff'0000'0000'0000);
static_assert(LeadingBits<BareConfig<x86_64::Format5, 256, 511>>() == 0xfe00'0000'0000'0000);
static_assert(LeadingBits<BareConfig<tiny::Format2x2, 1, 1>>() == 0);

using Good = BareConfig<Format4>;

struct FirstKnownAtRunTime : Good {
  using Good::Good;
  static inline uint64_t kTopLevelFirst = 0;
};
static_assert(!PageTableConfig<FirstKnownAtRunTime>);

struct MadeOfNothing : Good {
  MadeOfNothing();
};
static_assert(!PageTableConfig<MadeOfNothing>);

struct ItemStays : Good {
  struct Item {
    Item(Item&&) = delete;
  };
  using Good::Good;
  static RawItem RawOf(const Item&);
  static RawItem ItemIntoRaw(Item&&);
  static Item ItemFromRaw(const RawItem&);
  static bool Owns(const Item&);
  static absl::StatusOr<Item> CloneRaw(const RawItem&);
};
static_assert(!PageTableConfig<ItemStays>);

struct CloneCannotFail : Good {
  using Good::Good;
  static RawItem CloneRaw(const RawItem&);
};
static_assert(!PageTableConfig<CloneCannotFail>);

struct LookingChangesTheItem : Good {
  using Good::Good;
  static RawItem RawOf(RawItem&);
};
static_assert(!PageTableConfig<LookingChangesTheItem>);

TEST(ConfigConcept, IsDecidedByTheCompiler) {
  EXPECT_TRUE(PageTableConfig<Good>);
  EXPECT_FALSE(PageTableConfig<CloneCannotFail>);
}

}  // namespace
}  // namespace paddock

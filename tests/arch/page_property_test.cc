// SPDX-License-Identifier: Apache-2.0

#include "paddock/arch/page_property.h"

#include "gtest/gtest.h"

namespace paddock {
namespace {

constexpr PageFlags kReadWrite = PageFlags::kRead | PageFlags::kWrite;

TEST(PageFlags, CombineAndTakeAway) {
  PageFlags flags = kReadWrite;
  flags |= PageFlags::kUser;
  EXPECT_TRUE(HasAll(flags, kReadWrite | PageFlags::kUser));
  flags &= ~PageFlags::kWrite;
  EXPECT_EQ(flags, PageFlags::kRead | PageFlags::kUser);
}

TEST(PageFlags, ComplementStaysInsideTheKnownFlags) {
  EXPECT_EQ(~PageFlags::kNone, kAllPageFlags);
  EXPECT_EQ(~kAllPageFlags, PageFlags::kNone);
}

TEST(PageFlags, HasAllAndHasAnyDiffer) {
  EXPECT_FALSE(HasAll(PageFlags::kRead, kReadWrite));
  EXPECT_TRUE(HasAny(PageFlags::kRead, kReadWrite));
  EXPECT_TRUE(HasAll(PageFlags::kRead, PageFlags::kNone));
  EXPECT_FALSE(HasAny(kAllPageFlags, PageFlags::kNone));
}

TEST(PageProperty, ComparesEveryField) {
  EXPECT_EQ(kReadWriteUser, (PageProperty{kReadWrite | PageFlags::kUser}));
  EXPECT_NE(kReadWriteUser, kReadWriteKernel);
  EXPECT_NE((PageProperty{kReadWrite, CachePolicy::kWriteBack}),
            (PageProperty{kReadWrite, CachePolicy::kWriteThrough}));
  EXPECT_NE((PageProperty{.flags = kReadWrite, .software = 1}), PageProperty{kReadWrite});
}

TEST(PageProperty, DescribesItself) {
  EXPECT_STREQ(Describe(PageProperty{}).c_str(), "------- wb sw=00");
  EXPECT_STREQ(Describe(kReadExecuteUser).c_str(), "r-xu--- wb sw=00");
  EXPECT_STREQ(Describe({kAllPageFlags, CachePolicy::kWriteCombining, 0xa5}).c_str(),
               "rwxugad wc sw=a5");
  EXPECT_STREQ(Describe({PageFlags::kDirty, CachePolicy::kUncacheable, 0x0f}).c_str(),
               "------d uc sw=0f");
  EXPECT_STREQ(Describe({PageFlags::kRead, static_cast<CachePolicy>(9)}).c_str(),
               "r------ ?? sw=00");
}

}  // namespace
}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/books.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {
namespace {

constexpr size_t kListed = 8;

std::string List(const std::vector<SuspectFrame>& frames) {
  std::string text;
  for (size_t i = 0; i < std::min(frames.size(), kListed); ++i) {
    absl::StrAppendFormat(&text, "\n  frame 0x%x, %s, %d references, claims 0x%x", frames[i].frame,
                          frames[i].kind, frames[i].references, frames[i].claims);
  }
  if (frames.size() > kListed) {
    absl::StrAppend(&text, "\n  and ", frames.size() - kListed, " more");
  }
  return text;
}

}  // namespace

uint64_t LeakedFrames(const BooksSnapshot& books) {
  return books.frames_used - std::min(books.frames_used, books.frames_expected);
}

OracleResult CheckBooks(const BooksSnapshot& books, ViolationSink& sink) {
  if (books.frames_used != books.frames_expected) {
    sink.Report(kBooksOracle, absl::StrCat(books.frames_used, " frames are in use, expected ",
                                           books.frames_expected, List(books.in_use)));
  }
  if (!books.locked.empty()) {
    sink.Report(kBooksOracle,
                absl::StrCat(books.locked.size(), " frames are still locked, waited for or stray",
                             List(books.locked)));
  }
  for (const Balance& balance : books.balances) {
    if (balance.expected == balance.actual) continue;
    sink.Report(kBooksOracle, absl::StrCat(balance.what, ": expected ", balance.expected,
                                           ", counted ", balance.actual));
  }
  return {std::string(kBooksOracle), 1 + books.lock_words_looked_at + books.balances.size(),
          sink.count(kBooksOracle)};
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// The oracle of the end: every frame is accounted for, every counter adds up, nothing is locked.
//
//   BooksSnapshot books{.frames_expected = frames_before, .frames_used = frames.used_pages()};
//   books.balances.push_back({"pages mapped = unmapped + still mapped", mapped, unmapped + rest});
//   OracleResult result = CheckBooks(books, sink);
//
// The harness fills the snapshot while everything is quiescent; this file knows nothing of where
// the numbers come from. Thread safety: a pure function but for the sink.

#ifndef PADDOCK_STRESS_ORACLE_BOOKS_H_
#define PADDOCK_STRESS_ORACLE_BOOKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "paddock/stress/oracle/violation.h"

namespace paddock {

// Two numbers that must be equal.
struct Balance {
  std::string what = {};
  uint64_t expected = 0;
  uint64_t actual = 0;
};

// A frame that is in use and should not be, or in which nothing should be claimed.
struct SuspectFrame {
  uint64_t frame = 0;     // physical address
  std::string kind = {};  // the name of its metadata
  uint32_t references = 0;
  uint64_t claims = 0;  // as bits of granules
};

struct BooksSnapshot {
  uint64_t frames_expected = 0;  // 0 after teardown
  uint64_t frames_used = 0;
  // Those that may be the leak; may be empty although frames leak.
  std::vector<SuspectFrame> in_use = {};
  uint64_t lock_words_looked_at = 0;      // how many slots the harness examined
  std::vector<SuspectFrame> locked = {};  // those of them in which something was claimed
  std::vector<Balance> balances = {};
};

// Reports one violation per wrong entry; a leak is one violation that lists the first frames.
OracleResult CheckBooks(const BooksSnapshot& books, ViolationSink& sink);

// The frames in use beyond those expected.
uint64_t LeakedFrames(const BooksSnapshot& books);

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_BOOKS_H_

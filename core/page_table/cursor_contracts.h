// SPDX-License-Identifier: Apache-2.0
//
// The contracts of core/spec, applied to a cursor: in builds with PADDOCK_CHECKED every operation
// that changes the table takes the view of its locked range before and after and stops the process
// if the postcondition does not hold. Query, QueryItem, FindNext and Jump have none: each of them
// would have to take that view. In other builds everything here is empty.

#ifndef PADDOCK_CORE_PAGE_TABLE_CURSOR_CONTRACTS_H_
#define PADDOCK_CORE_PAGE_TABLE_CURSOR_CONTRACTS_H_

#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/core/spec/contracts.h"

namespace paddock {

// Lives for the length of one operation on `cursor`, which provides `View()`, the meaning of its
// locked range.
template <typename CursorType>
class Contract {
 public:
  explicit Contract(CursorType& cursor) : cursor_(cursor) {
    if constexpr (kContractsChecked) before_ = cursor_.View();
  }

  // `check(before, after)` is the postcondition of the operation if it succeeded; a failed one must
  // have changed nothing.
  template <typename Check>
  void Ensure(bool succeeded, Check check) const {
    if constexpr (kContractsChecked) {
      const AbstractTable after = cursor_.View();
      const absl::Status held = succeeded ? check(before_, after) : CheckUnchanged(before_, after);
      PADDOCK_CHECK(held.ok(), std::string(held.message()).c_str());
    }
  }

 private:
  using View = decltype(std::declval<CursorType&>().View());

  CursorType& cursor_;
  [[no_unique_address]] std::conditional_t<kContractsChecked, View, std::monostate> before_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_CURSOR_CONTRACTS_H_

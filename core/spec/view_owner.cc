// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/spec/view_owner.h"

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/core/spec/abstract_table.h"

namespace paddock {
namespace {

absl::Status Broken(const char* rule, const std::string& how) {
  return absl::InternalError(absl::StrCat("views: ", rule, ": ", how));
}

std::string Who(const char* role, const HeldView& held) {
  return absl::StrCat("the ", role, " of ", Describe(held.range));
}

// The first address of `set` that is not in `other`.
std::optional<VirtAddr> FirstOutside(const AddressSet& set, const AddressSet& other) {
  std::optional<VirtAddr> found;
  set.ForEach([&](VirtRange range) {
    if (!found) found = other.FirstAbsent(range);
  });
  return found;
}

absl::Status CheckAgreement(const std::string& who, const MemView& part, const MemView& total) {
  if (const auto va = FirstOutside(part.addresses(), total.addresses())) {
    return Broken("agreement",
                  absl::StrFormat("%s translates %#x, the space does not", who, va->value()));
  }
  if (const auto va = FirstDisagreement(part, total)) {
    return Broken("agreement",
                  absl::StrFormat("%s translates %#x to %#x, the space to %#x", who, va->value(),
                                  part.Translate(*va)->value(), total.Translate(*va)->value()));
  }
  return absl::OkStatus();
}

absl::Status CheckHeld(const char* role, const HeldView& held, const MemView& total) {
  if (held.view.addresses() != AddressSet(held.range)) {
    return Broken("completeness", Who(role, held) + " holds another view than its range's");
  }
  return CheckAgreement(Who(role, held), held.view, total);
}

absl::Status CheckDisjoint(const char* role, const HeldView& held, const char* other_role,
                           const HeldView& other) {
  if (!held.range.Intersects(other.range)) return absl::OkStatus();
  return Broken("exclusion", Who(role, held) + " overlaps " + Who(other_role, other));
}

absl::Status CheckRanges(const ViewOwner& owner) {
  absl::Status status;
  for (size_t i = 0; i < owner.writers.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      status.Update(CheckDisjoint("writer", owner.writers[i], "writer", owner.writers[j]));
    }
    for (const HeldView& reader : owner.readers) {
      status.Update(CheckDisjoint("writer", owner.writers[i], "reader", reader));
    }
  }
  if (owner.sharing == ReaderSharing::kShared) return status;
  for (size_t i = 0; i < owner.readers.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      status.Update(CheckDisjoint("reader", owner.readers[i], "reader", owner.readers[j]));
    }
  }
  return status;
}

absl::Status CheckConservation(const ViewOwner& owner) {
  AddressSet all = owner.remaining->addresses();
  for (const HeldView& writer : owner.writers) {
    if (all.Part(writer.range) != AddressSet()) {
      return Broken("exclusion", Who("writer", writer) + " shares its view with the space");
    }
  }
  for (const HeldView& writer : owner.writers) all.Insert(writer.view.addresses());
  if (const auto lost = FirstOutside(owner.total->addresses(), all)) {
    return Broken("conservation", absl::StrFormat("nobody holds %#x", lost->value()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckViewOwner(const ViewOwner& owner) {
  if (owner.total.has_value() != owner.remaining.has_value()) {
    return Broken("existence", "one of the total and the remaining view is missing");
  }
  if (!owner.total) {
    if (owner.readers.empty() && owner.writers.empty()) return absl::OkStatus();
    return Broken("existence", "views are held of a space that has none");
  }
  absl::Status status = CheckAgreement("what remains", *owner.remaining, *owner.total);
  for (const HeldView& writer : owner.writers) {
    status.Update(CheckHeld("writer", writer, *owner.total));
  }
  for (const HeldView& reader : owner.readers) {
    status.Update(CheckHeld("reader", reader, *owner.total));
    if (!owner.remaining->addresses().ContainsAll(reader.range)) {
      status.Update(Broken("sharing", Who("reader", reader) + " holds what the space has not"));
    }
  }
  status.Update(CheckRanges(owner));
  status.Update(CheckConservation(owner));
  return status;
}

}  // namespace paddock

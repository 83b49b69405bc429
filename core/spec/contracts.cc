// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/spec/contracts.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace paddock {
namespace {

absl::Status Broken(absl::string_view operation, absl::string_view what) {
  return absl::InternalError(absl::StrCat(operation, ": ", what));
}

absl::Status Compare(absl::string_view operation, const AbstractTable& expected,
                     const AbstractTable& actual, HardwareBits bits) {
  const std::optional<ViewDifference> difference = FirstDifference(expected, actual, bits);
  if (!difference) return absl::OkStatus();
  return Broken(operation, Describe(*difference));
}

std::string DescribeAddress(std::optional<VirtAddr> va) {
  return va ? absl::StrFormat("0x%x", va->value()) : "none";
}

// That `what`, returned by a search of `searched`, is the first thing mapped there.
absl::Status CheckFirst(absl::string_view operation, const AbstractTable& view, VirtRange searched,
                        const std::optional<VirtRange>& what) {
  const std::optional<VirtAddr> first = view.FindNext(searched);
  if (!what && !first) return absl::OkStatus();
  if (!what || !first || !what->Contains(*first) || !searched.Contains(*what)) {
    return Broken(operation, absl::StrCat("first mapped address is ", DescribeAddress(first),
                                          ", returned ", what ? Describe(*what) : "none"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckUnchanged(const AbstractTable& before, const AbstractTable& after,
                            HardwareBits bits) {
  return Compare("the view must not change", before, after, bits);
}

absl::Status CheckMap(const AbstractTable& before, const AbstractTable& after, VirtRange range,
                      PhysAddr frame, PageProperty property, HardwareBits bits) {
  return Compare(absl::StrFormat("map %s to 0x%x %s", Describe(range), frame.value(),
                                 Describe(property).c_str()),
                 AfterMap(before, range, frame, property), after, bits);
}

absl::Status CheckUnmap(const AbstractTable& before, const AbstractTable& after, VirtRange range,
                        uint64_t removed, HardwareBits bits) {
  const std::string operation = absl::StrCat("unmap ", Describe(range));
  AbstractTable expected = before;
  const uint64_t pages = expected.Unmap(range);
  absl::Status same = Compare(operation, expected, after, bits);
  if (!same.ok()) return same;
  if (pages == removed) return absl::OkStatus();
  return Broken(operation, absl::StrCat(pages, " pages were mapped, returned ", removed));
}

absl::Status CheckProtect(const AbstractTable& before, const AbstractTable& after, VirtRange range,
                          PropertyFunction op, uint64_t changed, HardwareBits bits) {
  const std::string operation = absl::StrCat("protect ", Describe(range));
  AbstractTable expected = before;
  const uint64_t pages = expected.Protect(range, op);
  absl::Status same = Compare(operation, expected, after, bits);
  if (!same.ok()) return same;
  if (pages == changed) return absl::OkStatus();
  return Broken(operation, absl::StrCat(pages, " pages were mapped, returned ", changed));
}

absl::Status CheckQuery(const AbstractTable& view, VirtRange locked, VirtAddr va, VirtRange slot,
                        const std::optional<QueriedItem>& item, HardwareBits bits) {
  const std::string operation = absl::StrFormat("query at 0x%x", va.value());
  if (!slot.Contains(va)) {
    return Broken(operation, absl::StrCat("not in the returned slot ", Describe(slot)));
  }
  const VirtRange judged = slot.Intersection(locked);
  if (judged.IsEmpty()) {
    return Broken(operation, absl::StrCat("slot ", Describe(slot), " is outside the cursor's ",
                                          Describe(locked)));
  }
  AbstractTable said;
  if (item) {
    const uint64_t skipped = judged.start.value() - slot.start.value();
    said.Map(judged, item->frame.Plus(skipped), item->property);
  }
  return Compare(absl::StrCat(operation, ", slot ", Describe(slot),
                              ", expected is the table, found is the answer"),
                 view.Slice(judged), said, bits);
}

absl::Status CheckFindNext(const AbstractTable& view, VirtRange searched,
                           std::optional<VirtAddr> found) {
  const std::optional<VirtAddr> first = view.FindNext(searched);
  if (first == found) return absl::OkStatus();
  return Broken(absl::StrCat("find_next in ", Describe(searched)),
                absl::StrCat("first mapped address is ", DescribeAddress(first), ", returned ",
                             DescribeAddress(found)));
}

absl::Status CheckTakeNext(const AbstractTable& before, const AbstractTable& after,
                           VirtRange searched, std::optional<VirtRange> taken, uint64_t pages,
                           HardwareBits bits) {
  const std::string operation = absl::StrCat("take_next in ", Describe(searched));
  absl::Status first = CheckFirst(operation, before, searched, taken);
  if (!first.ok()) return first;
  if (taken) return CheckUnmap(before, after, *taken, pages, bits);
  if (pages != 0) return Broken(operation, absl::StrCat("took nothing, but ", pages, " pages"));
  return Compare(operation, before, after, bits);
}

absl::Status CheckProtectNext(const AbstractTable& before, const AbstractTable& after,
                              VirtRange searched, std::optional<VirtRange> changed,
                              PropertyFunction op, HardwareBits bits) {
  const std::string operation = absl::StrCat("protect_next in ", Describe(searched));
  absl::Status first = CheckFirst(operation, before, searched, changed);
  if (!first.ok()) return first;
  if (!changed) return Compare(operation, before, after, bits);
  if (before.CountMapped(*changed) * kPageSize != changed->size()) {
    return Broken(operation, absl::StrCat(Describe(*changed), " was not wholly mapped"));
  }
  return CheckProtect(before, after, *changed, op, changed->size() / kPageSize, bits);
}

}  // namespace paddock

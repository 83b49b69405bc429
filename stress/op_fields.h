// SPDX-License-Identifier: Apache-2.0
//
// The one list of the fields of operations, by which they are printed, digested, and made from
// texts and bytes.
//
//   struct Printer {
//     void operator()(const char* type);
//     template <typename T>
//     void operator()(const char* field, const T& value);
//   } printer;
//   std::visit([&](const auto& op) { VisitFields(op, printer); }, op);
//
// The type's name comes first, then each field, in the order of the initialisers. A visitor of an
// operation that is not const may change its fields. Thread safety: pure functions.

#ifndef PADDOCK_STRESS_OP_FIELDS_H_
#define PADDOCK_STRESS_OP_FIELDS_H_

#include <concepts>
#include <type_traits>

#include "paddock/stress/ops.h"

namespace paddock {

// `T` is `Type`, const or not.
template <typename T, typename Type>
concept MaybeConst = std::same_as<std::remove_const_t<T>, Type>;

template <MaybeConst<OpenOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("OpenOp");
  visit("space", op.space);
  visit("range", op.range);
  visit("kind", op.kind);
  visit("intent", op.intent);
  visit("anchor", op.anchor);
  visit("wait", op.wait);
}
template <MaybeConst<MapOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("MapOp");
  visit("pages", op.pages);
  visit("content", op.content);
  visit("property", op.property);
}
template <MaybeConst<UnmapOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("UnmapOp");
  visit("bytes", op.bytes);
}
template <MaybeConst<ProtectOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("ProtectOp");
  visit("bytes", op.bytes);
  visit("edit", op.edit);
}
template <MaybeConst<ProtectNextOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("ProtectNextOp");
  visit("bytes", op.bytes);
  visit("edit", op.edit);
}
template <MaybeConst<QueryOp> O, typename Visit>
void VisitFields(O&, Visit& visit) {
  visit("QueryOp");
}
template <MaybeConst<FindNextOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("FindNextOp");
  visit("bytes", op.bytes);
}
template <MaybeConst<JumpOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("JumpOp");
  visit("to", op.to);
}
template <MaybeConst<TakeNextOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("TakeNextOp");
  visit("bytes", op.bytes);
}
template <MaybeConst<SyncOp> O, typename Visit>
void VisitFields(O&, Visit& visit) {
  visit("SyncOp");
}
template <MaybeConst<CloseOp> O, typename Visit>
void VisitFields(O&, Visit& visit) {
  visit("CloseOp");
}
template <MaybeConst<AccessOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("AccessOp");
  visit("space", op.space);
  visit("va", op.va);
  visit("kind", op.kind);
}
template <MaybeConst<WalkOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("WalkOp");
  visit("space", op.space);
  visit("va", op.va);
}
template <MaybeConst<ActivateOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("ActivateOp");
  visit("space", op.space);
}
template <MaybeConst<DeactivateOp> O, typename Visit>
void VisitFields(O&, Visit& visit) {
  visit("DeactivateOp");
}
template <MaybeConst<IdleOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("IdleOp");
  visit("yields", op.yields);
}
template <MaybeConst<CreateSpaceOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("CreateSpaceOp");
  visit("space", op.space);
}
template <MaybeConst<DestroySpaceOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("DestroySpaceOp");
  visit("space", op.space);
}
template <MaybeConst<RetireOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("RetireOp");
  visit("cell", op.cell);
}
template <MaybeConst<ReadOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("ReadOp");
  visit("cell", op.cell);
  visit("spins", op.spins);
}
template <MaybeConst<GraceOp> O, typename Visit>
void VisitFields(O&, Visit& visit) {
  visit("GraceOp");
}
template <MaybeConst<ReadMemoryOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("ReadMemoryOp");
  visit("space", op.space);
  visit("va", op.va);
  visit("bytes", op.bytes);
  visit("way", op.way);
  visit("on_fault", op.on_fault);
}
template <MaybeConst<WriteMemoryOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("WriteMemoryOp");
  visit("space", op.space);
  visit("va", op.va);
  visit("bytes", op.bytes);
  visit("way", op.way);
  visit("on_fault", op.on_fault);
}
template <MaybeConst<CreateAreaOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("CreateAreaOp");
  visit("area", op.area);
  visit("kind", op.kind);
  visit("before", op.before);
  visit("pages", op.pages);
  visit("behind", op.behind);
  visit("rights", op.rights);
}
template <MaybeConst<DestroyAreaOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("DestroyAreaOp");
  visit("area", op.area);
  visit("end", op.end);
}
template <MaybeConst<SplitAreaOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("SplitAreaOp");
  visit("area", op.area);
  visit("rest", op.rest);
  visit("page", op.page);
}
template <MaybeConst<QueryAreaOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("QueryAreaOp");
  visit("area", op.area);
  visit("page", op.page);
}
template <MaybeConst<AccessAreaOp> O, typename Visit>
void VisitFields(O& op, Visit& visit) {
  visit("AccessAreaOp");
  visit("area", op.area);
  visit("page", op.page);
  visit("kind", op.kind);
}
template <MaybeConst<FlushAreasOp> O, typename Visit>
void VisitFields(O&, Visit& visit) {
  visit("FlushAreasOp");
}
template <MaybeConst<CheckAreasOp> O, typename Visit>
void VisitFields(O&, Visit& visit) {
  visit("CheckAreasOp");
}

}  // namespace paddock

#endif  // PADDOCK_STRESS_OP_FIELDS_H_

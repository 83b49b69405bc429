// SPDX-License-Identifier: Apache-2.0
//
// Execution: what accesses to atomics, plain data and freed memory do.

#include <cstring>
#include <string>

#include "paddock/concurrency/model/execution.h"
#include "paddock/concurrency/model/execution_text.h"

namespace paddock::model {

uint64_t Execution::Load(const void* object, size_t bytes, Order order,
                         std::source_location where) {
  const uintptr_t address = AddressOf(object);
  Arrive({OpKind::kLoad, order, memory_.MayBeShared(address), address, where});
  const Actor actor = Acting(where);
  Location& location = memory_.At(address, ReadBytes(object, bytes), actor);
  Check(memory_.NoteAtomic(location, actor, false), address, where);
  const uint32_t age = PickValue(Deviation::Kind::kRead, memory_.Visible(location, actor, order));
  const uint64_t value = memory_.Load(location, actor, order, age);
  Remember(address, bytes, value, false);
  Record(address, value, where, [&] {
    HostString text = NameOf(address) + " = " + Number(value) + "  load " + OrderName(order);
    if (age != 0) text += " (old: it is " + Number(location.newest().value) + ")";
    return text;
  });
  return value;
}

void Execution::Store(void* object, size_t bytes, uint64_t value, Order order,
                      std::source_location where) {
  const uintptr_t address = AddressOf(object);
  Arrive({OpKind::kStore, order, memory_.MayBeShared(address), address, where});
  const Actor actor = Acting(where);
  const uint64_t before = ReadBytes(object, bytes);
  Location& location = memory_.At(address, before, actor);
  Check(memory_.NoteAtomic(location, actor, true), address, where);
  memory_.Write(location, actor, order, value);
  Remember(address, bytes, before, true);
  std::memcpy(object, &value, bytes);
  WakeWatchers(address, value);
  Record(address, value, where, [&] {
    return NameOf(address) + ": " + Number(before) + " -> " + Number(value) + "  store " +
           OrderName(order);
  });
}

uint64_t Execution::Update(void* object, size_t bytes, Order order,
                           absl::FunctionRef<uint64_t(uint64_t)> change, std::string_view name,
                           std::source_location where) {
  const uintptr_t address = AddressOf(object);
  Arrive({OpKind::kUpdate, order, memory_.MayBeShared(address), address, where});
  const Actor actor = Acting(where);
  const uint64_t before = ReadBytes(object, bytes);
  uint64_t after = change(before);
  if (bytes < sizeof(after)) after &= (uint64_t{1} << (8 * bytes)) - 1;
  Location& location = memory_.At(address, before, actor);
  Check(memory_.NoteAtomic(location, actor, true), address, where);
  memory_.ReadForUpdate(location, actor, order);
  memory_.Update(location, actor, order, after);
  Remember(address, bytes, before, true);
  std::memcpy(object, &after, bytes);
  WakeWatchers(address, after);
  Record(address, after, where, [&] {
    return NameOf(address) + ": " + Number(before) + " -> " + Number(after) + "  " + Host(name) +
           " " + OrderName(order);
  });
  return before;
}

bool Execution::CompareExchange(void* object, size_t bytes, uint64_t& expected, uint64_t desired,
                                Order success, Order failure, std::source_location where) {
  const uintptr_t address = AddressOf(object);
  Arrive({OpKind::kUpdate, success, memory_.MayBeShared(address), address, where});
  const Actor actor = Acting(where);
  const uint64_t before = ReadBytes(object, bytes);
  Location& location = memory_.At(address, before, actor);
  const bool succeeds = before == expected;
  Check(memory_.NoteAtomic(location, actor, succeeds), address, where);
  if (succeeds) {
    memory_.ReadForUpdate(location, actor, success);
    memory_.Update(location, actor, success, desired);
    Remember(address, bytes, before, true);
    std::memcpy(object, &desired, bytes);
    WakeWatchers(address, desired);
  } else {
    memory_.Load(location, actor, failure, 0);
    Remember(address, bytes, before, false);
  }
  Record(address, before, where, [&] {
    HostString text = NameOf(address) + ": " + Number(before);
    if (succeeds) return text + " -> " + Number(desired) + "  exchanged " + OrderName(success);
    return text + ", not " + Number(expected) + ": not exchanged " + OrderName(failure);
  });
  expected = before;
  return succeeds;
}

void Execution::PlainAccess(const void* object, bool writes, std::source_location where) {
  // Not a scheduling point: what it races with is found by happens-before, in any interleaving.
  self().clock.Tick(current_);
  const Actor actor = Acting(where);
  const uintptr_t address = AddressOf(object);
  Location& location = memory_.At(address, 0, actor);
  Check(memory_.NotePlain(location, actor, writes), address, where);
}

void Execution::Constructed(const void* object, size_t bytes) {
  self().clock.Tick(current_);
  memory_.Construct(AddressOf(object), ReadBytes(object, bytes), Acting(std::source_location()));
}

void Execution::Destroyed(const void* object) {
  self().clock.Tick(current_);
  const auto where = std::source_location();
  Check(memory_.Destroy(AddressOf(object), Acting(where)), AddressOf(object), where);
}

void Execution::ReleaseMemory(const void* start, size_t bytes, std::source_location where) {
  if (concurrent_execution == nullptr) return;
  self().clock.Tick(current_);
  Check(memory_.Release(AddressOf(start), bytes, Acting(where)), AddressOf(start), where);
}

void Execution::TakeMemory(const void* start, size_t bytes, std::source_location where) {
  if (concurrent_execution == nullptr) return;
  self().clock.Tick(current_);
  memory_.Take(AddressOf(start), bytes, Acting(where));
}

void Execution::Check(const MemoryError& error, uintptr_t address, std::source_location where) {
  if (!error) return;
  std::string message = ThreadLabel(current_) + " at " + ShortPlace(where) + ": ";
  message += NameOf(address);
  message += std::string(" ") + error.what + " " + ThreadLabel(error.other);
  if (error.where.line() != 0) message += " at " + ShortPlace(error.where);
  Fail(error.kind, message);
}

}  // namespace paddock::model

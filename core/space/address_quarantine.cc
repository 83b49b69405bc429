// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/address_quarantine.h"

#include <utility>

#include "paddock/concurrency/check.h"

namespace paddock {

AddressQuarantine::~AddressQuarantine() {
  PADDOCK_CHECK(IsEmpty(), "addresses are still in quarantine when it is destroyed");
}

void AddressQuarantine::Put(VirtRange range, PendingFlush flush) {
  const uint64_t pages = range.size() / kPageSize;
  collected_.ranges.push_back(range);
  collected_.pages += pages;
  pages_ += pages;
  flushes_.push_back(std::move(flush));
}

AddressQuarantine::Round AddressQuarantine::Begin(Cover cover) {
  Round round{collected_.number, std::exchange(flushes_, {}),
              cover == Cover::kAll && !under_way_.empty()};
  const uint64_t next = collected_.number + 1;
  under_way_.push_back(std::exchange(collected_, Group{.number = next}));
  return round;
}

void AddressQuarantine::Sent(uint64_t number, ShootdownTicket ticket) {
  for (Group& group : under_way_) {
    // Not there any more: a round that flushed everything was faster.
    if (group.number == number) group.ticket = ticket;
  }
}

std::vector<VirtRange> AddressQuarantine::Finish(uint64_t number, Cover cover) {
  // race: not those that began after it, although this CPU was acknowledged only now.
  //   1. CPU 0: begins a round, flushes everything, CPU 2 acknowledges
  //   2. CPU 2: fills its TLB with an area's translation
  //   3. CPU 1: unmaps that area, which goes to the next round
  //   4. CPU 0: finishes its round: that area has not been flushed
  return FinishWhere([=](const Group& group) {
    return cover == Cover::kAll ? group.number <= number : group.number == number;
  });
}

std::vector<VirtRange> AddressQuarantine::TakeDone() {
  return FinishWhere([](const Group& group) { return group.ticket && group.ticket->IsDone(); });
}

std::vector<VirtRange> AddressQuarantine::FinishWhere(
    absl::FunctionRef<bool(const Group&)> is_done) {
  std::vector<VirtRange> ranges;
  std::erase_if(under_way_, [&](const Group& group) {
    if (!is_done(group)) return false;
    ranges.insert(ranges.end(), group.ranges.begin(), group.ranges.end());
    pages_ -= group.pages;
    return true;
  });
  return ranges;
}

void AddressQuarantine::ForEach(absl::FunctionRef<void(VirtRange)> visit) const {
  for (const VirtRange range : collected_.ranges) visit(range);
  for (const Group& group : under_way_) {
    for (const VirtRange range : group.ranges) visit(range);
  }
}

}  // namespace paddock

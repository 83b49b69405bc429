// SPDX-License-Identifier: Apache-2.0
//
// The ledger of readers and writers: what a view holds nobody else touches. The data under the
// views is plain, so two threads that hold what excludes each other race on it, and so do two that
// hold it one after the other if the ledger does not order them.

#include <array>

#include "paddock/concurrency/sync.h"
#include "paddock/core/space/view_ledger.h"
#include "paddock/stress/explore/poisoned_memory.h"
#include "paddock/stress/explore/scenarios.h"
#include "paddock/stress/explore/small_world.h"

namespace paddock::explore {
namespace {

// Four pages that are mapped, and a word that stands for what lies in page 1.
class Views {
 public:
  explicit Views(ReaderSharing sharing) : ledger_(Mapped(), sharing) {
    model::Name(&ledger_, sizeof(ledger_), "ledger");
    model::Name(&page_one_, sizeof(page_one_), "page one");
  }
  // Everything was given back.
  ~Views() {
    const ViewOwner owner = CheckedOwner();
    model::Expect(owner.readers.empty() && owner.writers.empty(), "no view is left");
    model::Expect(owner.remaining->addresses() == owner.total->addresses(),
                  "what remains is the total view again");
  }

  ViewLedger& ledger() { return ledger_; }

  // Reads or writes page 1 under a view of `range`, unless that is refused.
  bool Use(VirtRange range, ViewKind kind) {
    const absl::StatusOr<uint64_t> view = ledger_.BeginView(range, kind);
    if (!view.ok()) {
      model::Expect(absl::IsFailedPrecondition(view.status()), "refused because of an overlap");
      return false;
    }
    if (kind == ViewKind::kWriter) {
      page_one_.Write(page_one_.Read() + 1);
    } else {
      page_one_.Read();
    }
    ledger_.EndView(*view);
    return true;
  }
  int writes() const { return page_one_.Read(); }

  // The state at one moment, which keeps every rule; conservation is one of them.
  ViewOwner CheckedOwner() {
    ViewOwner owner = ledger_.Owner();
    Must(CheckViewOwner(owner));
    return owner;
  }

 private:
  static MemView Mapped() {
    AbstractTable table;
    table.Map(Pages(0, 4), PhysAddr(8 * kPageSize), kReadWriteUser);
    return MemView(std::move(table));
  }

  ViewLedger ledger_;
  sync::Plain<int> page_one_;
};

template <class First, class Second>
void Both(First first, Second second) {
  const sync::Thread one(first);
  const sync::Thread two(second);
}

void TwoWriters() {
  Views views(ReaderSharing::kShared);
  std::array<bool, 2> wrote = {};
  Both([&] { wrote[0] = views.Use(Pages(0, 2), ViewKind::kWriter); },
       [&] { wrote[1] = views.Use(Pages(1, 2), ViewKind::kWriter); });
  model::Expect(wrote[0] || wrote[1], "a writer is refused only because of another one");
  model::Expect(views.writes() == wrote[0] + wrote[1], "no write is lost");
  model::Reach(wrote[0] && wrote[1] ? "one after the other" : "one was refused");
}

void WriterAgainstReader() {
  Views views(ReaderSharing::kShared);
  bool wrote = false;
  bool read = false;
  Both([&] { wrote = views.Use(Pages(0, 2), ViewKind::kWriter); },
       [&] { read = views.Use(Pages(1, 2), ViewKind::kReader); });
  model::Expect(wrote || read, "one is refused only because of the other");
  if (!wrote) model::Reach("no writing");
  if (!read) model::Reach("no reading");
  if (wrote && read) model::Reach("one after the other");
}

void TwoReaders(ReaderSharing sharing) {
  Views views(sharing);
  std::array<bool, 2> read = {};
  Both([&] { read[0] = views.Use(Pages(0, 2), ViewKind::kReader); },
       [&] { read[1] = views.Use(Pages(1, 2), ViewKind::kReader); });
  model::Expect(read[0] || read[1], "a reader is refused only because of another one");
  if (sharing == ReaderSharing::kShared) {
    model::Expect(read[0] && read[1], "readers share");
  }
  model::Reach(read[0] && read[1] ? "both read" : "one was refused");
}

// A reader and a writer were created while neither was active: who is activated first has the page,
// and only when it is disposed of the other one can be activated.
void TwoAreActivated() {
  Views views(ReaderSharing::kShared);
  ViewLedger& ledger = views.ledger();
  const std::array<ViewId, 2> ids = {Must(ledger.Create(Pages(0, 2), ViewKind::kWriter)),
                                     Must(ledger.Create(Pages(1, 2), ViewKind::kReader))};
  std::array<bool, 2> active = {};
  Both([&] { active[0] = ledger.Activate(ids[0]).ok(); },
       [&] { active[1] = ledger.Activate(ids[1]).ok(); });
  model::Expect(active[0] != active[1], "exactly one of the two is active");
  model::Reach(active[0] ? "the writer" : "the reader");
  views.CheckedOwner();
  const int winner = active[0] ? 0 : 1;
  Must(ledger.Dispose(ids[winner]));
  Must(ledger.Activate(ids[1 - winner]));
  Must(ledger.Dispose(ids[1 - winner]));
  for (const ViewId id : ids) Must(ledger.Remove(id));
}

// One thread leads a writer through its life, the other one a reader of other pages; at every
// moment what remains and what the writer took are the total view.
void LifeIsSeenWhole() {
  Views views(ReaderSharing::kExclusive);
  ViewLedger& ledger = views.ledger();
  Both(
      [&] {
        const ViewId writer = Must(ledger.Create(Pages(0, 2), ViewKind::kWriter));
        Must(ledger.Activate(writer));
        Must(ledger.Dispose(writer));
        Must(ledger.Remove(writer));
      },
      [&] {
        const uint64_t reader = Must(ledger.BeginView(Pages(2, 2), ViewKind::kReader));
        const ViewOwner owner = views.CheckedOwner();
        model::Expect(owner.readers.size() == 1, "this thread reads");
        model::Reach(owner.writers.empty() ? "nobody writes" : "the writer holds its part");
        ledger.EndView(reader);
      });
}

// Two threads end one view: one of them does.
void DisposedOfOnce() {
  Views views(ReaderSharing::kShared);
  ViewLedger& ledger = views.ledger();
  const ViewId id = Must(ledger.Create(Pages(0, 4), ViewKind::kWriter));
  Must(ledger.Activate(id));
  std::array<bool, 2> done = {};
  Both([&] { done[0] = ledger.Dispose(id).ok(); }, [&] { done[1] = ledger.Dispose(id).ok(); });
  model::Expect(done[0] != done[1], "a part is given back once");
  Must(ledger.Remove(id));
}

}  // namespace

std::vector<model::Scenario> LedgerScenarios() {
  return {
      {.name = "ledger_writers",
       .what = "two writers of ranges that overlap",
       .body = &TwoWriters,
       .must_reach = {"one after the other", "one was refused"},
       .bound = model::kUnboundedSearch},
      {.name = "ledger_reader_writer",
       .what = "a reader and a writer of ranges that overlap",
       .body = &WriterAgainstReader,
       .must_reach = {"no writing", "no reading", "one after the other"},
       .bound = model::kUnboundedSearch},
      {.name = "ledger_shared",
       .what = "two readers that may share",
       .body = [] { TwoReaders(ReaderSharing::kShared); },
       .must_reach = {"both read"},
       .bound = model::kUnboundedSearch},
      {.name = "ledger_exclusive",
       .what = "two readers that may not share",
       .body = [] { TwoReaders(ReaderSharing::kExclusive); },
       .must_reach = {"both read", "one was refused"},
       .bound = model::kUnboundedSearch},
      {.name = "ledger_activate",
       .what = "two views that were created before are activated at once",
       .body = &TwoAreActivated,
       .must_reach = {"the writer", "the reader"},
       .bound = model::kUnboundedSearch},
      {.name = "ledger_dispose",
       .what = "two threads dispose of one view",
       .body = &DisposedOfOnce,
       .bound = model::kUnboundedSearch},
      {.name = "ledger_whole",
       .what = "the state is whole at every moment of a writer's and a reader's life",
       .body = &LifeIsSeenWhole,
       .must_reach = {"nobody writes", "the writer holds its part"},
       .bound = 4},
  };
}

}  // namespace paddock::explore

// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/memory_actor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/core/io/memory_io.h"
#include "paddock/stress/frame_stamps.h"
#include "paddock/stress/recorded_cursor.h"

namespace paddock {
namespace {

VirtRange PageOf(VirtAddr va) {
  const VirtAddr start = va.AlignDown(kPageSize);
  return VirtRange{start, start.Plus(kPageSize)};
}

uint64_t WordAt(const std::byte* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// The stamps of the pages that [va, va + content.size()) touches, as far as it holds their bytes.
void PutStamps(uint32_t space, VirtAddr va, std::span<std::byte> content) {
  const VirtAddr end = va.Plus(content.size());
  for (VirtAddr page = va.AlignDown(kPageSize); page < end; page = page.Plus(kPageSize)) {
    const Stamp stamp = MakeStamp(space, page);
    const VirtAddr from = std::max(page, va);
    const VirtAddr to = std::min(page.Plus(sizeof(stamp)), end);
    if (from >= to) continue;
    std::memcpy(content.data() + (from.value() - va.value()),
                reinterpret_cast<const std::byte*>(&stamp) + (from.value() - page.value()),
                to.value() - from.value());
  }
}

}  // namespace

// Lets the page faults of one operation map, if it is to.
class MemoryActor::Faults {
 public:
  Faults(MemoryActor& actor, OnFault on_fault, const SpaceRef& space) : actor_(actor) {
    actor_.out_of_frames_ = false;
    if (on_fault == OnFault::kEnd) return;
    actor_.resolving_ = &space;
    actor_.stream_.world().SetFaultResolver(actor_.stream_.pin(), &actor_);
  }
  ~Faults() {
    actor_.resolving_ = nullptr;
    actor_.stream_.world().SetFaultResolver(actor_.stream_.pin(), nullptr);
  }
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

 private:
  MemoryActor& actor_;
};

MemoryPlace MemoryActor::Place(std::string_view what, const SpaceRef& space, VirtAddr va) const {
  return {what, stream_.pin().cpu().value, space.id, va};
}

OwnPages* MemoryActor::Own(const OpenOp& open) {
  OwnPages* const own = stream_.world().ground().Own(open.space, open.range);
  return own != nullptr && MemoryGround::OwnerOf(open.range.start) == stream_.index() ? own
                                                                                      : nullptr;
}

std::span<const std::byte> MemoryActor::Fill(const USegment& frames, uint32_t space, VirtAddr va) {
  std::array<uint64_t, kPageSize / sizeof(uint64_t)> words;
  words[0] = MakeStamp(space, va);
  for (size_t i = 1; i < words.size(); ++i) {
    words[i] = MakeWord(space, va.Plus(i * sizeof(uint64_t)), kInitialWord);
  }
  std::memcpy(page_.data(), words.data(), page_.size());
  const absl::Status status = MemoryIo(frames).WriteSlice(0, std::span<const uint64_t>(words));
  oracle().CheckThat(worker(), {"filling a frame for the page", worker(), space, va}, status.ok(),
                     [&] { return status.ToString(); });
  return page_;
}

void MemoryActor::CheckFrame(const OwnPages& own, uint32_t space, VirtAddr va,
                             const std::optional<PhysAddr>& frame) {
  const MemoryPlace place{"a frame under a cursor", worker(), space, va};
  const uint64_t offset = va.value() % kIoOwnBytes;
  const PageRight right = own.right(offset / kPageSize);
  const bool mapped = right != PageRight::kAbsent;
  if (!oracle().CheckThat(worker(), place, mapped == frame.has_value(), [&] {
        return std::string(mapped ? "is not there" : "is there, though it was unmapped");
      })) {
    return;
  }
  if (!frame) return;
  (void)own.Look(offset, Bytes(before_).first(kPageSize));
  const MemoryIo io({stream_.machine().frames().Data(*frame), kPageSize});
  const absl::Status status = io.ReadBytes(0, page_);
  oracle().CheckThat(worker(), place, status.ok(), [&] { return status.ToString(); });
  oracle().CheckBytes(worker(), place, Bytes(before_).first(kPageSize), page_);
}

absl::Status MemoryActor::Resolve(VirtAddr va, Access access) {
  const VirtRange page = PageOf(va);
  const SpaceRef& space = *resolving_;
  std::optional<USegment> frames = stream_.Allocate(1);
  if (!frames) {
    out_of_frames_ = true;
    return absl::ResourceExhaustedError("no frame for the page");
  }
  OwnPages* const own = Own({.space = kIoHandlerSpace, .range = page});
  if (own != nullptr) own->BeginChange();
  absl::Status status;
  {
    RecordedCursor cursor(stream_, space);
    status = cursor.Open({.range = page});
    absl::StatusOr<QueryResult> found = status.ok() ? cursor.Query() : status;
    status = found.status();
    if (status.ok() && found->item) {
      // Somebody was faster, or it is about a right.
      const bool allowed =
          access != Access::kWrite || HasAll(found->item->property.flags, PageFlags::kWrite);
      if (!allowed) status = absl::PermissionDeniedError("nobody gives the right");
    } else if (status.ok()) {
      const std::span<const std::byte> content = Fill(*frames, space.id, page.start);
      status = cursor.Map(MappedFrames(*std::move(frames), kReadWriteUser));
      if (status.ok()) {
        ++stream_.stats().resolved;
        if (own != nullptr) {
          own->Mapped(page.start.value() % kIoOwnBytes / kPageSize, PageRight::kWrite, content);
        }
      }
    }
  }
  if (own != nullptr) own->EndChange();
  if (absl::IsResourceExhausted(status)) {
    out_of_frames_ = true;
    stream_.Relieve();
  }
  return status;
}

bool MemoryActor::Judgeable(const MemoryPlace& place, const MemoryTransfer& done) {
  oracle().CheckThat(worker(), place, done.cursors_agree, [&] {
    return absl::StrCat("says that it did ", done.bytes.value_or(0),
                        " bytes, but its reader or writer stands elsewhere");
  });
  switch (done.status.code()) {
    case absl::StatusCode::kOk:
      return true;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
      ++stream_.stats().faults;
      return true;
    case absl::StatusCode::kFailedPrecondition:
      // Somebody reads or writes there, in the space where that is in the way.
      if (place.space == stream_.Space(kIoViewSpace).id) {
        ++stream_.stats().refused_views;
        return false;
      }
      break;
    case absl::StatusCode::kAborted:
      // Others unmapped the page each time that it was mapped.
      if (resolving_ != nullptr && MemoryGround::IsShared(place.va)) return true;
      break;
    case absl::StatusCode::kResourceExhausted:
      if (out_of_frames_) return true;
      break;
    default:
      break;
  }
  oracle().CheckThat(worker(), place, false,
                     [&] { return absl::StrCat("failed with ", done.status.ToString()); });
  return false;
}

void MemoryActor::CheckEnd(const MemoryPlace& place, MemoryEnd expected,
                           const MemoryTransfer& done) {
  // Without a frame the fault stays, whatever it was.
  if (out_of_frames_ && expected.code != absl::StatusCode::kOk) {
    expected.code = done.status.code();
  }
  oracle().CheckEnd(worker(), place, expected,
                    {done.bytes.value_or(expected.bytes), done.status.code()});
}

void MemoryActor::Read(const ReadMemoryOp& op, const SpaceRef& space) {
  OwnPages* const own =
      stream_.world().ground().Own(op.space, VirtRange{op.va, op.va.Plus(op.bytes)});
  if (own == nullptr && !MemoryGround::IsShared(op.va)) return;
  stream_.Activate(space);
  stream_.Starts<ReadMemoryOp>(space.id, VirtRange{op.va, op.va.Plus(op.bytes)});
  stream_.StartLap();
  if (own != nullptr) return ReadOwn(op, space, *own);
  ReadShared(op, space);
}

void MemoryActor::ReadOwn(const ReadMemoryOp& op, const SpaceRef& space, OwnPages& own) {
  constexpr std::byte kUntouched{0xee};
  const MemoryPlace place = Place("a read", space, op.va);
  const uint64_t offset = op.va.value() % kIoOwnBytes;
  const bool owner = MemoryGround::OwnerOf(op.va) == stream_.index();
  USegment& buffer = stream_.world().ground().Buffer(stream_.index());
  std::memset(buffer.Data(), static_cast<int>(kUntouched), op.bytes);
  const OwnPages::Snapshot first = own.Look(offset, Bytes(before_).first(op.bytes));
  // It may have changed under the look; then nothing is known of what stood there.
  const bool known = first.quiet() && own.changes() == first.changes;
  MemoryTransfer done;
  {
    const Faults faults(*this, owner ? op.on_fault : OnFault::kEnd, space);
    done = ReadMemory(*space.space, stream_.pin(), op, buffer);
    stream_.Lap<ReadMemoryOp>();
    if (!Judgeable(place, done)) return;
  }
  const uint64_t changes = own.changes();
  const std::span<const std::byte> read(buffer.Data(), op.bytes);
  // Its own stream knows what the pages hold now, whatever its page faults have mapped.
  if (owner || (known && changes == first.changes)) {
    const OwnPages::Snapshot now = owner ? own.Look(offset, Bytes(before_).first(op.bytes)) : first;
    const MemoryEnd end = now.End(offset, op.bytes, Access::kRead);
    CheckEnd(place, end, done);
    ++stream_.stats().ordered_reads;
    // A value that is not there is not written half into the buffer.
    const bool whole = op.way == IoWay::kCopy || op.way == IoWay::kPair || op.way == IoWay::kBytes;
    const uint64_t good = whole || done.status.ok() ? end.bytes : 0;
    oracle().CheckBytes(worker(), place, Bytes(before_).first(good), read.first(good));
    const auto rest = read.subspan(good);
    oracle().CheckThat(
        worker(), place,
        std::all_of(rest.begin(), rest.end(), [=](std::byte byte) { return byte == kUntouched; }),
        [&] { return absl::StrCat("touched what lies behind byte ", good); });
    return;
  }
  const OwnPages::Snapshot last = own.Look(offset, Bytes(after_).first(op.bytes));
  if (!known || last.changes != first.changes + 2 || own.changes() != last.changes) return;
  ++stream_.stats().concurrent_reads;
  const uint64_t good = done.status.ok() ? op.bytes : done.bytes.value_or(0);
  oracle().CheckOneOf(worker(), place, Bytes(before_).first(good), Bytes(after_).first(good),
                      read.first(good));
}

void MemoryActor::ReadShared(const ReadMemoryOp& op, const SpaceRef& space) {
  const MemoryPlace place = Place("a read of shared memory", space, op.va);
  USegment& buffer = stream_.world().ground().Buffer(stream_.index());
  MemoryTransfer done;
  {
    const Faults faults(*this, op.on_fault, space);
    done = ReadMemory(*space.space, stream_.pin(), op, buffer);
    stream_.Lap<ReadMemoryOp>();
    if (!Judgeable(place, done)) return;
  }
  const uint64_t good = done.status.ok() ? op.bytes : done.bytes.value_or(0);
  ++stream_.stats().unordered_reads;
  if (!done.status.ok() && done.bytes) {
    oracle().CheckThat(worker(), place, good == 0 || op.va.Plus(good).IsAligned(kPageSize), [&] {
      return absl::StrCat("faulted after ", good, " bytes, which is no end of a page");
    });
  }
  for (uint64_t at = 0; at + sizeof(uint64_t) <= good; at += sizeof(uint64_t)) {
    const VirtAddr va = op.va.Plus(at);
    const uint64_t word = WordAt(buffer.Data() + at);
    const MemoryPlace where = Place("a read of a shared word", space, va);
    if (va.IsAligned(kPageSize)) {
      oracle().CheckThat(worker(), where, word == MakeStamp(space.id, va),
                         [&] { return absl::StrCat("found a page that ", DescribeStamp(word)); });
    } else if (op.way == IoWay::kOnce) {
      const std::optional<WordSource> source = SourceOf(space.id, va, word);
      oracle().CheckThat(worker(), where, source && stream_.world().ground().WasWritten(*source),
                         [&] {
                           return source ? absl::StrFormat(
                                               "found write %d of stream %d, which has "
                                               "not done so many",
                                               source->sequence, source->writer)
                                         : absl::StrFormat("found %#x, which nobody wrote", word);
                         });
    } else {
      oracle().CheckThat(worker(), where, word >> 48 == WordTag(space.id, va), [&] {
        return absl::StrFormat("found %#x, which is of another address", word);
      });
    }
  }
}

void MemoryActor::MakeContent(const WriteMemoryOp& op, uint32_t space, Bytes content) {
  const uint64_t number = stream_.world().ground().NextSequence(stream_.index());
  const uint64_t seed = uint64_t{stream_.index()} << 48 ^ number << 16;
  for (uint64_t at = 0; at < content.size(); at += sizeof(uint64_t)) {
    // What Fill repeats.
    const uint64_t word = MixBits(seed + (op.way == IoWay::kCollect ? 0 : at));
    std::memcpy(content.data() + at, &word, std::min(sizeof(word), content.size() - at));
  }
  PutStamps(space, op.va, content);
}

void MemoryActor::Write(const WriteMemoryOp& op, const SpaceRef& space) {
  OwnPages* const own = Own({.space = op.space, .range = VirtRange{op.va, op.va.Plus(op.bytes)}});
  if (own == nullptr && !MemoryGround::IsShared(op.va)) return;
  stream_.Activate(space);
  stream_.Starts<WriteMemoryOp>(space.id, VirtRange{op.va, op.va.Plus(op.bytes)});
  stream_.StartLap();
  if (own != nullptr) return WriteOwn(op, space, *own);
  WriteShared(op, space);
}

void MemoryActor::WriteOwn(const WriteMemoryOp& op, const SpaceRef& space, OwnPages& own) {
  const MemoryPlace place = Place("a write", space, op.va);
  const uint64_t offset = op.va.value() % kIoOwnBytes;
  USegment& buffer = stream_.world().ground().Buffer(stream_.index());
  const Bytes content(buffer.Data(), op.bytes);
  MakeContent(op, space.id, content);
  own.BeginChange();
  MemoryTransfer done;
  bool judgeable = false;
  {
    const Faults faults(*this, op.on_fault, space);
    done = WriteMemory(*space.space, stream_.pin(), op, buffer);
    stream_.Lap<WriteMemoryOp>();
    judgeable = Judgeable(place, done);
  }
  if (judgeable) {
    const OwnPages::Snapshot now = own.Look(offset, {});
    const MemoryEnd end = now.End(offset, op.bytes, Access::kWrite);
    CheckEnd(place, end, done);
    own.Wrote(offset, content.first(end.bytes));
    if (MemoryTamper* const tamper = stream_.world().options().tamper) {
      tamper->AfterWrite(*space.space, stream_.pin(), op.va, end.bytes);
    }
  }
  own.EndChange();
}

void MemoryActor::WriteShared(const WriteMemoryOp& op, const SpaceRef& space) {
  const MemoryPlace place = Place("a write of a shared word", space, op.va);
  MemoryGround& ground = stream_.world().ground();
  const WordSource source{stream_.index(), ground.NextSequence(stream_.index())};
  USegment& buffer = ground.Buffer(stream_.index());
  const absl::Status put =
      MemoryIo(buffer).WriteOnce<uint64_t>(0, MakeWord(space.id, op.va, source));
  oracle().CheckThat(worker(), place, put.ok(), [&] { return put.ToString(); });
  const Faults faults(*this, op.on_fault, space);
  const MemoryTransfer done = WriteMemory(*space.space, stream_.pin(), op, buffer);
  stream_.Lap<WriteMemoryOp>();
  if (!Judgeable(place, done) || !done.status.ok()) return;
  if (MemoryTamper* const tamper = stream_.world().options().tamper) {
    tamper->AfterWrite(*space.space, stream_.pin(), op.va, op.bytes);
  }
}

}  // namespace paddock

// SPDX-License-Identifier: Apache-2.0
//
// What a stream does with kernel areas, and how it is judged.
//
//   AreaActor areas(stream);
//   areas.Create(op);
//   areas.Access(op);      // through the CPU's TLB: it must reach the frame that this area maps
//
// Each frame is stamped with its area and its place there, so an access through an address that
// another area had before, and whose translation this CPU should have forgotten, is seen: it
// reaches a frame of the other area. Unmapped pages of an area must not be reachable at all.
//
// Thread safety: that of the stream. Failure: a full window is counted; what is not documented is
// reported. Cost: a load takes no lock.

#ifndef PADDOCK_STRESS_AREA_ACTOR_H_
#define PADDOCK_STRESS_AREA_ACTOR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/stress/kernel_areas.h"
#include "paddock/stress/ops.h"
#include "paddock/stress/stream.h"

namespace paddock {

class AreaActor {
 public:
  explicit AreaActor(Stream& stream) : stream_(stream), areas_(stream.world().areas()) {}
  AreaActor(const AreaActor&) = delete;
  AreaActor& operator=(const AreaActor&) = delete;

  // Each does nothing if the slot is busy, or not as the operation needs it.
  void Create(const CreateAreaOp& op);
  void Destroy(const DestroyAreaOp& op);
  void Split(const SplitAreaOp& op);
  void Query(const QueryAreaOp& op);
  void Access(const AccessAreaOp& op);
  void Flush();
  void Check();

 private:
  absl::StatusOr<KVirtArea> Map(const CreateAreaOp& op, AreaFacts& facts);
  absl::StatusOr<KVirtArea> MapSingleFrames(const CreateAreaOp& op, const AreaFacts& facts);
  absl::StatusOr<KVirtArea> MapSegment(const CreateAreaOp& op, const AreaFacts& facts);
  // Stamps the frames of an area, before it is mapped: `index` is their place in it.
  void StampFrames(const AreaFacts& facts, const USegment& frames, uint64_t index);
  void Remember(const AreaFacts& facts, FrameRun run, uint64_t index);
  // `result` is of an access while the area was what `facts` say.
  void Judge(const AreaFacts& facts, uint64_t page, AccessKind kind,
             const absl::StatusOr<AccessResult>& result);
  void Report(const AreaFacts& facts, uint64_t page, std::string_view what);
  // Counts what found no memory or addresses; reports what is not documented.
  void Failed(std::string_view what, VirtRange range, const absl::Status& status);

  Stream& stream_;
  KernelAreas& areas_;
  std::vector<FrameRun> runs_;  // those of the area that is being created
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_AREA_ACTOR_H_

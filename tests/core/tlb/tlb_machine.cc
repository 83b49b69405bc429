// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/core/tlb/tlb_machine.h"

#include <utility>

#include "gtest/gtest.h"
#include "paddock/core/frame/untyped.h"

namespace paddock {

TlbMachine::TlbMachine(uint32_t cpus, const TlbSystem::Options& options,
                       ShootdownTransport* transport)
    : cpus_(cpus), rcu_(cpus_), bus_(cpus_) {
  memory_ = PhysicalMemory::Anonymous(uint64_t{16} << 20).value();
  frames_ = FrameTable::Create(*memory_, cpus_).value();
  tlb_ = std::make_unique<TlbSystem>(cpus_, rcu_, bus_, *frames_, options, transport);
}

PhysAddr TlbMachine::NewFrame() {
  return frames_->Allocate(Untyped{}, Zeroing::kLeave).value().IntoRaw();
}

FrameRun TlbMachine::NewFrames(uint64_t pages) {
  USegment segment = frames_->AllocateSegment(pages, 1, Untyped{}, Zeroing::kLeave).value();
  return std::move(segment).IntoRaw();
}

bool TlbMachine::InUse(PhysAddr frame) {
  return frames_->slot(frame).ref_count.load(sync::seq_cst) != kRefUnused;
}

uint32_t TlbMachine::Generation(PhysAddr frame) {
  return frames_->slot(frame).generation.load(sync::seq_cst);
}

TlbEntry TlbMachine::Entry(VirtAddr page, PhysAddr frame, PageProperty property, uint64_t bytes) {
  return TlbEntry{page, bytes, frame, property, Generation(frame)};
}

void TlbMachine::PassGracePeriods(const CpuPin& pin) { rcu_.Drain(pin); }

TestCpu::TestCpu(TlbMachine& machine, uint32_t cpu)
    : machine_(machine), cpu_{cpu}, thread_([this] { Body(); }) {}

TestCpu::~TestCpu() {
  Finish();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void TestCpu::Start(Step step) {
  Finish();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    step_ = std::move(step);
    busy_ = true;
  }
  changed_.notify_all();
}

void TestCpu::Finish() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return !busy_; });
}

void TestCpu::Poll() {
  Run([this](const CpuPin& pin) { machine_.bus().Poll(pin); });
}

void TestCpu::GoIdle() {
  Finish();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    unpin_ = true;
    busy_ = true;
  }
  changed_.notify_all();
  Finish();
}

void TestCpu::Body() {
  std::optional<CpuPin> pin;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return busy_ || stop_; });
    if (stop_) break;
    const Step step = std::exchange(step_, nullptr);
    const bool unpin = std::exchange(unpin_, false);
    lock.unlock();
    if (unpin) pin.reset();
    if (step) {
      if (!pin) pin.emplace(machine_.cpus().Pin(cpu_).value());
      step(*pin);
    }
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
  lock.unlock();
  if (!pin) pin.emplace(machine_.cpus().Pin(cpu_).value());
  machine_.tlb().Deactivate(*pin);
}

}  // namespace paddock

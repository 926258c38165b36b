#pragma once
// How often the host waits for a GPU: each read from the device, and each copy that is not queued, drains its work.

#include <c10/util/Exception.h>

#include <cstdint>

namespace moe::cuda {

/// Counts for as long as it lives what LibTorch reports as a wait; our own code never waits by itself. In a build with
/// CUDA alone, and not for two at once.
class HostWaits : private c10::WarningHandler {
 public:
  HostWaits();
  HostWaits(const HostWaits&) = delete;
  HostWaits& operator=(const HostWaits&) = delete;
  ~HostWaits() override;

  std::int64_t count() const { return count_; }

 private:
  void process(const c10::Warning& warning) override;

  c10::WarningHandler* before_;
  std::int64_t count_ = 0;
};

}  // namespace moe::cuda

#pragma once
// Tensors of a GPU from rank to rank, without the host's memory.

#include "parallel/ledger.h"

#include <c10/core/Device.h>

#include <vector>

namespace at {
class Tensor;
}

namespace moe {

class DeviceTransport {
 public:
  DeviceTransport() = default;
  virtual ~DeviceTransport() = default;
  DeviceTransport(const DeviceTransport&) = delete;
  DeviceTransport& operator=(const DeviceTransport&) = delete;

  /// Whose tensors it carries.
  virtual c10::Device device() const = 0;

  /// Sends send[r] to each rank r, this one too, and fills receive[r], of just that length, with what rank r sends
  /// here. Contiguous tensors of the device; work that is queued on its current stream writes and reads them. Throws
  /// CollectiveError when not all of it has come before the deadline.
  virtual void all_to_all(const LedgerEntry& call, const std::vector<at::Tensor>& send,
                          const std::vector<at::Tensor>& receive, double deadline_seconds) = 0;
};

}  // namespace moe

#pragma once
// Where work is done: on which device, and by which ranks.

#include "parallel/communicator.h"

#include <c10/core/Device.h>

namespace moe {

/// A device of this process, and the ranks that share the work with it: by default none. Made from a device alone
/// wherever that is given.
struct ExecutionContext {
  // NOLINTBEGIN(google-explicit-constructor): a device is where work is done
  ExecutionContext(c10::Device on, Communicator& shared_by = one_rank()) : device(on), ranks(shared_by) {}
  ExecutionContext(c10::DeviceType on) : ExecutionContext(c10::Device(on)) {}
  // NOLINTEND(google-explicit-constructor)

  c10::Device device;
  Communicator& ranks;
};

}  // namespace moe

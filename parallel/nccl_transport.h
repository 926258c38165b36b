#pragma once
// Ranks that have a GPU each: NCCL carries their tensors, and the host's communicator everything else.

#include "parallel/communicator.h"
#include "parallel/nccl_api.h"

#include <c10/core/Device.h>

#include <functional>

namespace moe {

/// From now on tensors of the device go from rank to rank by NCCL. Called by all ranks alike, each with a device of its
/// own; connections are made when it returns. Throws on all ranks: Error (machine_failed) where one has no NCCL; on
/// ranks that see it: CollectiveError where NCCL does not start. A rank that waits for others by NCCL does not answer
/// those that wait elsewhere.
void use_nccl(Communicator& ranks, c10::Device device, const std::function<nccl::Api()>& load = nccl::load);

}  // namespace moe

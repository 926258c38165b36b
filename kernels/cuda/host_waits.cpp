#include "kernels/cuda/host_waits.h"

#include <c10/cuda/CUDAFunctions.h>

#include <string_view>

namespace moe::cuda {

HostWaits::HostWaits() : before_(c10::WarningUtils::get_warning_handler()) {
  c10::WarningUtils::set_warning_handler(this);
  c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_WARN);
}

HostWaits::~HostWaits() {
  c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
  c10::WarningUtils::set_warning_handler(before_);
}

void HostWaits::process(const c10::Warning& warning) {
  if (std::string_view(warning.msg()).find("synchronizing CUDA operation") != std::string_view::npos) {
    ++count_;
  } else {
    before_->process(warning);
  }
}

}  // namespace moe::cuda

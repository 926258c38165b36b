#pragma once
// Autocast to bfloat16 for as long as the object lives.

#include <ATen/autocast_mode.h>

namespace moe {

class Autocast {
 public:
  Autocast(torch::Device device, bool enabled)
      : device_(device.type()), was_enabled_(at::autocast::is_autocast_enabled(device_)) {
    if (enabled) at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::set_autocast_enabled(device_, enabled);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;
  ~Autocast() {
    at::autocast::clear_cache();  // the cached copies are of weights that the next step changes
    at::autocast::set_autocast_enabled(device_, was_enabled_);
  }

 private:
  at::DeviceType device_;
  bool was_enabled_;
};

}  // namespace moe

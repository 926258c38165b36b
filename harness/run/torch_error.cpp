#include "harness/run/torch_error.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace moe {

bool is_out_of_memory(const c10::Error& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) ||
         std::strstr(error.what_without_backtrace(), "can't allocate memory");
}

bool is_device_loss(const c10::Error& error) {
  // Of cudaError_t: DevicesUnavailable, NoDevice, InvalidDevice, ECCUncorrectable, NvlinkUncorrectable.
  constexpr std::array losses = {46, 100, 101, 214, 220};
  const auto* const device_error = dynamic_cast<const c10::AcceleratorError*>(&error);
  return device_error != nullptr &&
         std::find(losses.begin(), losses.end(), device_error->get_error_code()) != losses.end();
}

std::string sentence_of(const c10::Error& error) {
  std::string text = error.what_without_backtrace();
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.erase(text.find_last_not_of(' ') + 1);
  return "LibTorch: " + text + (text.ends_with('.') ? "" : ".");
}

}  // namespace moe

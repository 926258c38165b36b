#include "harness/run/torch_error.h"

#include <algorithm>
#include <cstring>

namespace moe {

bool is_out_of_memory(const c10::Error& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) ||
         std::strstr(error.what_without_backtrace(), "can't allocate memory");
}

std::string sentence_of(const c10::Error& error) {
  std::string text = error.what_without_backtrace();
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.erase(text.find_last_not_of(' ') + 1);
  return "LibTorch: " + text + (text.ends_with('.') ? "" : ".");
}

}  // namespace moe

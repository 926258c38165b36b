#pragma once
// How many threads share LibTorch's operations and ours.

#include <ATen/Parallel.h>

namespace moe {

/// So many of them until the end of the scope, also where a check ends it.
class WithThreads {
 public:
  explicit WithThreads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~WithThreads() { at::set_num_threads(before_); }
  WithThreads(const WithThreads&) = delete;
  WithThreads& operator=(const WithThreads&) = delete;

 private:
  int before_;
};

}  // namespace moe

#pragma once
// A thread tied to one processor, as by taskset.

#include <sched.h>

#include <cerrno>
#include <system_error>

namespace moe {

/// The calling thread, and the processes that it starts, run on one processor while this lives.
class OneProcessor {
 public:
  OneProcessor() {
    if (sched_getaffinity(0, sizeof(before_), &before_) != 0) fail("sched_getaffinity");
    int first = 0;
    while (!CPU_ISSET(first, &before_)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0) fail("sched_setaffinity");
  }
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;
  ~OneProcessor() { sched_setaffinity(0, sizeof(before_), &before_); }

 private:
  static void fail(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

  cpu_set_t before_{};
};

}  // namespace moe

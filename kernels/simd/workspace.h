#pragma once
// Memory that a thread keeps from call to call.

#include <cstdint>
#include <memory>
#include <new>

namespace moe {

/// Floats without values, aligned to cache lines.
class Workspace {
 public:
  float* reserve(std::int64_t floats) {
    if (floats > size_) {
      memory_.reset(static_cast<float*>(::operator new(static_cast<std::size_t>(floats) * sizeof(float), line)));
      size_ = floats;
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t line{64};
  struct Free {
    void operator()(float* memory) const { ::operator delete(memory, line); }
  };
  std::unique_ptr<float[], Free> memory_;
  std::int64_t size_ = 0;
};

}  // namespace moe

#pragma once
// Memory that a thread keeps from call to call.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace moe {

/// Scalars without values, aligned to cache lines.
class Workspace {
 public:
  template <class Scalar = float>
  Scalar* reserve(std::int64_t count) {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(Scalar);
    if (bytes > bytes_) {
      memory_.reset(static_cast<std::byte*>(::operator new(bytes, line)));
      bytes_ = bytes;
    }
    return reinterpret_cast<Scalar*>(memory_.get());
  }

 private:
  static constexpr std::align_val_t line{64};
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, line); }
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace moe

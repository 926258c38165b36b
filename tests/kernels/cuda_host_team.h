#pragma once
// Bodies of CUDA kernels on the host: teams whose members work one after the other, and add up in the order of
// DeviceTeam (kernels/cuda/team.h).

#include "kernels/cuda/team.h"

#include <array>
#include <cstdint>

namespace moe::cuda {

template <int size>
class HostTeam {
 public:
  static constexpr int members = size;

  template <class Work>
  void each(std::int64_t count, Work work) const {
    for (std::int64_t i = 0; i < count; ++i) work(i);
  }
  template <class Result, class Value>
  Result sum(std::int64_t count, Value value) const {
    std::array<Result, size> own{};
    for (std::int64_t i = 0; i < count; ++i) own[static_cast<std::size_t>(i % size)] += value(i);
    return joined(own, [](Result& a, const Result& b) { a += b; });
  }
  template <class T, class Value>
  T largest(std::int64_t count, T least, Value value) const {
    T largest = least;
    for (std::int64_t i = 0; i < count; ++i) {
      if (value(i) > largest) largest = value(i);
    }
    return largest;
  }
  template <class T, int count, int place>
  T* shared() const {
    static std::array<T, count> memory;
    return memory.data();
  }
  template <class Work>
  void once(Work work) const {
    work();
  }
  void wait() const {}

 private:
  template <class Result, class Join>
  static Result joined(std::array<Result, size> own, Join join) {
    for (std::size_t distance = warp_size / 2; distance > 0; distance /= 2) {
      const std::array<Result, size> before = own;
      for (std::size_t r = 0; r < own.size(); ++r) join(own[r], before[r ^ distance]);
    }
    Result all = own[0];
    for (std::size_t w = warp_size; w < own.size(); w += warp_size) join(all, own[w]);
    return all;
  }
};

/// As run_threads, run_warps and run_blocks of kernels/cuda/run.cuh: over the grid, with its own indices.
template <class Body>
void host_threads(std::int64_t elements, const Body& body) {
  for (std::int64_t block = 0; block < blocks_of_threads(elements); ++block) {
    for (int thread = 0; thread < block_threads; ++thread) {
      if (element_of(block, thread) < elements) body(element_of(block, thread));
    }
  }
}
template <class Body>
void host_warps(std::int64_t rows, const Body& body) {
  for (std::int64_t row = 0; row < rows; ++row) body(HostTeam<warp_size>(), row);
}
template <class Body>
void host_blocks(std::int64_t rows, const Body& body) {
  for (std::int64_t row = 0; row < rows; ++row) body(HostTeam<block_threads>(), row);
}

}  // namespace moe::cuda

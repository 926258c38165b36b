#pragma once
// Threads that work on one row: a warp, or a block of warps. A body written for a team runs on the host with HostTeam
// of the tests (tests/kernels/cuda_host_team.h), which adds up in the same order.
//
// Member r of a team takes elements r, r + size, r + 2 size, ... and adds up its own; members of a warp are added
// pairwise, at distances 16, 8, 4, 2, 1, and warps one after the other. The order depends on nothing else.

#include "kernels/cuda/launch.h"

#include <cstdint>

namespace moe::cuda {

/// Sums that are taken in one pass.
template <class T, int count>
struct Sums {
  T of[count];

  MOE_DEVICE void operator+=(const Sums& other) {
    for (int i = 0; i < count; ++i) of[i] += other.of[i];
  }
};

/// Adds to a counter that other threads add to, and returns what it was. Integers alone: their sums have no order.
MOE_DEVICE inline std::int32_t fetch_add(std::int32_t* counter, std::int32_t value) {
#ifdef __CUDA_ARCH__
  return atomicAdd(counter, value);
#else
  const std::int32_t before = *counter;
  *counter += value;
  return before;
#endif
}

#ifdef __CUDACC__

/// `size` threads: warp_size of them or a whole block.
template <int size>
class DeviceTeam {
 public:
  static constexpr int members = size;

  /// Calls work(i) for all i below `count`.
  template <class Work>
  __device__ void each(std::int64_t count, Work work) const {
    for (std::int64_t i = rank(); i < count; i += size) work(i);
  }

  /// The sum of value(i), a Sums, in every thread.
  template <class Result, class Value>
  __device__ Result sum(std::int64_t count, Value value) const {
    Result own{};
    for (std::int64_t i = rank(); i < count; i += size) own += value(i);
    return joined(own, [](auto& a, auto b) { a += b; });
  }

  /// The largest value(i), at least `least`, in every thread.
  template <class T, class Value>
  __device__ T largest(std::int64_t count, T least, Value value) const {
    Sums<T, 1> own{{least}};
    for (std::int64_t i = rank(); i < count; i += size) {
      const T other = value(i);
      if (other > own.of[0]) own.of[0] = other;
    }
    return joined(own, [](auto& a, auto b) { a = b > a ? b : a; }).of[0];
  }

  /// Memory of the team: `count` numbers that the kernel has once for each `place`.
  template <class T, int count, int place>
  __device__ T* shared() const {
    static_assert(size > warp_size, "of a block, which has one team");
    __shared__ T memory[count];
    return memory;
  }

  /// Calls work() in one thread.
  template <class Work>
  __device__ void once(Work work) const {
    if (rank() == 0) work();
  }

  /// What was written to shared or global memory before is seen by the whole team after.
  __device__ void wait() const {
    if constexpr (size == warp_size) {
      __syncwarp();
    } else {
      __syncthreads();
    }
  }

 private:
  __device__ static int rank() { return static_cast<int>(threadIdx.x) % size; }

  template <class T, int count, class Join>
  __device__ static Sums<T, count> joined(Sums<T, count> own, Join join) {
    for (int distance = warp_size / 2; distance > 0; distance /= 2) {
      MOE_UNROLL
      for (int i = 0; i < count; ++i) join(own.of[i], __shfl_xor_sync(0xffffffffU, own.of[i], distance));
    }
    if constexpr (size > warp_size) {
      __shared__ Sums<T, count> of_warp[size / warp_size];
      __syncthreads();  // whoever still reads the last result
      if (rank() % warp_size == 0) of_warp[rank() / warp_size] = own;
      __syncthreads();
      own = of_warp[0];
      for (int w = 1; w < size / warp_size; ++w) {
        MOE_UNROLL
        for (int i = 0; i < count; ++i) join(own.of[i], of_warp[w].of[i]);
      }
    }
    return own;
  }
};

#endif

}  // namespace moe::cuda

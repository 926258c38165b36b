#pragma once
// How work is laid out on a GPU: pure functions, so that a test on the host sees that every element is computed once.
// Bodies of kernels are structs whose operator() works on one element, or on one row together with a team of threads
// (team.h). nvcc compiles them for the device, and the tests compile the same body for the host.

#include <cstdint>

#ifdef __CUDACC__
#define MOE_DEVICE __device__
#define MOE_HOST_DEVICE __host__ __device__
#define MOE_UNROLL _Pragma("unroll")
#else
#define MOE_DEVICE
#define MOE_HOST_DEVICE
#define MOE_UNROLL
#endif

struct CUstream_st;

namespace moe::cuda {

using Stream = CUstream_st*;  ///< cudaStream_t, without its header

inline constexpr int warp_size = 32;
inline constexpr int block_threads = 256;
inline constexpr int block_warps = block_threads / warp_size;

MOE_HOST_DEVICE constexpr std::int64_t divided_up(std::int64_t count, std::int64_t divisor) {
  return (count + divisor - 1) / divisor;
}

/// Blocks of block_threads threads.
constexpr std::int64_t blocks_of_threads(std::int64_t elements) {
  return divided_up(elements, block_threads);
}
/// Which element a thread takes; none where it is not below their number.
MOE_HOST_DEVICE constexpr std::int64_t element_of(std::int64_t block, int thread) {
  return block * block_threads + thread;
}

/// Blocks of block_warps warps, each of which takes a row.
constexpr std::int64_t blocks_of_warps(std::int64_t rows) {
  return divided_up(rows, block_warps);
}
MOE_HOST_DEVICE constexpr std::int64_t row_of(std::int64_t block, int thread) {
  return block * block_warps + thread / warp_size;
}

/// Throws Error (machine_failed) when the kernel that was launched last could not start.
void check_launch(const char* kernel);

}  // namespace moe::cuda

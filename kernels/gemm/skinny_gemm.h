#pragma once
// Products of very few rows with the rows of a weight, which are read once, as they lie. Without them a layer of 256
// experts with 8 tokens each (bench_moe_layer, `switch`) took 1.60 times as long to train in fp32 and 1.18 times in
// bf16, its inference 2.7 and 1.8 times: medians of five rounds in turns on an AMD EPYC with AVX512_BF16.

#include <torch/types.h>

#include <cstdint>

namespace moe {

inline constexpr std::int64_t most_skinny_rows = 16;

/// A product a w^T + bias of contiguous matrices. Scalar: float or c10::BFloat16, computed in float32.
template <class Scalar>
struct SkinnyGemm {
  const float* a = nullptr;  ///< [rows, depth]
  std::int64_t rows = 0;     ///< 1 to most_skinny_rows
  std::int64_t depth = 0;
  const Scalar* w = nullptr;  ///< [columns, depth]
  std::int64_t columns = 0;
  const Scalar* bias = nullptr;  ///< [columns]
  bool relu = false;
};

/// Whether skinny_gemm takes a weight of this size, and its transpose: multiples of 16, with AVX2 or better.
bool has_skinny_gemm(std::int64_t columns, std::int64_t depth);

/// c: [rows, columns], in the calling thread.
template <class Scalar>
void skinny_gemm(const SkinnyGemm<Scalar>& product, float* c);

}  // namespace moe

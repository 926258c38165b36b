#include "kernels/attention/cached_attention.h"

#include "kernels/simd/vector_math.h"
#include "kernels/simd/workspace.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <cmath>
#include <limits>

// Legend: R rows, C rows of the cache, P positions, D width, H heads, d width of a head.

namespace moe {
namespace {

struct StepShape {
  std::int64_t positions, heads, head_width, row_stride;  ///< row_stride: from a row of the cache to the next
};

/// One row: scores of all heads, softmax, weighted sum. `score`: workspace for positions floats a head.
MOE_VECTOR_CLONES void attend_row(const StepShape& shape, const float* query, const float* key, const float* value,
                                  const std::int64_t* origin, float* score, float* out) {
  const std::int64_t P = shape.positions, d = shape.head_width, width = shape.heads * d;
  const float scale = 1.0F / std::sqrt(static_cast<float>(d));
  for (std::int64_t p = 0; p < P; ++p) {
    const float* k = key + origin[p] * shape.row_stride + p * width;
    for (std::int64_t h = 0; h < shape.heads; ++h) {
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t i = 0; i < d; ++i) sum += query[h * d + i] * k[h * d + i];
      score[h * P + p] = sum * scale;
    }
  }
  for (std::int64_t h = 0; h < shape.heads; ++h) {
    float* row = score + h * P;
    float maximum = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : maximum)
    for (std::int64_t p = 0; p < P; ++p) maximum = row[p] > maximum ? row[p] : maximum;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t p = 0; p < P; ++p) {
      row[p] = exp_nonpositive(row[p] - maximum);
      sum += row[p];
    }
#pragma omp simd
    for (std::int64_t p = 0; p < P; ++p) row[p] /= sum;
  }
  for (std::int64_t i = 0; i < width; ++i) out[i] = 0;
  for (std::int64_t p = 0; p < P; ++p) {
    const float* v = value + origin[p] * shape.row_stride + p * width;
    for (std::int64_t h = 0; h < shape.heads; ++h) {
      const float weight = score[h * P + p];
#pragma omp simd
      for (std::int64_t i = 0; i < d; ++i) out[h * d + i] += weight * v[h * d + i];
    }
  }
}

/// The same in tensor operations, for other types and devices.
torch::Tensor attention_step_by_tensors(const torch::Tensor& query_RD, const torch::Tensor& key_CPD,
                                        const torch::Tensor& value_CPD, const torch::Tensor& origin_RP,
                                        std::int64_t positions, std::int64_t heads) {
  const std::int64_t rows = query_RD.size(0), width = query_RD.size(1);
  const torch::Tensor index_RP =
      origin_RP.narrow(1, 0, positions) * key_CPD.size(1) + torch::arange(positions, origin_RP.options());
  const auto gather = [&](const torch::Tensor& cache) {
    const torch::Tensor rows_of_all = cache.view({-1, width}).index_select(0, index_RP.flatten());
    return rows_of_all.view({rows, positions, heads, width / heads}).transpose(1, 2);
  };
  const torch::Tensor query_RH1d = query_RD.reshape({rows, heads, 1, width / heads});
  return at::scaled_dot_product_attention(query_RH1d, gather(key_CPD), gather(value_CPD)).reshape({rows, width});
}

}  // namespace

torch::Tensor cached_attention(const torch::Tensor& query_RD, const torch::Tensor& key_CPD,
                               const torch::Tensor& value_CPD, const torch::Tensor& origin_RP, std::int64_t positions,
                               std::int64_t heads) {
  if (!query_RD.is_cpu() || query_RD.scalar_type() != torch::kFloat32 || key_CPD.scalar_type() != torch::kFloat32) {
    return attention_step_by_tensors(query_RD, key_CPD, value_CPD, origin_RP, positions, heads);
  }
  const std::int64_t rows = query_RD.size(0), width = query_RD.size(1);
  const StepShape shape{positions, heads, width / heads, key_CPD.size(1) * width};
  torch::Tensor out_RD = torch::empty({rows, width}, query_RD.options());
  const float* query = query_RD.const_data_ptr<float>();
  const float *key = key_CPD.const_data_ptr<float>(), *value = value_CPD.const_data_ptr<float>();
  const auto* origin = origin_RP.const_data_ptr<std::int64_t>();
  auto* out = out_RD.mutable_data_ptr<float>();
  at::parallel_for(0, rows, 4, [&](std::int64_t begin, std::int64_t end) {
    thread_local Workspace workspace;
    float* score = workspace.reserve(positions * heads);
    for (std::int64_t r = begin; r < end; ++r) {
      attend_row(shape, query + r * query_RD.stride(0), key, value, origin + r * origin_RP.size(1), score,
                 out + r * width);
    }
  });
  return out_RD;
}

}  // namespace moe

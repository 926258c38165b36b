#include "kernels/cuda/row_ops.h"

#include "kernels/cuda/dropout.h"
#include "kernels/cuda/layer_norm.h"
#include "kernels/cuda/tensors.h"
#include "kernels/simd/scalar_type.h"

#include <torch/types.h>

namespace moe::cuda {
namespace {

using torch::Tensor;

/// Gives each row its first block, and returns how many there are.
std::int64_t number_blocks(std::vector<AdamwRow>& rows) {
  std::int64_t blocks = 0;
  for (AdamwRow& row : rows) {
    row.first_block = blocks;
    blocks += divided_up(row.count, adamw_block);
  }
  return blocks;
}

Tensor uploaded_rows(const std::vector<AdamwRow>& rows, torch::Device device) {
  return uploaded(rows.data(), rows.size() * sizeof(AdamwRow), device);
}

const AdamwRow* rows_of(const Tensor& table) {
  return static_cast<const AdamwRow*>(table.const_data_ptr());
}

}  // namespace

void normalise(const Tensor& x, const Tensor& weight_D, const Tensor& bias_D, float epsilon, Tensor& out,
               Tensor& moments_N2) {
  with_type_of(out, [&](auto scalar) {
    using Scalar = decltype(scalar);
    run(Normalise<Stored<Scalar>>{x.const_data_ptr<float>(), weight_D.const_data_ptr<float>(),
                                  bias_D.const_data_ptr<float>(), static_cast<int>(weight_D.size(0)), epsilon,
                                  written_of<Scalar>(out),
                                  reinterpret_cast<NormMoments*>(moments_N2.mutable_data_ptr<float>())},
        moments_N2.size(0), stream_of(x));
  });
}

void normalise_backward(const Tensor& x, const Tensor& moments_N2, const Tensor& weight_D, const Tensor& grad_normed,
                        const Tensor& grad_residual, Tensor& grad_x, Tensor& partial_K2D) {
  const auto* from = x.const_data_ptr<float>();
  const auto* moments = reinterpret_cast<const NormMoments*>(moments_N2.const_data_ptr<float>());
  const auto width = static_cast<int>(weight_D.size(0));
  with_type_of(grad_normed, [&](auto scalar) {
    using Scalar = decltype(scalar);
    const auto* grad = read_of<Scalar>(grad_normed);
    run(NormaliseBackward<Stored<Scalar>>{from, moments, weight_D.const_data_ptr<float>(), grad,
                                          read_of<float>(grad_residual), width, grad_x.mutable_data_ptr<float>()},
        moments_N2.size(0), stream_of(x));
    run(NormWeightGradients<Stored<Scalar>>{from, moments, grad, moments_N2.size(0), width,
                                            partial_K2D.mutable_data_ptr<float>()},
        stream_of(x));
  });
}

void drop(const Tensor& residual, const Tensor& x, const DropPart& part, Tensor& out) {
  with_type_of(x, [&](auto in) {
    with_type_of(out, [&](auto stored) {
      using In = decltype(in);
      using Out = decltype(stored);
      const auto* base = read_of<Out>(residual);
      run(DropElements<Stored<In>, Stored<Out>>{base == nullptr ? nullptr : base + part.first,
                                                read_of<In>(x) + part.first, written_of<Out>(out) + part.first,
                                                part.count, part.key, part.threshold, part.scale},
          stream_of(x));
    });
  });
}

void token_losses(Tensor& logit_PNV, const Tensor& target_N, const LossWeights& weights, bool writes_gradient,
                  Tensor& losses_3N) {
  const std::int64_t rows = logit_PNV.size(1);
  auto* losses = losses_3N.mutable_data_ptr<double>();
  with_type_of(logit_PNV, [&](auto scalar) {
    using Scalar = decltype(scalar);
    run(TokenLosses<Stored<Scalar>>{written_of<Scalar>(logit_PNV), logit_PNV.stride(0),
                                    static_cast<int>(logit_PNV.size(0)), static_cast<int>(logit_PNV.size(2)),
                                    target_N.const_data_ptr<std::int64_t>(), weights, writes_gradient, losses,
                                    losses + rows, losses + 2 * rows},
        rows, stream_of(logit_PNV));
  });
}

Tensor sums_of_rows(const Tensor& values) {
  Tensor sums = torch::empty({values.size(0)}, values.options());
  run(SumsOfRows{values.const_data_ptr<double>(), values.size(1), sums.mutable_data_ptr<double>()}, values.size(0),
      stream_of(values));
  return sums;
}

void adamw_step(std::vector<AdamwRow> rows, const AdamwSharedFactors& factors, const Tensor& like) {
  const std::int64_t blocks = number_blocks(rows);
  const Tensor table = uploaded_rows(rows, like.device());
  run(AdamwStep{rows_of(table), static_cast<int>(rows.size()), factors}, blocks, stream_of(like));
}

Tensor gradient_norm(std::vector<AdamwRow> rows, const Tensor& like) {
  const std::int64_t blocks = number_blocks(rows);
  const Tensor table = uploaded_rows(rows, like.device());
  Tensor square = torch::empty({blocks}, like.options().dtype(torch::kFloat64).requires_grad(false));
  Tensor norm = torch::empty({1}, square.options());
  run(BlockSquares{rows_of(table), static_cast<int>(rows.size()), square.mutable_data_ptr<double>()}, blocks,
      stream_of(like));
  run(NormOfSquares{square.const_data_ptr<double>(), blocks, norm.mutable_data_ptr<double>()}, stream_of(like));
  return norm;
}

}  // namespace moe::cuda

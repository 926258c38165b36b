// The bodies of the CUDA kernels, run on the host, against the CPU's own kernels.
#include "core/random.h"
#include "kernels/adamw.h"
#include "kernels/cuda/adamw.h"
#include "kernels/cuda/dropout.h"
#include "kernels/cuda/expert_rows.h"
#include "kernels/cuda/layer_norm.h"
#include "kernels/cuda/losses.h"
#include "kernels/cuda/tensors.h"
#include "kernels/dropout.h"
#include "kernels/experts/expert_rows.h"
#include "kernels/layer_norm.h"
#include "kernels/losses/fused_linear_losses.h"
#include "tests/kernels/cuda_host_team.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <cmath>
#include <vector>

// Legend: N rows, D width, K blocks of rows, P passes, V vocabulary, T tokens, M pairs.

namespace moe::cuda {

using torch::Tensor;

TEST_CASE("layer norm on a GPU is the CPU's, value and gradients") {
  constexpr std::int64_t rows = 150, width = 33;
  constexpr float epsilon = 1e-5F;
  Tensor x = noise({rows, width}, 0).requires_grad_(true);
  Tensor weight = noise({width}, 1).requires_grad_(true), bias = noise({width}, 2).requires_grad_(true);
  const Tensor grad = noise({rows, width}, 3), grad_residual = noise({rows, width}, 4);
  const NormedBranch expected = normed_branch(x, weight, bias, epsilon, torch::kFloat32);
  const auto gradients =
      torch::autograd::grad({expected.normed, expected.residual}, {x, weight, bias}, {grad, grad_residual});

  Tensor out = torch::empty({rows, width}), grad_x = torch::empty({rows, width});
  std::vector<NormMoments> moments(rows);
  const auto* from = read_of<float>(x);
  host_warps(rows, Normalise<float>{from, read_of<float>(weight), read_of<float>(bias), width, epsilon,
                                    written_of<float>(out), moments.data()});
  CHECK(all_close(out, expected.normed, 1e-5));
  host_warps(rows, NormaliseBackward<float>{from, moments.data(), read_of<float>(weight), read_of<float>(grad),
                                            read_of<float>(grad_residual), width, written_of<float>(grad_x)});
  CHECK(all_close(grad_x, gradients[0], 1e-5));
  const std::int64_t blocks = divided_up(rows, norm_block_rows);
  Tensor partial_K2D = torch::full({blocks, 2, width}, -7.0F);
  host_threads(blocks * width, NormWeightGradients<float>{from, moments.data(), read_of<float>(grad), rows, width,
                                                          written_of<float>(partial_K2D)});
  const Tensor sum_2D = partial_K2D.sum(0);
  CHECK(all_close(sum_2D[0], gradients[1], 1e-4));
  CHECK(all_close(sum_2D[1], gradients[2], 1e-4));
}

TEST_CASE("layer norm on a GPU rounds to bfloat16 once") {
  const Tensor x = noise({4, 64}, 0), weight = noise({64}, 1), bias = noise({64}, 2);
  Tensor out = torch::empty({4, 64}), rounded = torch::empty({4, 64}, torch::kBFloat16);
  std::vector<NormMoments> moments(4);
  const auto normalise_into = [&](auto* to) {
    using To = std::remove_pointer_t<decltype(to)>;
    host_warps(4, Normalise<To>{read_of<float>(x), read_of<float>(weight), read_of<float>(bias), 64, 1e-5F, to,
                                moments.data()});
  };
  normalise_into(written_of<float>(out));
  normalise_into(written_of<c10::BFloat16>(rounded));
  CHECK(rounded.equal(out.to(torch::kBFloat16)));
}

TEST_CASE("dropout on a GPU draws the CPU's mask") {
  constexpr std::int64_t count = 1003;
  constexpr std::uint64_t key = 0xfedcba9876543210ULL;
  const double rate = GENERATE(0.1, 0.5);
  const Tensor x = noise({count}, 0), residual = noise({count}, 1);
  const Tensor factors = dropout_factors(count, rate, key, x.options());
  const auto threshold = static_cast<std::uint32_t>(std::lround((1.0 - rate) * 65536.0));
  Tensor out = torch::empty({count});
  host_threads(divided_up(count, 4),
               DropElements<float, float>{nullptr, read_of<float>(x), written_of<float>(out), count, key, threshold,
                                          static_cast<float>(65536.0 / threshold)});
  CHECK(out.equal(x * factors));
  CHECK(out.equal(keyed_dropout(x, rate, key)));
  host_threads(divided_up(count, 4),
               DropElements<float, float>{read_of<float>(residual), read_of<float>(x), written_of<float>(out), count,
                                          key, threshold, static_cast<float>(65536.0 / threshold)});
  CHECK(all_close(out, residual_dropout(residual, x, rate, key), 1e-6));
}

TEST_CASE("AdamW on a GPU takes the CPU's step") {
  constexpr std::int64_t count = 5000;
  constexpr AdamwFactors factors{
      .learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-9, .weight_decay = 0.1, .gradient_scale = 0.25};
  const auto tensors = [] {
    return std::vector<Tensor>{noise({count}, 0), noise({count}, 1), noise({count}, 2), uniform_noise({count}, 3)};
  };
  std::vector<Tensor> expected = tensors(), own = tensors();
  float steps = 4;
  adamw_step({{expected[0], expected[1], expected[2], expected[3], 0, count, &steps}}, factors);
  const double step = 5;
  const AdamwRow row{.parameter = written_of<float>(own[0]),
                     .gradient = read_of<float>(own[1]),
                     .first_moment = written_of<float>(own[2]),
                     .second_moment = written_of<float>(own[3]),
                     .count = count,
                     .first_block = 0,
                     .factors = {static_cast<float>(0.01 / (1 - std::pow(0.9, step))),
                                 static_cast<float>(std::sqrt(1 - std::pow(0.98, step)))}};
  host_blocks(divided_up(count, adamw_block), AdamwStep{&row, 1, {0.999F, 0.1F, 0.98F, 0.02F, 1e-9F, 0.25F}});
  for (std::size_t i = 0; i < own.size(); ++i) {
    CAPTURE(i);
    CHECK(all_close(own[i], expected[i], 5e-6));
  }
}

TEST_CASE("losses of tokens on a GPU are the CPU's, with the gradients in the logits' place") {
  constexpr std::int64_t rows = 7, vocabulary = 301;
  constexpr double smoothing = 0.1, consistency = 5;
  const std::int64_t passes = GENERATE(1, 2);
  CAPTURE(passes);
  // Weights of ones along the diagonal: the states are the logits.
  Tensor logit_PNV = 3 * noise({passes, rows, vocabulary}, 0);
  Tensor state_PNV = logit_PNV.clone().requires_grad_(true);
  const Tensor target_N = random_indices({rows}, 1, vocabulary);
  const FusedLinearLosses expected =
      fused_linear_losses(state_PNV, torch::eye(vocabulary), target_N, smoothing, consistency);
  const Tensor gradient = torch::autograd::grad({expected.total}, {state_PNV})[0];
  const Tensor unread = logit_PNV.clone();

  Tensor loss_3N = torch::full({3, rows}, -7.0, torch::kFloat64);
  auto* loss = loss_3N.mutable_data_ptr<double>();
  TokenLosses<float> body{written_of<float>(logit_PNV),
                          rows * vocabulary,
                          static_cast<int>(passes),
                          static_cast<int>(vocabulary),
                          target_N.const_data_ptr<std::int64_t>(),
                          {1 - smoothing, smoothing / (vocabulary - 1), static_cast<float>(consistency)},
                          false,
                          loss,
                          loss + rows,
                          loss + 2 * rows};
  host_blocks(rows, body);
  const Tensor sum_3 = loss_3N.sum(1);
  CHECK(sum_3[0].item<double>() == Approx(expected.smoothed).epsilon(1e-6));
  CHECK(sum_3[1].item<double>() == Approx(expected.plain).epsilon(1e-6));
  CHECK(sum_3[2].item<double>() == Approx(expected.divergence).epsilon(1e-5));
  CHECK(logit_PNV.equal(unread));
  body.writes_gradient = true;
  host_blocks(rows, body);
  CHECK(all_close(logit_PNV, gradient, 1e-4));  // of gradients up to 10: a logit of 12 is known to 1e-6
}

TEST_CASE("rows are combined and spread on a GPU as on the CPU") {
  constexpr std::int64_t rows = 5, width = 40, pairs = 7;
  const Tensor token_M = torch::tensor({0, 2, 0, 1, 4, 0, 1}, torch::kInt64);
  const Tensor y_MD = noise({pairs, width}, 0), weight_M = noise({pairs}, 1), grad_TD = noise({rows, width}, 2);
  const std::vector<std::int32_t> first{0, 3, 5, 6, 6, 7}, pair{0, 2, 5, 3, 6, 1, 4};
  Tensor out_TD = torch::empty({rows, width});
  host_warps(rows, CombineRows<float>{read_of<float>(y_MD), read_of<float>(weight_M), first.data(), pair.data(), width,
                                      written_of<float>(out_TD)});
  CHECK(all_close(out_TD, unpermute_rows(y_MD, token_M, weight_M, rows), 1e-6));

  const UnpermuteGradients expected = unpermute_rows_backward(grad_TD, token_M, weight_M, y_MD);
  Tensor grad_y_MD = torch::empty({pairs, width}), grad_weight_M = torch::empty({pairs});
  host_warps(pairs, SpreadRows<float>{read_of<float>(grad_TD), token_M.const_data_ptr<std::int64_t>(),
                                      read_of<float>(weight_M), read_of<float>(y_MD), width,
                                      written_of<float>(grad_y_MD), written_of<float>(grad_weight_M)});
  CHECK(all_close(grad_y_MD, expected.y_MD, 1e-6));
  CHECK(all_close(grad_weight_M, expected.weight_M, 1e-5));
}

}  // namespace moe::cuda

// Legend: T tokens, D width, E experts, K choices per token, G groups.
#include "routers/gating.h"

#include "core/error.h"
#include "kernels/cuda/route_ops.h"
#include "kernels/cuda/tensors.h"
#include "kernels/gemm/linear.h"
#include "kernels/simd/vector_math.h"
#include "routers/streams.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

constexpr double gate_deviation = 0.02;

torch::Tensor jitter_factors(std::int64_t width, double jitter, const RouterContext& context, const Tokens& tokens) {
  return draw_table(width, call_stream(StreamTag::jitter, context, tokens), tokens, 1,
                    [&](const RandomStream& stream) { return 1.0 + jitter * (2.0 * stream.uniform() - 1.0); });
}

/// N(0, deviation^2) for each token and expert.
torch::Tensor normal_noise(std::int64_t experts, double deviation, const RouterContext& context, const Tokens& tokens) {
  return draw_table(experts, call_stream(StreamTag::jitter, context, tokens).at("normal"), tokens, 0,
                    [&](const RandomStream& stream) { return deviation * stream.normal(); });
}

/// One row: insertion into the list of the best so far, so that equal scores stay in the order of their experts.
template <class Score>
void best_of_row(const Score* score, std::int64_t experts, std::int64_t choices, std::int64_t* best) {
  Score least = 0;  // of a full list
  for (std::int64_t expert = 0; expert < experts; ++expert) {
    if (expert >= choices && !(score[expert] > least)) continue;
    std::int64_t place = std::min(expert, choices - 1);
    for (; place > 0 && score[expert] > score[best[place - 1]]; --place) best[place] = best[place - 1];
    best[place] = expert;
    if (expert + 1 >= choices) least = score[best[choices - 1]];
  }
}

template <class Score>
void best_of_rows(const torch::Tensor& score_TE, const Tokens& tokens, torch::Tensor& expert_TK) {
  const std::int64_t experts = score_TE.size(1), choices = expert_TK.size(1);
  const auto* score = score_TE.const_data_ptr<Score>();
  const auto* valid = tokens.valid_T.const_data_ptr<bool>();
  auto* best = expert_TK.mutable_data_ptr<std::int64_t>();
  at::parallel_for(0, tokens.count(), rows_at_once(experts), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      if (valid[t]) best_of_row(score + t * experts, experts, choices, best + t * choices);
    }
  });
}

/// Gumbel(0, 1): -log(-log(u)), with u inside (0, 1).
double gumbel(const RandomStream& stream) {
  return -std::log(-std::log(stream.uniform() + 0x1.0p-54));
}

}  // namespace

torch::Tensor make_router_weight(std::int64_t rows, std::int64_t columns, double deviation, const std::string& name,
                                 const RouterContext& context) {
  const RandomStream stream = RandomStream(context.seed).at(StreamTag::initialisation).at(context.layer).at(name);
  torch::Tensor weight = torch::empty({rows, columns});
  auto value = weight.accessor<float, 2>();
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      value[row][column] = static_cast<float>(deviation * stream.at(row).at(column).normal());
    }
  }
  return weight;
}

torch::Tensor make_gate_weight(std::int64_t experts, const RouterContext& context) {
  return make_router_weight(experts, context.width, gate_deviation, "gate", context);
}

torch::Tensor gate_logits(const torch::Tensor& x_TD, const torch::Tensor& weight_ED, double jitter,
                          const RouterContext& context, const Tokens& tokens) {
  const c10::impl::ExcludeDispatchKeyGuard without_autocast(c10::autocast_dispatch_keyset);
  const torch::Dtype precise = x_TD.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const bool jitters = jitter > 0 && tokens.call.phase == Phase::train;
  torch::Tensor input_TD = x_TD.to(precise);
  if (jitters) {
    input_TD = input_TD * jitter_factors(x_TD.size(1), jitter, context, tokens).to(input_TD.options());
  }
  return fused_linear(input_TD, weight_ED.to(precise));
}

GateScores softmax_scores(const GateNoise& noise, const RouterContext& context, const Tokens& tokens,
                          const std::function<torch::Tensor(double jitter)>& logits) {
  GateScores scores;
  scores.clean_logit_TE = logits(0);
  scores.clean_probability_TE = scores.clean_logit_TE.softmax(1);
  scores.logit_TE = scores.clean_logit_TE;
  scores.probability_TE = scores.clean_probability_TE;
  if (!noise.applies(tokens.call.phase)) return scores;

  if (noise.jitter > 0) scores.logit_TE = logits(noise.jitter);
  if (noise.normal > 0) {
    const std::int64_t experts = scores.logit_TE.size(1);
    const double deviation = noise.normal / static_cast<double>(experts);
    scores.logit_TE = scores.logit_TE + normal_noise(experts, deviation, context, tokens).to(scores.logit_TE.options());
  }
  scores.probability_TE = scores.logit_TE.softmax(1);
  return scores;
}

GateScores softmax_gate(const torch::Tensor& x_TD, const torch::Tensor& weight_ED, const GateNoise& noise,
                        const RouterContext& context, const Tokens& tokens) {
  return softmax_scores(noise, context, tokens,
                        [&](double jitter) { return gate_logits(x_TD, weight_ED, jitter, context, tokens); });
}

void record_gate(const GateScores& scores, const Tokens& tokens, RoutingPlan& plan, PaddingInZ padding) {
  plan.losses.z = router_z_loss(scores.clean_logit_TE, tokens, padding);
  plan.statistics.logit_TE = scores.clean_logit_TE.detach().to(torch::kFloat32);
  plan.statistics.probability_TE = scores.clean_probability_TE.detach().to(torch::kFloat32);
}

torch::Tensor best_experts(const torch::Tensor& score_TE, std::int64_t choices, const Tokens& tokens) {
  MOE_CHECK(choices <= score_TE.size(1), "A token cannot choose {} of {} experts.", choices, score_TE.size(1));
  if constexpr (cuda::is_built) {
    if (cuda::takes(score_TE)) {  // few choices are read instead of all scores
      const torch::Tensor score = score_TE.detach().to(torch::kFloat32).contiguous();
      return cuda::best_experts(score, tokens.valid_T.contiguous(), choices).to(torch::kCPU);
    }
  }
  const torch::Tensor score = score_TE.detach().to(torch::kCPU).contiguous();
  torch::Tensor expert_TK = torch::full({tokens.count(), choices}, -1, torch::kInt64);
  if (score.scalar_type() == torch::kFloat64) {
    best_of_rows<double>(score, tokens, expert_TK);
  } else {
    best_of_rows<float>(score.to(torch::kFloat32), tokens, expert_TK);
  }
  return expert_TK;
}

void sample_experts(const torch::Tensor& logit_TE, std::int64_t choice, const RandomStream& stream,
                    const Tokens& tokens, torch::Tensor& expert_TK) {
  const torch::Tensor score_TE = logit_TE.detach().to(torch::kCPU, torch::kFloat64);
  const auto score = score_TE.accessor<double, 2>();
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  auto expert = expert_TK.accessor<std::int64_t, 2>();
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (!valid[t]) continue;
    const RandomStream token = token_stream(stream, tokens, t);
    std::int64_t best = -1;
    double best_score = 0;
    for (std::int64_t e = 0; e < score_TE.size(1); ++e) {
      const auto before = expert[t].data();
      if (std::find(before, before + choice, e) != before + choice) continue;
      const double noisy = score[t][e] + gumbel(token.at(e));
      if (best < 0 || noisy > best_score) {
        best = e;
        best_score = noisy;
      }
    }
    expert[t][choice] = best;
  }
}

torch::Tensor chosen_probabilities(const torch::Tensor& probability_TE, const torch::Tensor& expert_TK) {
  const torch::Tensor index_TK = expert_TK.to(probability_TE.device());
  return probability_TE.gather(1, index_TK.clamp_min(0)).masked_fill(index_TK < 0, 0);
}

torch::Tensor router_z_loss(const torch::Tensor& logit_TE, const Tokens& tokens, PaddingInZ padding) {
  torch::Tensor square_T = logit_TE.logsumexp(1).square();
  if (padding == PaddingInZ::own_logits || tokens.valid == tokens.count())
    return tokens.count() > 0 ? square_T.mean() : square_T.sum();
  const torch::Tensor invalid_T = tokens.valid_T.to(logit_TE.device()).logical_not();
  const bool counts_padding = padding == PaddingInZ::zero_logits;
  const double of_padding = counts_padding ? std::pow(std::log(static_cast<double>(logit_TE.size(1))), 2) : 0;
  const std::int64_t divisor = counts_padding ? tokens.count() : tokens.valid;
  return square_T.masked_fill(invalid_T, of_padding).sum() / static_cast<double>(std::max<std::int64_t>(1, divisor));
}

}  // namespace moe

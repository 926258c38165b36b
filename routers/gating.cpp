// Legend: T tokens, D width, E experts, K choices per token, G groups.
#include "routers/gating.h"

#include "core/error.h"
#include "routers/slots.h"
#include "routers/streams.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

constexpr double gate_deviation = 0.02;

bool is_jittered(double jitter, const Tokens& tokens) {
  return jitter > 0 && tokens.phase == Phase::train;
}

torch::Tensor jitter_factors(std::int64_t width, double jitter, const RouterContext& context, const Tokens& tokens) {
  const RandomStream call = call_stream(StreamTag::jitter, context, tokens);
  torch::Tensor factor_TD = torch::ones({tokens.count(), width});
  auto factor = factor_TD.accessor<float, 2>();
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (!valid[t]) continue;
    const RandomStream token = token_stream(call, tokens, t);
    for (std::int64_t d = 0; d < width; ++d) {
      factor[t][d] = static_cast<float>(1.0 + jitter * (2.0 * token.at(d).uniform() - 1.0));
    }
  }
  return factor_TD;
}

/// One row: insertion into the list of the best so far, so that equal scores stay in the order of their experts.
template <class Score>
void best_of_row(torch::TensorAccessor<Score, 1> score, torch::TensorAccessor<std::int64_t, 1> best) {
  for (std::int64_t expert = 0; expert < score.size(0); ++expert) {
    std::int64_t place = std::min(expert, best.size(0));
    while (place > 0 && score[expert] > score[best[place - 1]]) {
      if (place < best.size(0)) best[place] = best[place - 1];
      --place;
    }
    if (place < best.size(0)) best[place] = expert;
  }
}

template <class Score>
void best_of_rows(const torch::Tensor& score_TE, const Tokens& tokens, torch::Tensor& expert_TK) {
  const auto score = score_TE.accessor<Score, 2>();
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  auto best = expert_TK.accessor<std::int64_t, 2>();
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (valid[t]) best_of_row<Score>(score[t], best[t]);
  }
}

/// Gumbel(0, 1): -log(-log(u)), with u inside (0, 1).
double gumbel(const RandomStream& stream) {
  return -std::log(-std::log(stream.uniform() + 0x1.0p-54));
}

/// Choices of each group that name each expert, [G, E] float64 on the CPU.
torch::Tensor count_choices(const torch::Tensor& expert_TK, std::int64_t choices, std::int64_t experts,
                            const Groups& groups) {
  torch::Tensor count_GE =
      torch::zeros({static_cast<std::int64_t>(groups.valid_tokens.size()), experts}, torch::kFloat64);
  auto count = count_GE.accessor<double, 2>();
  const auto expert = expert_TK.accessor<std::int64_t, 2>();
  for (std::int64_t t = 0; t < expert_TK.size(0); ++t) {
    for (std::int64_t k = 0; k < choices; ++k) {
      if (expert[t][k] >= 0) count[groups.of_token[t]][expert[t][k]] += 1;
    }
  }
  return count_GE;
}

torch::Tensor valid_column(const Tokens& tokens, torch::Device device) {
  return tokens.valid_T.to(device).unsqueeze(1);
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
  torch::Tensor input_TD = x_TD.to(precise);
  if (is_jittered(jitter, tokens)) {
    input_TD = input_TD * jitter_factors(x_TD.size(1), jitter, context, tokens).to(input_TD.options());
  }
  return input_TD.matmul(weight_ED.to(precise).t());
}

GateScores softmax_scores(double jitter, const Tokens& tokens,
                          const std::function<torch::Tensor(double jitter)>& logits) {
  GateScores scores;
  scores.clean_logit_TE = logits(0);
  scores.clean_probability_TE = scores.clean_logit_TE.softmax(1);
  const bool jittered = is_jittered(jitter, tokens);
  scores.logit_TE = jittered ? logits(jitter) : scores.clean_logit_TE;
  scores.probability_TE = jittered ? scores.logit_TE.softmax(1) : scores.clean_probability_TE;
  return scores;
}

GateScores softmax_gate(const torch::Tensor& x_TD, const torch::Tensor& weight_ED, double jitter,
                        const RouterContext& context, const Tokens& tokens) {
  return softmax_scores(jitter, tokens,
                        [&](double amount) { return gate_logits(x_TD, weight_ED, amount, context, tokens); });
}

void record_gate(const GateScores& scores, const Tokens& tokens, RoutingPlan& plan) {
  plan.z_loss = router_z_loss(scores.clean_logit_TE, tokens);
  plan.logit_TE = scores.clean_logit_TE.detach().to(torch::kFloat32);
  plan.probability_TE = scores.clean_probability_TE.detach().to(torch::kFloat32);
}

torch::Tensor best_experts(const torch::Tensor& score_TE, std::int64_t choices, const Tokens& tokens) {
  MOE_CHECK(choices <= score_TE.size(1), "A token cannot choose {} of {} experts.", choices, score_TE.size(1));
  const torch::Tensor score = score_TE.detach().to(torch::kCPU);
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

torch::Tensor load_balancing_loss(const torch::Tensor& probability_TE, const torch::Tensor& expert_TK, bool first_only,
                                  const std::string& group, const Tokens& tokens) {
  const std::int64_t experts = probability_TE.size(1);
  const std::int64_t choices = first_only ? 1 : expert_TK.size(1);
  const Groups groups = make_groups(group, tokens);
  const auto count = static_cast<std::int64_t>(groups.valid_tokens.size());
  const torch::Tensor valid_G1 = torch::tensor(groups.valid_tokens, torch::kFloat64).unsqueeze(1);
  const torch::Tensor divisor_G1 = valid_G1.clamp_min(1);  // 0 / 0 is 0: a group of padding alone adds nothing
  const torch::Tensor f_GE = count_choices(expert_TK, choices, experts, groups) / (divisor_G1 * choices);

  // Rows are batch-major, so the tokens of a group stand together.
  const torch::Tensor masked_TE =
      probability_TE.masked_fill(valid_column(tokens, probability_TE.device()).logical_not(), 0);
  const torch::Tensor sum_GE = masked_TE.reshape({count, tokens.count() / count, experts}).sum(1);
  const torch::Tensor P_GE = sum_GE / divisor_G1.to(sum_GE.options());
  const std::int64_t groups_in_use = std::max<std::int64_t>(1, (valid_G1 > 0).sum().item<std::int64_t>());
  return static_cast<double>(experts) / static_cast<double>(groups_in_use) * (f_GE.to(P_GE.options()) * P_GE).sum();
}

torch::Tensor router_z_loss(const torch::Tensor& logit_TE, const Tokens& tokens) {
  const torch::Tensor square_T = logit_TE.logsumexp(1).square();
  const torch::Tensor invalid_T = tokens.valid_T.to(logit_TE.device()).logical_not();
  return square_T.masked_fill(invalid_T, 0).sum() / static_cast<double>(std::max<std::int64_t>(1, tokens.valid));
}

}  // namespace moe

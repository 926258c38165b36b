// Top-k routing balanced without a loss (Wang et al. 2024; DeepSeek-V3): each expert has a bias that counts in the
// choice and not in the weights; after a step it rises where the expert got less than the mean, and falls where it got
// more.
#include "core/error.h"
#include "routers/choices.h"
#include "routers/token_choice.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <limits>

namespace moe {
namespace {

/// Of a token for an expert, from the gate's logits.
enum class GateScore { sigmoid, softmax };
constexpr auto gate_scores =
    std::to_array<Choice<GateScore>>({{"sigmoid", GateScore::sigmoid}, {"softmax", GateScore::softmax}});

struct BiasBalancedOptions {
  TopKOptions top_k = {.choice = {.normalise = "before"}, .k = 2};
  std::string score = "sigmoid";
  double bias_rate = 1e-3;
  bool centre = true;
  double route_scale = 1;
  std::int64_t expert_groups = 1;
  std::int64_t groups_per_token = 1;

  void visit(FieldVisitor& visitor) {
    top_k.visit(visitor);
    visitor.field({.key = "score",
                   .help = "of a token for an expert, from the gate's logits",
                   .choices = rule_names(gate_scores)},
                  score);
    visitor.field({.key = "bias_rate",
                   .help = "how far a bias moves in a step, so |bias| stays below 2 * rate * steps: raise it for short "
                           "runs",
                   .minimum = 0},
                  bias_rate);
    visitor.field({.key = "centre",
                   .help = "subtract the mean of the moves, as torchtitan does; Megatron does not. The choice is the "
                           "same"},
                  centre);
    visitor.field({.key = "route_scale", .help = "factor of all weights", .minimum = 0, .above_minimum = true},
                  route_scale);
    visitor.field({.key = "expert_groups", .help = "groups of experts, of equal size", .minimum = 1}, expert_groups);
    visitor.field({.key = "groups_per_token",
                   .help = "a token's experts come from so many groups, those with the best sums of two experts "
                           "(DeepSeek-V3)",
                   .minimum = 1},
                  groups_per_token);
  }
  void check(const std::string& path, ConfigErrors& errors) const {
    top_k.check(path, errors);
    const std::int64_t experts = top_k.choice.experts;
    errors.check(experts % expert_groups == 0, join_path(path, "expert_groups"),
                 fmt::format("{} does not divide the {} experts.", expert_groups, experts));
    errors.check(groups_per_token <= expert_groups && groups_per_token * (experts / expert_groups) >= top_k.k,
                 join_path(path, "groups_per_token"),
                 fmt::format("{} of {} groups do not hold {} experts.", groups_per_token, expert_groups, top_k.k));
  }
};

class BiasBalancedRouter : public SoftmaxGateRouter {
 public:
  BiasBalancedRouter(const BiasBalancedOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.top_k.choice, options.top_k.k, context),
        options_(options),
        score_(choice_named(gate_scores, options.score)),
        bias_E_(register_buffer("bias", torch::zeros({options.top_k.choice.experts}))) {}

  /// b_e += rate * sign(mean(c) - c_e), with c the choices of the step (pairs, where nothing is dropped).
  void after_step(const std::vector<std::int64_t>& load) override {
    const torch::NoGradGuard no_gradient;
    const torch::Tensor count_E = torch::tensor(load, torch::kFloat64);
    torch::Tensor move_E = (count_E.mean() - count_E).sign() * options_.bias_rate;
    if (options_.centre) move_E -= move_E.mean();
    bias_E_ += move_E.to(bias_E_.options());
  }

 protected:
  GateScores score(const torch::Tensor& x_TD, const Tokens& tokens) override {
    GateScores scores = SoftmaxGateRouter::score(x_TD, tokens);
    if (score_ == GateScore::sigmoid) {
      const auto shares = [](const torch::Tensor& score_TE) { return score_TE / score_TE.sum(1, true); };
      scores.weight_TE = scores.logit_TE.sigmoid();
      scores.probability_TE = shares(scores.weight_TE);
      scores.clean_probability_TE = shares(scores.clean_logit_TE.sigmoid());
    } else {
      scores.weight_TE = scores.probability_TE;
    }
    scores.logit_TE = limit_groups(scores.weight_TE.detach() + bias_E_, tokens);
    return scores;
  }

  // With one choice the weight is never divided by itself: that would cut the gate off from the cross entropy.
  torch::Tensor combine_weights(const Decision& decision, const Tokens& tokens) const override {
    const torch::Tensor weight_TK =
        options_.top_k.k == 1 ? decision.probability_TK : SoftmaxGateRouter::combine_weights(decision, tokens);
    return weight_TK * options_.route_scale;
  }

 private:
  /// Leaves to each token the experts of its best groups; a group's score is the sum of its two best experts'.
  torch::Tensor limit_groups(const torch::Tensor& score_TE, const Tokens& tokens) const {
    const std::int64_t groups = options_.expert_groups, experts = score_TE.size(1);
    if (options_.groups_per_token == groups) return score_TE;
    const torch::Tensor score_TGM = score_TE.view({score_TE.size(0), groups, experts / groups});
    const torch::Tensor best_TG = std::get<0>(score_TGM.topk(std::min<std::int64_t>(2, experts / groups))).sum(2);
    const torch::Tensor chosen_TC = best_experts(best_TG, options_.groups_per_token, tokens).to(score_TE.device());
    const torch::Tensor open_TG = torch::zeros_like(best_TG).scatter(1, chosen_TC.clamp_min(0), 1);
    const torch::Tensor closed_TE = (open_TG == 0).repeat_interleave(experts / groups, 1);
    return score_TE.masked_fill(closed_TE, -std::numeric_limits<double>::infinity());
  }

  BiasBalancedOptions options_;
  GateScore score_;
  torch::Tensor bias_E_;
};

}  // namespace

RouterEntry bias_balanced_router() {
  RouterEntry entry = make_router_entry<BiasBalancedRouter, BiasBalancedOptions>(
      "bias_balanced", "the k best experts after a bias that balances their loads without a loss",
      "Wang et al. 2024, Auxiliary-Loss-Free Load Balancing (arXiv 2408.15664)", Json::object());
  entry.revision = 2;
  return entry;
}

}  // namespace moe

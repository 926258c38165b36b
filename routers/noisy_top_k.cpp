// Noisy top-k routing (Shazeer et al. 2017, in the form of Riquelme et al. 2021, V-MoE): the k best experts after noise
// on the logits, balanced by two losses on squared coefficients of variation over the experts. Importance is the sum of
// an expert's probabilities; load is the expected number of tokens for which the expert stays among the k best when its
// noise is drawn again, a smooth count that brings a gradient to the logits.
#include "routers/choices.h"
#include "routers/token_choice.h"

#include <torch/types.h>

#include <array>
#include <numbers>
#include <string>

// Legend: T tokens, E experts, K choices.

namespace moe {
namespace {

/// Whether the variance over E experts is divided by E or by E - 1.
enum class Variance { population, unbiased };
constexpr auto variances =
    std::to_array<Choice<Variance>>({{"population", Variance::population}, {"unbiased", Variance::unbiased}});

struct NoisyTopKOptions {
  TopKOptions top_k = {.choice = {.noise = {.normal = 1}}, .k = 2};
  double importance_loss = 0.005;
  double load_loss = 0.005;
  std::string variance = "population";

  void visit(FieldVisitor& visitor) {
    top_k.visit(visitor);
    visitor.field({.key = "importance_loss", .help = "weight of the importance loss", .minimum = 0}, importance_loss);
    visitor.field({.key = "load_loss", .help = "weight of the load loss, which needs noise", .minimum = 0}, load_loss);
    visitor.field({.key = "variance",
                   .help = "of the importance over the experts: divided by their number (population: V-MoE) or by one "
                           "less (unbiased: Tutel)",
                   .choices = rule_names(variances)},
                  variance);
  }
  void check(const std::string& path, ConfigErrors& errors) const {
    top_k.check(path, errors);
    errors.check(load_loss == 0 || top_k.choice.noise.normal > 0, join_path(path, "load_loss"),
                 "the load loss needs noise above 0.");
  }
};

/// (deviation / mean)^2 of what the experts have.
torch::Tensor squared_variation(const torch::Tensor& amount_E, bool unbiased) {
  return amount_E.size(0) < 2 ? amount_E.sum() * 0 : amount_E.var(unbiased) / amount_E.mean().square().clamp_min(1e-20);
}

class NoisyTopKRouter : public SoftmaxGateRouter {
 public:
  NoisyTopKRouter(const NoisyTopKOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.top_k.choice, options.top_k.k, context),
        options_(options),
        unbiased_(choice_named(variances, options.variance) == Variance::unbiased) {}

 protected:
  void complete(const GateScores& scores, const Decision& /*decision*/, const Tokens& tokens,
                RoutingPlan& plan) const override {
    if (tokens.call.phase == Phase::evaluate) return;
    const torch::Tensor padding_T1 = tokens.valid_T.to(scores.logit_TE.device()).logical_not().unsqueeze(1);
    const auto variation = [&](const torch::Tensor& amount_TE, bool unbiased) {
      return squared_variation(amount_TE.masked_fill(padding_T1, 0).sum(0), unbiased);
    };
    plan.losses.own = options_.importance_loss * variation(scores.clean_probability_TE, unbiased_);
    if (options_.load_loss > 0) {
      plan.losses.own = plan.losses.own + options_.load_loss * variation(winning_probability(scores), false);
    }
  }

 private:
  /// Probability [T, E] that clean logit + new noise reaches the noisy logit of the k-th choice.
  torch::Tensor winning_probability(const GateScores& scores) const {
    const double deviation = options_.top_k.choice.noise.normal / static_cast<double>(scores.logit_TE.size(1));
    const torch::Tensor threshold_T1 =
        std::get<0>(scores.logit_TE.topk(options_.top_k.k)).narrow(1, options_.top_k.k - 1, 1);
    const torch::Tensor needed_TE = (threshold_T1 - scores.clean_logit_TE) / deviation;
    return 0.5 * torch::erfc(needed_TE / std::numbers::sqrt2);
  }

  NoisyTopKOptions options_;
  bool unbiased_;
};

}  // namespace

RouterEntry noisy_top_k_router() {
  return make_router_entry<NoisyTopKRouter, NoisyTopKOptions>(
      "noisy_top_k", "the k best experts after noise on the logits, with importance and load losses",
      "Shazeer et al. 2017 (arXiv 1701.06538); Riquelme et al. 2021, V-MoE (arXiv 2106.05974)", Json::object());
}

}  // namespace moe

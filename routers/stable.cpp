// StableMoE (Dai et al. 2022). Stage 1: top-1 routing by affinity s = x . w_e with weight sigmoid(s), while a light
// router that sees word ids alone learns the same choices. Stage 2: the light router decides, and is never trained
// again, so that a word's expert cannot change any more; the weight is still sigmoid(s) of the expert that it names.
#include "core/error.h"
#include "routers/gating.h"
#include "routers/router.h"

#include <torch/types.h>
#include <torch/utils.h>

// Legend: T tokens, D width, E experts, V vocabulary, L width of the light router.

namespace moe {
namespace {

struct StableOptions {
  std::int64_t experts = 4;
  std::int64_t stage_updates = 1000;
  std::int64_t distilled_width = 50;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field({.key = "stage_updates", .help = "updates before the routing of words is fixed", .minimum = 0},
                  stage_updates);
    visitor.field({.key = "distilled_width", .help = "width of the light router's word vectors", .minimum = 1},
                  distilled_width);
  }
};

class StableRouter : public Router {
 public:
  StableRouter(const StableOptions& options, const RouterContext& context) : options_(options), context_(context) {
    const std::int64_t width = options.distilled_width;
    weight_ED_ = register_parameter("weight", make_gate_weight(options.experts, context));
    word_VL_ = register_parameter("distilled_embedding",
                                  make_router_weight(context.vocabulary_size(), width, 1, "words", context));
    distilled_EL_ =
        register_parameter("distilled_weight", make_router_weight(options.experts, width, 0.02, "distilled", context));
    updates_ = register_buffer("updates", torch::zeros({1}, torch::kInt64));
  }

  ExpertLayout layout() const override { return {.count = options_.experts}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const torch::Tensor affinity_TE = gate_logits(x_TD, weight_ED_, 0, context_, tokens);
    const torch::Tensor word_logit_TE = distilled_logits(tokens);
    const bool is_fixed = updates_.item<std::int64_t>() >= options_.stage_updates;
    const torch::Tensor expert_T1 = best_experts(is_fixed ? word_logit_TE : affinity_TE, 1, tokens);
    const torch::Tensor sigmoid_TE = affinity_TE.sigmoid();
    const torch::Tensor weight_T1 = chosen_probabilities(sigmoid_TE, expert_T1);
    RoutingPlan plan = make_plan(expert_T1, {}, weight_T1, options_.experts, x_TD.device());
    plan.statistics.logit_TE = affinity_TE.detach().to(torch::kFloat32);
    plan.statistics.probability_TE = sigmoid_TE.detach().to(torch::kFloat32);
    if (!is_fixed && tokens.valid > 0) {
      plan.losses.balance = balance_loss(expert_T1, weight_T1, tokens);
      plan.losses.own = distillation_loss(word_logit_TE, expert_T1, tokens);
    }
    return plan;
  }

  /// A word's vector is looked up.
  std::int64_t weights_per_token() const override { return weight_ED_.numel() + distilled_EL_.numel(); }

  void after_step(const std::vector<std::int64_t>& /*load*/) override { updates_ += 1; }

 private:
  torch::Tensor distilled_logits(const Tokens& tokens) const {
    if (tokens.count() == 0) return torch::zeros({0, options_.experts});
    const torch::Tensor id_T = tokens.id_T.masked_fill(tokens.valid_T.logical_not(), 0);
    MOE_CHECK(id_T.max().item<std::int64_t>() < word_VL_.size(0) && id_T.min().item<std::int64_t>() >= 0,
              "A token id is not in the stable router's vocabulary of {} ids.", word_VL_.size(0));
    const torch::Tensor word_TL = word_VL_.index_select(0, id_T.to(word_VL_.device()));
    return gate_logits(word_TL, distilled_EL_, 0, context_, tokens);
  }

  /// sum_e (n_e - n) / n * sum over e's tokens of sigmoid(s), per token, n = tokens / experts (the paper's equation 5).
  torch::Tensor balance_loss(const torch::Tensor& expert_T1, const torch::Tensor& weight_T1,
                             const Tokens& tokens) const {
    const torch::Tensor index_T = expert_T1.squeeze(1);
    const torch::Tensor load_E =
        index_T.masked_select(tokens.valid_T).bincount({}, options_.experts).to(torch::kFloat64);
    const double even = static_cast<double>(tokens.valid) / static_cast<double>(options_.experts);
    const torch::Tensor excess_T = ((load_E - even) / even).index_select(0, index_T.clamp_min(0));
    // The weights of padding are 0.
    return (excess_T.to(weight_T1.options()) * weight_T1.squeeze(1)).sum() / static_cast<double>(tokens.valid);
  }

  /// Cross entropy of the light router against the choices of this call, per token (equation 8).
  static torch::Tensor distillation_loss(const torch::Tensor& word_logit_TE, const torch::Tensor& expert_T1,
                                         const Tokens& tokens) {
    const torch::Tensor index_T1 = expert_T1.clamp_min(0).to(word_logit_TE.device());
    const torch::Tensor invalid_T1 = tokens.valid_T.logical_not().unsqueeze(1).to(word_logit_TE.device());
    const torch::Tensor loss_T1 = -word_logit_TE.log_softmax(1).gather(1, index_T1).masked_fill(invalid_T1, 0);
    return loss_T1.sum() / static_cast<double>(tokens.valid);
  }

  StableOptions options_;
  RouterContext context_;
  torch::Tensor weight_ED_, word_VL_, distilled_EL_, updates_;
};

}  // namespace

RouterEntry stable_router() {
  return make_router_entry<StableRouter, StableOptions>(
      "stable", "the best expert by affinity; after a while the expert that a word most often had, for good",
      "Dai et al. 2022, StableMoE (arXiv 2204.08396)", {{"balance_loss", 0.3}});
}

}  // namespace moe

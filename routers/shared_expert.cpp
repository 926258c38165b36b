// Top-k routing beside an expert that every token passes through. `shared_expert` adds its output with weight 1
// (DeepSeekMoE, Dai et al. 2024). `cmr` (conditional MoE routing, NLLB Team 2022) blends the two by a gate g that
// learns which tokens are worth the experts: (1 - g) shared + g experts, with a loss that holds the mean of g to a
// budget.
#include "routers/streams.h"
#include "routers/token_choice.h"

#include <torch/types.h>
#include <torch/utils.h>

// Legend: T tokens, D width, E routed experts.

namespace moe {
namespace {

class SharedExpertRouter : public SoftmaxGateRouter {
 public:
  SharedExpertRouter(const TopKOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.choice, options.k, context) {}

  ExpertLayout layout() const override {
    ExpertLayout layout = SoftmaxGateRouter::layout();
    ++layout.count;
    ++layout.active;
    return layout;
  }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    RoutingPlan plan = SoftmaxGateRouter::route(x_TD, tokens);
    const torch::Tensor share_T = routed_share(x_TD, tokens);
    if (share_T.defined())
      plan.assignment.weight_M = plan.assignment.weight_M * share_T.index_select(0, plan.assignment.token_M);
    add_shared_expert(plan.assignment, share_T.defined() ? 1 - share_T : share_T, tokens);
    plan.losses.own = share_loss(share_T, tokens);
    return plan;
  }

 protected:
  /// Share of the routed experts in each token's output, [T], the rest being the shared one's. Undefined: both in full.
  virtual torch::Tensor routed_share(const torch::Tensor& /*x_TD*/, const Tokens& /*tokens*/) const { return {}; }
  /// The router's own loss of the plan (losses.own).
  virtual torch::Tensor share_loss(const torch::Tensor& /*share_T*/, const Tokens& /*tokens*/) const { return {}; }
};

struct CmrOptions {
  TopKOptions top_k = {.choice = {.normalise = "after"}, .k = 2};
  double budget = 0.8;
  double budget_loss = 0.1;
  double gate_dropout = 0.2;

  void visit(FieldVisitor& visitor) {
    top_k.visit(visitor);
    visitor.field({.key = "budget",
                   .help = "mean share of the experts in a token's output that the budget loss asks for",
                   .minimum = 0,
                   .maximum = 1},
                  budget);
    visitor.field({.key = "budget_loss", .help = "weight of |mean share - budget|", .minimum = 0}, budget_loss);
    visitor.field({.key = "gate_dropout",
                   .help = "share of tokens that training sends through the shared expert alone; the others' gates are "
                           "divided by 1 - gate_dropout, and may exceed 1",
                   .minimum = 0,
                   .maximum = 0.99},
                  gate_dropout);
  }
  void check(const std::string& path, ConfigErrors& errors) const { top_k.check(path, errors); }
};

class CmrRouter : public SharedExpertRouter {
 public:
  CmrRouter(const CmrOptions& options, const RouterContext& context)
      : SharedExpertRouter(options.top_k, context),
        options_(options),
        gate_weight_1D_(register_parameter("cmr_weight", make_router_weight(1, context.width, 0.02, "cmr", context))),
        gate_bias_1_(register_parameter("cmr_bias", torch::zeros({1}))) {}

 protected:
  torch::Tensor routed_share(const torch::Tensor& x_TD, const Tokens& tokens) const override {
    const torch::Tensor logit_T = gate_logits(x_TD, gate_weight_1D_, 0, context(), tokens).squeeze(1);
    torch::Tensor share_T = (logit_T + gate_bias_1_.to(logit_T.scalar_type())).sigmoid();
    if (tokens.call.phase == Phase::evaluate || options_.gate_dropout == 0) return share_T;
    const RandomStream call = call_stream(StreamTag::random_route, context(), tokens);
    torch::Tensor factor_T = torch::zeros({tokens.count()}, torch::kFloat64);
    auto factor = factor_T.accessor<double, 1>();
    for (std::int64_t t = 0; t < tokens.count(); ++t) {
      const bool kept = token_stream(call, tokens, t).uniform() >= options_.gate_dropout;
      factor[t] = kept ? 1 / (1 - options_.gate_dropout) : 0;
    }
    return share_T * factor_T.to(share_T.options());
  }

  torch::Tensor share_loss(const torch::Tensor& share_T, const Tokens& tokens) const override {
    if (tokens.valid == 0) return {};
    const torch::Tensor mean = share_T.masked_select(tokens.valid_T.to(share_T.device())).mean();
    return options_.budget_loss * (mean - options_.budget).abs();
  }

 private:
  CmrOptions options_;
  torch::Tensor gate_weight_1D_, gate_bias_1_;
};

}  // namespace

RouterEntry shared_expert_router() {
  return make_router_entry<SharedExpertRouter, TopKOptions>(
      "shared_expert", "the k most probable experts beside one that every token passes through",
      "Dai et al. 2024, DeepSeekMoE (arXiv 2401.06066)", {{"balance_loss", 0.01}});
}

RouterEntry cmr_router() {
  return make_router_entry<CmrRouter, CmrOptions>(
      "cmr", "a learned blend of the k most probable experts and one that every token passes through",
      "NLLB Team 2022, No Language Left Behind (arXiv 2207.04672)", {{"balance_loss", 0.01}});
}

}  // namespace moe

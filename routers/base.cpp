// BASE (Lewis et al. 2021): in training, tokens are assigned so that every expert gets as many as any other and the sum
// of affinities x . w_e is largest; evaluation takes each token's best expert. No auxiliary loss. The expert's output
// is weighted by sigmoid(x . w_e), the only way by which w learns. The released code adds a layer, y = x + s (FFN(x) -
// x), instead of replacing one: `pass_through` gives the layer's output that form. It also includes padding and never
// ends when the experts do not divide the tokens; ours leaves padding out and lets loads differ by one.
#include "routers/balanced_assignment.h"
#include "routers/gating.h"
#include "routers/router.h"

#include <torch/types.h>

// Legend: T tokens, D width, E experts.

namespace moe {
namespace {

constexpr double centroid_gain = 0.1;

struct BaseOptions {
  std::int64_t experts = 4;
  bool pass_through = false;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field(
        {.key = "pass_through", .help = "add (1 - weight) times the input to the output, as the released code does"},
        pass_through);
  }
};

/// [E, D] with orthogonal rows of length 0.1 (columns, where there are more experts than dimensions).
torch::Tensor make_centroids(std::int64_t experts, const RouterContext& context) {
  const torch::Tensor normal_ED = make_router_weight(experts, context.width, 1, "gate", context);
  const bool wide = experts <= context.width;
  const torch::Tensor orthogonal = std::get<0>(at::linalg_qr(wide ? normal_ED.t() : normal_ED));
  return centroid_gain * (wide ? orthogonal.t() : orthogonal).contiguous();
}

class BaseRouter : public Router {
 public:
  BaseRouter(const BaseOptions& options, const RouterContext& context)
      : options_(options),
        context_(context),
        centroid_ED_(register_parameter("weight", make_centroids(options.experts, context))) {}

  ExpertLayout layout() const override { return {.count = options_.experts}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const torch::Tensor affinity_TE = gate_logits(x_TD, centroid_ED_, 0, context_, tokens);
    const torch::Tensor expert_T1 =
        tokens.phase == Phase::train ? balanced_assignment(affinity_TE, tokens) : best_experts(affinity_TE, 1, tokens);
    const torch::Tensor sigmoid_TE = affinity_TE.sigmoid();
    const torch::Tensor weight_T1 = chosen_probabilities(sigmoid_TE, expert_T1);
    RoutingPlan plan = make_plan(expert_T1, {}, weight_T1, options_.experts, x_TD.device());
    if (options_.pass_through) {
      const torch::Tensor invalid_T = tokens.valid_T.logical_not().to(weight_T1.device());
      plan.input_weight_T = (1 - weight_T1.squeeze(1)).masked_fill(invalid_T, 0);
    }
    plan.logit_TE = affinity_TE.detach().to(torch::kFloat32);
    plan.probability_TE = sigmoid_TE.detach().to(torch::kFloat32);
    return plan;
  }

 private:
  BaseOptions options_;
  RouterContext context_;
  torch::Tensor centroid_ED_;
};

}  // namespace

RouterEntry base_router() {
  return make_router_entry<BaseRouter, BaseOptions>(
      "base", "the assignment of tokens to equally loaded experts with the largest sum of affinities",
      "Lewis et al. 2021, BASE Layers (arXiv 2103.16716)", Json::object());
}

}  // namespace moe

// BASE (Lewis et al. 2021): in training, tokens are assigned so that every expert gets as many as any other and the sum
// of affinities x . w_e is largest; evaluation takes each token's best expert. No auxiliary loss. The expert's output
// is weighted by a = sigmoid(x . w_e), the only way by which w learns. The released code adds layers instead of
// replacing feed-forward nets: y = a Exp(x) + (1 - a) x, where Exp is a stack of residual nets, each with a norm before
// it and a last matrix that starts at 0. That is `residual` (with the model's `extra_layers`), written as what it adds
// to the state, a (Exp(x) - x). The code also includes padding and never ends when the experts do not divide the
// tokens; ours leaves padding out and lets loads differ by one.
#include "routers/balanced_assignment.h"
#include "routers/gating.h"
#include "routers/router.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>

// Legend: T tokens, D width, E experts.

namespace moe {
namespace {

constexpr double centroid_gain = 0.1;
/// The sigmoid of an affinity below about -87 in float32 is less than this, or 0.
constexpr double smallest_weight = std::numeric_limits<float>::min();

struct BaseOptions {
  std::int64_t experts = 4;
  bool residual = false;
  std::int64_t sublayers = 1;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field(
        {.key = "residual",
         .help = "experts are stacks of residual nets, each normed by the expert itself, whose last matrices "
                 "start at 0, and nothing is dropped from the layer's output: the released code's layer, with "
                 "the model's extra_layers"},
        residual);
    visitor.field({.key = "sublayers", .help = "residual nets in the stack of an expert", .minimum = 1}, sublayers);
  }

  void check(const std::string& path, ConfigErrors& errors) const {
    errors.check(sublayers == 1 || residual, join_path(path, "sublayers"),
                 "a stack is of residual nets, so `residual` must be true.");
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
        centroid_ED_(register_parameter("weight", make_centroids(options.experts, context))) {
    if (!options.residual) return;
    const auto norm = register_module("norm", std::make_shared<torch::nn::Module>());
    scale_ND_ = norm->register_parameter("weight", torch::ones({nets(), context.width}));
    shift_ND_ = norm->register_parameter("bias", torch::zeros({nets(), context.width}));
  }

  ExpertLayout layout() const override { return {.count = nets(), .active = options_.sublayers}; }
  SublayerContract contract() const override {
    return {.normed = !options_.residual, .dropout = !options_.residual, .starts_as_identity = options_.residual};
  }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const torch::Tensor affinity_TE = gate_logits(x_TD, centroid_ED_, 0, context_, tokens);
    const torch::Tensor expert_T1 = tokens.call.phase == Phase::train ? balanced_assignment(affinity_TE, tokens)
                                                                      : best_experts(affinity_TE, 1, tokens);
    const torch::Tensor sigmoid_TE = affinity_TE.sigmoid();
    RoutingPlan plan = make_plan(expert_T1, {}, chosen_probabilities(sigmoid_TE, expert_T1), nets(), x_TD.device());
    plan.round_state_T = expert_T1.squeeze(1);
    if (options_.residual) plan.io.input_TD = normed(x_TD, plan.round_state_T);
    plan.statistics.logit_TE = affinity_TE.detach().to(torch::kFloat32);
    plan.statistics.probability_TE = sigmoid_TE.detach().to(torch::kFloat32);
    return plan;
  }

  /// The next net of the stack. With outputs f_s, y is a (f_0 + f_1 + ...), and net s sees x + f_0 + ... + f_(s - 1).
  std::optional<RoutingPlan> next_round(const torch::Tensor& state_TD, const torch::Tensor& y_TD, const Tokens& tokens,
                                        const RoutingPlan& last) override {
    const torch::Tensor net_T = last.round_state_T + options_.experts;
    if (tokens.valid == 0 || net_T.max().item<std::int64_t>() >= nets()) return std::nullopt;
    const torch::Tensor taken_T = net_T.masked_fill(tokens.valid_T.logical_not(), -1);
    const torch::Tensor weight_T = torch::ones({tokens.count()}, last.assignment.weight_M.options())
                                       .index_put({last.assignment.token_M}, last.assignment.weight_M);
    RoutingPlan plan = make_plan(taken_T.unsqueeze(1), {}, weight_T.unsqueeze(1), nets(), y_TD.device());
    plan.round_state_T = taken_T;
    // A weight that underflows leaves nothing of f_0 + ... in y, so there is nothing to divide back.
    const torch::Tensor divisor_T = weight_T.masked_fill(weight_T < smallest_weight, 1);
    plan.io.input_TD = normed(state_TD + y_TD / divisor_T.unsqueeze(1), taken_T);
    return plan;
  }

 private:
  /// Net s of expert e is number s E + e.
  std::int64_t nets() const { return options_.experts * options_.sublayers; }

  /// Each token's state, normed by the net that it is assigned to.
  torch::Tensor normed(const torch::Tensor& state_TD, const torch::Tensor& net_T) const {
    const torch::Tensor net = net_T.clamp_min(0).to(state_TD.device());
    const torch::Tensor unit_TD = torch::layer_norm(state_TD, {state_TD.size(1)});
    return unit_TD * scale_ND_.index_select(0, net) + shift_ND_.index_select(0, net);
  }

  BaseOptions options_;
  RouterContext context_;
  torch::Tensor centroid_ED_;
  torch::Tensor scale_ND_, shift_ND_;  ///< of the norm before each net; undefined: the block norms
};

}  // namespace

RouterEntry base_router() {
  RouterEntry entry = make_router_entry<BaseRouter, BaseOptions>(
      "base", "the assignment of tokens to equally loaded experts with the largest sum of affinities",
      "Lewis et al. 2021, BASE Layers (arXiv 2103.16716)", Json::object());
  entry.revision = 2;
  return entry;
}

}  // namespace moe

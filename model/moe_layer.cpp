#include "model/moe_layer.h"

#include "core/error.h"
#include "kernels/experts/expert_ffn.h"
#include "kernels/gemm/linear.h"
#include "model/initialisation.h"
#include "routers/routing_swap.h"

#include <ATen/record_function.h>
#include <torch/types.h>

#include <optional>
#include <utility>

// Legend: T tokens, D width, E experts, F hidden width of an expert; G groups of L rows and Q slots (soft MoE).

namespace moe {
namespace {

/// Rows mixed into slots, slots through the experts, and back.
template <class Apply>
torch::Tensor through_slots(const torch::Tensor& input_TD, const RoutingPlan& plan, Apply apply) {
  const std::int64_t groups = plan.mixing.dispatch_GQL.size(0), rows = plan.mixing.dispatch_GQL.size(2),
                     width = input_TD.size(1);
  const torch::Tensor input_GLD = input_TD.view({groups, rows, width});
  const torch::Tensor slot_GQD = plan.mixing.dispatch_GQL.to(input_TD.scalar_type()).bmm(input_GLD);
  const torch::Tensor output_GQD = apply(slot_GQD.reshape({-1, width})).view(slot_GQD.sizes());
  return plan.mixing.combine_GLQ.to(input_TD.scalar_type()).bmm(output_GQD).reshape(input_TD.sizes());
}

/// Each pair's output by itself, multiplied element by element, then weighted and added up.
template <class Experts>
torch::Tensor factored_outputs(const torch::Tensor& input_TD, const RoutingPlan& plan, const Experts& experts) {
  const torch::Tensor row_MD = input_TD.index_select(0, plan.assignment.token_M);
  const torch::Tensor output_MD = expert_ffn(row_MD, {}, {}, plan.assignment.expert_offsets.host(), experts);
  torch::Tensor factor_MD = plan.io.output_factor_MD;
  if (plan.assignment.weight_M.defined()) factor_MD = factor_MD * plan.assignment.weight_M.unsqueeze(1);
  return torch::zeros_like(input_TD).index_add(0, plan.assignment.token_M,
                                               output_MD * factor_MD.to(output_MD.scalar_type()));
}

}  // namespace

MoeLayer::MoeLayer(const std::string& name, const ExpertShape& shape, std::shared_ptr<Router> router,
                   std::uint64_t seed)
    : router_(register_module("router", std::move(router))),
      swaps_(RandomStream(seed).at(StreamTag::routing_swap).at(name)),
      layout_(router_->layout()),
      contract_(router_->contract()) {
  owned_ = shape.exchange == nullptr ? Share{0, layout_.count} : shape.exchange->owned_of(layout_.count);
  const std::int64_t first = owned_.first, experts = owned_.count();
  const std::int64_t hidden = layout_.hidden(shape.hidden);
  w1_EFD_ =
      register_parameter("w1", expert_parameter(experts, hidden, shape.width, shape.copy, seed, name + ".w1", first));
  b1_EF_ = register_parameter("b1", torch::zeros({experts, hidden}));
  const torch::Tensor w2_EDF = contract_.starts_as_identity ? torch::zeros({experts, shape.width, hidden})
                                                            : expert_parameter(experts, shape.width, hidden, shape.copy,
                                                                               seed, name + ".w2", first);
  w2_EDF_ = register_parameter("w2", w2_EDF);
  b2_ED_ = register_parameter("b2", torch::zeros({experts, shape.width}));
  if (shape.exchange == nullptr) return;
  const auto apply = [this](const torch::Tensor& x_MD, const std::vector<std::int64_t>& offsets) {
    return expert_ffn(x_MD, {}, {}, offsets, weights_for(x_MD.scalar_type(), /*merged=*/false));
  };
  exchanged_ = c10::make_intrusive<ExchangedExperts>(
      *shape.exchange, OwnedExperts{name, layout_.count, {w1_EFD_, b1_EF_, w2_EDF_, b2_ED_}, apply});
}

MoeOutput MoeLayer::forward(const torch::Tensor& x_TD, const Tokens& tokens, const torch::Tensor& state_TD) {
  const torch::Tensor& before_TD = state_TD.defined() ? state_TD : x_TD;
  RoutingPlan plan = route(x_TD, tokens);
  torch::Tensor y_TD = router_->after_round(before_TD, run_experts(x_TD, plan), tokens, plan);
  RoutingPlan last = plan;
  while (std::optional<RoutingPlan> next = router_->next_round(before_TD, y_TD, tokens, last)) {
    next = swapped(std::move(*next), tokens);
    y_TD = router_->after_round(before_TD, y_TD + run_experts(x_TD, *next), tokens, *next);
    plan = join_rounds(plan, *next);
    last = std::move(*next);
  }
  return {y_TD, std::move(plan)};
}

RoutingPlan MoeLayer::route(const torch::Tensor& x_TD, const Tokens& tokens) const {
  RECORD_USER_SCOPE("routing");
  return swapped(router_->route(x_TD, tokens), tokens);
}

RoutingPlan MoeLayer::swapped(RoutingPlan plan, const Tokens& tokens) const {
  if (tokens.call.swap == RoutingSwap::none) return plan;
  const RandomStream stream = swaps_.at(static_cast<std::int64_t>(tokens.call.swap)).at(tokens.call.sample);
  return with_swapped_routing(plan, tokens.call.swap, tokens, stream);
}

ExpertWeights MoeLayer::weights_for(torch::Dtype dtype, bool merged) const {
  const std::vector<torch::Tensor> parameters = expert_parameters();
  const auto weight = [&](std::size_t i) {
    if (!merged) return parameters[i].to(dtype);
    return (exchanged_ ? exchanged_->whole(i) : parameters[i]).mean(0, /*keepdim=*/true).to(dtype);
  };
  return {weight(0), weight(1), weight(2), weight(3), gradients_, merged ? 0 : owned_.first};
}

torch::Tensor MoeLayer::run_experts(const torch::Tensor& x_TD, const RoutingPlan& plan) const {
  const std::int64_t experts = plan.io.merged ? 1 : layout_.count;
  MOE_CHECK(plan.assignment.experts() == experts, "A plan for {} experts reached a layer of {}.",
            plan.assignment.experts(), experts);
  const torch::Dtype dtype = compute_type(x_TD);
  const torch::Tensor input_TD = (plan.io.input_TD.defined() ? plan.io.input_TD : x_TD).to(dtype);
  const auto apply_with = [&](const torch::Tensor& rows, const auto& those) {
    if (plan.io.output_factor_MD.defined()) return factored_outputs(rows, plan, those);
    return expert_ffn(rows, plan.assignment.token_M, plan.assignment.weight_M, plan.assignment.expert_offsets.host(),
                      those);
  };
  const auto apply = [&](const torch::Tensor& rows) {
    if (exchanged_ && !plan.io.merged) return apply_with(rows, c10::intrusive_ptr<RemoteExperts>(exchanged_));
    return apply_with(rows, weights_for(dtype, plan.io.merged));
  };
  torch::Tensor y_TD = plan.mixing.defined() ? through_slots(input_TD, plan, apply) : apply(input_TD);
  if (plan.io.input_weight_T.defined()) y_TD = y_TD + input_TD * plan.io.input_weight_T.to(dtype).unsqueeze(1);
  return y_TD;
}

}  // namespace moe

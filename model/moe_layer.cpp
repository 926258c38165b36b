#include "model/moe_layer.h"

#include "core/error.h"
#include "kernels/expert_ffn.h"
#include "model/initialisation.h"

#include <ATen/autocast_mode.h>
#include <torch/types.h>

// Legend: T tokens, D width, E experts, F hidden width of an expert.

namespace moe {

MoeLayer::MoeLayer(const std::string& name, const ExpertShape& shape, std::shared_ptr<Router> router,
                   std::uint64_t seed)
    : router_(register_module("router", std::move(router))), layout_(router_->layout()) {
  const std::int64_t experts = layout_.count;
  const std::int64_t hidden = shape.hidden * layout_.width_factor;
  w1_EFD_ = register_parameter("w1", expert_parameter(experts, hidden, shape.width, shape.copy, seed, name + ".w1"));
  b1_EF_ = register_parameter("b1", torch::zeros({experts, hidden}));
  w2_EDF_ = register_parameter("w2", expert_parameter(experts, shape.width, hidden, shape.copy, seed, name + ".w2"));
  b2_ED_ = register_parameter("b2", torch::zeros({experts, shape.width}));
}

MoeOutput MoeLayer::forward(const torch::Tensor& x_TD, const Tokens& tokens) {
  RoutingPlan plan = router_->route(x_TD, tokens);
  MOE_CHECK(plan.experts() == layout_.count, "A plan for {} experts reached a layer of {}.", plan.experts(),
            layout_.count);
  const torch::Dtype dtype =
      at::autocast::is_autocast_enabled(x_TD.device().type()) && x_TD.scalar_type() == torch::kFloat32
          ? at::autocast::get_autocast_dtype(x_TD.device().type())
          : x_TD.scalar_type();
  const ExpertWeights weights{w1_EFD_.to(dtype), b1_EF_.to(dtype), w2_EDF_.to(dtype), b2_ED_.to(dtype)};
  torch::Tensor y_TD = expert_ffn(x_TD.to(dtype), plan.token_M, plan.weight_M, plan.expert_offsets, weights);
  return {y_TD, std::move(plan)};
}

}  // namespace moe

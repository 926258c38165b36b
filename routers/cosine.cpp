// Cosine routing (Chi et al. 2022): states are projected to a small space, and the logit of an expert is the cosine to
// its vector there times a learned scale. Large states can no longer make a gate certain.
#include "kernels/gemm/linear.h"
#include "routers/token_choice.h"

#include <torch/types.h>

#include <cmath>

// Legend: T tokens, D width, P projected width, E experts.

namespace moe {
namespace {

constexpr double first_temperature = 0.5, largest_scale = 100;

struct CosineOptions {
  TopKOptions top_k;
  std::int64_t projection = 256;

  void visit(FieldVisitor& visitor) {
    top_k.visit(visitor);
    visitor.field({.key = "projection", .help = "width of the space in which the cosine is taken", .minimum = 1},
                  projection);
  }
  void check(const std::string& path, ConfigErrors& errors) const { top_k.check(path, errors); }
};

class CosineRouter : public TokenChoiceRouter {
 public:
  CosineRouter(const CosineOptions& options, const RouterContext& context)
      : TokenChoiceRouter(options.top_k.choice, options.top_k.k, context) {
    const double deviation = 1 / std::sqrt(static_cast<double>(context.width));
    projection_PD_ = register_parameter(
        "projection", make_router_weight(options.projection, context.width, deviation, "projection", context));
    expert_EP_ = register_parameter(
        "weight", make_router_weight(options.top_k.choice.experts, options.projection, 1, "gate", context));
    log_scale_ = register_parameter("log_scale", torch::full({1}, -std::log(first_temperature)));
  }

 protected:
  GateScores score(const torch::Tensor& x_TD, const Tokens& tokens) override {
    return softmax_scores(policy().noise, context(), tokens, [&](double jitter) {
      return logits(gate_logits(x_TD, projection_PD_, jitter, context(), tokens));
    });
  }

 private:
  torch::Tensor logits(const torch::Tensor& projected_TP) const {
    const auto unit = [](const torch::Tensor& rows) { return rows / rows.norm(2, {1}, true).clamp_min(1e-12); };
    const torch::Tensor expert_EP = expert_EP_.to(projected_TP.scalar_type());
    const torch::Tensor scale = log_scale_.to(projected_TP.scalar_type()).exp().clamp_max(largest_scale);
    return fused_linear(unit(projected_TP), unit(expert_EP)) * scale;
  }

  torch::Tensor projection_PD_, expert_EP_, log_scale_;
};

}  // namespace

RouterEntry cosine_router() {
  return make_router_entry<CosineRouter, CosineOptions>(
      "cosine", "the k experts nearest in angle, in a projected space",
      "Chi et al. 2022, On the Representation Collapse of Sparse MoE (arXiv 2204.09179)", {{"balance_loss", 0.01}});
}

}  // namespace moe

// Switch routing (Fedus et al. 2021, section 2.1): each token goes to the one expert with the highest probability
// p = softmax(W x), and the expert's output is multiplied by p_e. That product is the only way by which the cross
// entropy reaches W, so p_e is not renormalised. A token without a slot gets 0 from the layer and lives on in the
// residual.
#include "routers/gating.h"
#include "routers/router.h"

#include <torch/types.h>

namespace moe {
namespace {

struct SwitchOptions {
  std::int64_t experts = 4;
  std::string pick = "argmax";
  double jitter = 0;
  CapacityOptions capacity;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field({.key = "pick",
                   .help = "how training picks the expert: the most probable one, or a draw from the probabilities; "
                           "evaluation takes the most probable one",
                   .choices = {"argmax", "sample"}},
                  pick);
    visitor.field({.key = "jitter",
                   .help = "the gate, and only the gate, sees its input times U[1 - jitter, 1 + jitter] in training",
                   .minimum = 0,
                   .maximum = 1},
                  jitter);
    capacity.visit(visitor);
  }
};

class SwitchRouter : public Router {
 public:
  SwitchRouter(SwitchOptions options, const RouterContext& context)
      : options_(std::move(options)),
        context_(context),
        gate_ED_(register_parameter("gate", make_gate_weight(options_.experts, context))) {}

  ExpertLayout layout() const override { return {.count = options_.experts}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const GateScores scores = softmax_gate(x_TD, gate_ED_, options_.jitter, context_, tokens);
    const torch::Tensor expert_T1 = pick(scores.logit_TE, tokens);
    const torch::Tensor kept_T1 = fill_slots(expert_T1, options_.experts, options_.capacity, tokens);
    const torch::Tensor weight_T1 = chosen_probabilities(scores.probability_TE, expert_T1);
    RoutingPlan plan = make_plan(expert_T1, kept_T1, weight_T1, options_.experts, x_TD.device());
    plan.balance_loss = load_balancing_loss(scores.probability_TE, expert_T1, true, options_.capacity.group, tokens);
    record_gate(scores, tokens, plan);
    return plan;
  }

 protected:
  torch::Tensor& gate() { return gate_ED_; }

 private:
  torch::Tensor pick(const torch::Tensor& logit_TE, const Tokens& tokens) const {
    if (options_.pick == "argmax" || tokens.phase == Phase::evaluate) return best_experts(logit_TE, 1, tokens);
    torch::Tensor expert_T1 = torch::full({tokens.count(), 1}, -1, torch::kInt64);
    sample_experts(logit_TE, 0, call_stream(StreamTag::random_route, context_, tokens), tokens, expert_T1);
    return expert_T1;
  }

  SwitchOptions options_;
  RouterContext context_;
  torch::Tensor gate_ED_;
};

/// Exactly one thing differs from switch: the gate keeps its first values. The balance loss stays in the objective (it
/// still shapes the states that the gate sees), so that the pair shows what learning the gate adds.
class FrozenRouter : public SwitchRouter {
 public:
  FrozenRouter(SwitchOptions options, const RouterContext& context) : SwitchRouter(std::move(options), context) {
    gate().set_requires_grad(false);
  }
};

const char* const source = "Fedus, Zoph and Shazeer 2021, Switch Transformers (arXiv 2101.03961)";
Json objective() {
  return {{"balance_loss", 0.01}};
}

}  // namespace

RouterEntry switch_router() {
  return make_router_entry<SwitchRouter, SwitchOptions>("switch", "the most probable expert, without a capacity limit",
                                                        source, objective());
}

RouterEntry switch_paper_router() {
  SwitchOptions options;
  options.capacity.capacity_factor = 1.25;
  options.jitter = 0.01;
  return make_router_entry<SwitchRouter>("switch-paper", "switch as in its paper: capacity factor 1.25, jitter 0.01",
                                         source, objective(), false, options);
}

RouterEntry frozen_router() {
  return make_router_entry<FrozenRouter, SwitchOptions>("frozen", "switch whose gate is never trained",
                                                        "control of this suite", objective());
}

}  // namespace moe

// Switch routing (Fedus et al. 2021, section 2.1): each token goes to the one expert with the highest probability
// p = softmax(W x), and the expert's output is multiplied by p_e. That product is the only way by which the cross
// entropy reaches W, so p_e is not renormalised. A token without a slot gets 0 from the layer and lives on in the
// residual.
#include "routers/choices.h"
#include "routers/compat.h"
#include "routers/streams.h"
#include "routers/token_choice.h"

#include <torch/types.h>

#include <array>
#include <string>

namespace moe {
namespace {

enum class Pick { argmax, sample };
constexpr auto picks = std::to_array<Choice<Pick>>({{"argmax", Pick::argmax}, {"sample", Pick::sample}});

/// What a token without a slot gets.
enum class DroppedToken { zero, input };
constexpr auto dropped_tokens =
    std::to_array<Choice<DroppedToken>>({{"zero", DroppedToken::zero}, {"input", DroppedToken::input}});

struct SwitchOptions {
  TokenChoiceOptions choice;
  std::string pick = "argmax";
  std::string dropped = "zero";
  std::string compat = no_profile;

  static const CompatProfiles& profiles() { return switch_profiles(); }

  void visit(FieldVisitor& visitor) {
    choice.visit(visitor, 1);
    visitor.field({.key = "pick",
                   .help = "how training picks the expert: the most probable one, or a draw from the probabilities; "
                           "evaluation takes the most probable one",
                   .choices = rule_names(picks)},
                  pick);
    visitor.field({.key = "dropped",
                   .help = "what a token without a slot gets: nothing, or its own state times its probability "
                           "(transformers before its pull request 37123)",
                   .choices = rule_names(dropped_tokens)},
                  dropped);
    visit_compat(visitor, profiles(), compat);
  }
};

class SwitchRouter : public SoftmaxGateRouter {
 public:
  SwitchRouter(const SwitchOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.choice, 1, context),
        pick_(choice_named(picks, options.pick)),
        dropped_(choice_named(dropped_tokens, options.dropped)) {}

 protected:
  torch::Tensor candidates(const torch::Tensor& logit_TE, const Tokens& tokens) const override {
    if (pick_ == Pick::argmax || tokens.call.phase == Phase::evaluate) return best_experts(logit_TE, 1, tokens);
    torch::Tensor expert_T1 = torch::full({tokens.count(), 1}, -1, torch::kInt64);
    sample_experts(logit_TE, 0, call_stream(StreamTag::random_route, context(), tokens), tokens, expert_T1);
    return expert_T1;
  }

  void complete(const GateScores& /*scores*/, const Decision& decision, const Tokens& /*tokens*/,
                RoutingPlan& plan) const override {
    if (dropped_ == DroppedToken::zero) return;
    const torch::Tensor dropped_T1 = (decision.expert_TK >= 0).logical_and(decision.kept_TK.logical_not());
    plan.io.input_weight_T = (decision.probability_TK * dropped_T1.to(decision.probability_TK.device())).squeeze(1);
  }

 private:
  Pick pick_;
  DroppedToken dropped_;
};

/// Exactly one thing differs from switch: the gate keeps its first values. The balance loss stays in the objective (it
/// still shapes the states that the gate sees), so that the pair shows what learning the gate adds.
class FrozenRouter : public SwitchRouter {
 public:
  FrozenRouter(const SwitchOptions& options, const RouterContext& context) : SwitchRouter(options, context) {
    gate().set_requires_grad(false);
  }
};

const char* const switch_source = "Fedus, Zoph and Shazeer 2021, Switch Transformers (arXiv 2101.03961)";
Json switch_objective() {
  return {{"balance_loss", 0.01}};
}

}  // namespace

RouterEntry switch_router() {
  return make_router_entry<SwitchRouter, SwitchOptions>("switch", "the most probable expert, without a capacity limit",
                                                        switch_source, switch_objective());
}

RouterEntry switch_paper_router() {
  SwitchOptions options;
  options.choice.capacity.capacity_factor = 1.25;
  options.choice.noise.jitter = 0.01;
  return make_router_entry<SwitchRouter>("switch-paper", "switch as in its paper: capacity factor 1.25, jitter 0.01",
                                         switch_source, switch_objective(), false, options);
}

RouterEntry frozen_router() {
  return make_router_entry<FrozenRouter, SwitchOptions>("frozen", "switch whose gate is never trained",
                                                        "control of this suite", switch_objective());
}

}  // namespace moe

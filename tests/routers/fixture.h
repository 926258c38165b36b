#pragma once
// What the router tests share: Fixture A, whose numbers are worked out by hand, and routers fed with logits directly.
//
// Fixture A: 6 tokens, 3 experts. Expert e computes (e + 1) * x on the scalar x = 1.

#include "core/error.h"
#include "routers/registry.h"
#include "routers/router.h"
#include "tests/support/tokens.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <string>

namespace moe {

inline torch::Tensor fixture_logits(torch::Dtype dtype = torch::kFloat32) {
  return torch::tensor(
      {{2.0, 1.0, 0.0}, {2.2, 0.0, 1.0}, {1.0, 2.0, 0.0}, {3.0, 0.0, 0.0}, {0.0, 1.0, 2.0}, {2.0, 1.5, 0.0}}, dtype);
}

/// The tokens of Fixture A, the last of them padding.
inline Tokens last_is_padding() {
  Tokens tokens = one_sentence(6);
  make_padding(tokens, 5);
  return tokens;
}

/// A router from options as a sweep file gives them.
inline std::shared_ptr<Router> build(const std::string& name, const Json& options = Json::object(),
                                     const RouterContext& context = {}) {
  return make_router(name, options, context, "test");
}

/// A router whose gate is the identity, so that the states given to it are its logits.
inline std::shared_ptr<Router> build_on_logits(const std::string& name, std::int64_t experts,
                                               Json options = Json::object(), RouterContext context = {}) {
  options["experts"] = experts;
  context.width = experts;
  std::shared_ptr<Router> router = build(name, options, context);
  const torch::NoGradGuard no_gradient;
  router->named_parameters()["weight"].copy_(torch::eye(experts));
  return router;
}

/// Expert of each kept pair.
inline torch::Tensor experts_of(const RoutingPlan& plan) {
  torch::Tensor expert_M = torch::empty({plan.assignment.count()}, torch::kInt64);
  for (std::int64_t e = 0; e < plan.assignment.experts(); ++e) {
    expert_M
        .slice(0, plan.assignment.expert_offsets.host()[static_cast<std::size_t>(e)],
               plan.assignment.expert_offsets.host()[static_cast<std::size_t>(e) + 1])
        .fill_(e);
  }
  return expert_M;
}

inline torch::Tensor weights_of(const RoutingPlan& plan) {
  return plan.assignment.weight_M.defined() ? plan.assignment.weight_M : torch::ones({plan.assignment.count()});
}

/// What the layer would compute in Fixture A: y_t = sum over kept pairs of weight * (e + 1).
inline torch::Tensor combine(const RoutingPlan& plan, std::int64_t tokens) {
  const torch::Tensor weight_M = weights_of(plan);
  return torch::zeros({tokens}, weight_M.options())
      .index_add(0, plan.assignment.token_M, weight_M * (experts_of(plan) + 1));
}

/// Weights as a table [T, E], 0 where the pair is not kept.
inline torch::Tensor weight_table(const RoutingPlan& plan, std::int64_t tokens) {
  const torch::Tensor weight_M = weights_of(plan).detach();
  torch::Tensor table_TE = torch::zeros({tokens, plan.assignment.experts()}, weight_M.options());
  table_TE.index_put_({plan.assignment.token_M, experts_of(plan)}, weight_M);
  return table_TE;
}

/// The weights of a mixing plan, by the name of what was decided.
inline std::map<std::string, double> mixing_decisions(const RoutingPlan& plan, const Tokens& tokens) {
  std::map<std::string, double> result;
  const torch::Tensor combine_TQ = plan.mixing.combine_GLQ.detach().reshape({tokens.count(), -1}).to(torch::kFloat64);
  const torch::Tensor dispatch_TQ =
      plan.mixing.dispatch_GQL.detach().transpose(1, 2).reshape({tokens.count(), -1}).to(torch::kFloat64);
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (!tokens.valid_T[t].item<bool>()) continue;
    const std::string name = fmt::format("sentence {}, position {}", tokens.sentence_T[t].item<std::int64_t>(),
                                         tokens.position_T[t].item<std::int64_t>());
    for (std::int64_t q = 0; q < combine_TQ.size(1); ++q) {
      result[fmt::format("{}, to slot {}", name, q)] = dispatch_TQ[t][q].item<double>();
      result[fmt::format("{}, from slot {}", name, q)] = combine_TQ[t][q].item<double>();
    }
  }
  return result;
}

/// The weight of each kept pair by the name of what was decided: equal for equal decisions, whatever the batch.
inline std::map<std::string, double> decisions(const RoutingPlan& plan, const Tokens& tokens) {
  if (plan.mixing.dispatch_GQL.defined()) return mixing_decisions(plan, tokens);
  std::map<std::string, double> result;
  const torch::Tensor expert_M = experts_of(plan);
  const torch::Tensor weight_M = weights_of(plan).detach().to(torch::kFloat64);
  for (std::int64_t m = 0; m < plan.assignment.count(); ++m) {
    const auto token = plan.assignment.token_M[m].item<std::int64_t>();
    const std::string name =
        fmt::format("sentence {}, position {}, expert {}", tokens.sentence_T[token].item<std::int64_t>(),
                    tokens.position_T[token].item<std::int64_t>(), expert_M[m].item<std::int64_t>());
    result[name] = weight_M[m].item<double>();
  }
  return result;
}

}  // namespace moe

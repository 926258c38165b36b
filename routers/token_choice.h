#pragma once
// What routers have in common whose tokens choose experts by a gate: score, choose, give slots, weigh.
//
// Legend: T tokens, D width, E experts, K choices per token.

#include "routers/balance_loss.h"
#include "routers/gating.h"
#include "routers/router.h"
#include "routers/slots.h"

#include <torch/types.h>

#include <cstdint>
#include <string>

namespace moe {

struct TokenChoiceOptions {
  std::int64_t experts = 4;
  std::string normalise = "none";
  BalanceOptions balance = {};
  std::string z_padding = "excluded";
  GateNoise noise = {};
  CapacityOptions capacity = {};

  /// `choices`: how many experts a token chooses; there have to be as many.
  void visit(FieldVisitor& visitor, std::int64_t choices);
  /// Adds an error for what as many choices do not have.
  void check_choices(std::int64_t choices, const std::string& path, ConfigErrors& errors) const;
};

/// What a router holds of its TokenChoiceOptions: names looked up.
struct TokenChoicePolicy {
  /// What a token's weights are divided by.
  enum class Normalise {
    none,
    before,  ///< their sum over all candidates, so that skipped and dropped choices alike leave a sum below 1
    after,   ///< their sum over kept choices: a lone survivor has weight 1
    batch    ///< their sum over all tokens of the call
  };

  explicit TokenChoicePolicy(const TokenChoiceOptions& options);

  std::int64_t experts;
  Normalise normalise;
  BalanceRule balance;
  PaddingInZ z_padding;
  GateNoise noise;
  Capacity capacity;
};

/// Of a router whose number of choices is an option.
struct TopKOptions {
  TokenChoiceOptions choice;
  std::int64_t k = 1;

  void visit(FieldVisitor& visitor);
  void check(const std::string& path, ConfigErrors& errors) const;
};

/// Tokens of a sentence as one: whatever is drawn for them is drawn once.
Tokens one_place(Tokens tokens);

/// What became of the choices of a call.
struct Decision {
  torch::Tensor probability_TK;  ///< of the chosen experts, with gradient
  torch::Tensor expert_TK;       ///< int64 on the CPU; -1 for padding and skipped choices
  torch::Tensor kept_TK;         ///< bool on the CPU: which found a slot
};

/// A derived class scores the experts, and may say which are candidates, which of them are used and with what weight.
class TokenChoiceRouter : public Router {
 public:
  ExpertLayout layout() const override { return {.count = policy_.experts, .active = choices_}; }
  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override;

 protected:
  TokenChoiceRouter(const TokenChoiceOptions& options, std::int64_t choices, const RouterContext& context)
      : policy_(options), choices_(choices), context_(context) {}

  virtual GateScores score(const torch::Tensor& x_TD, const Tokens& tokens) = 0;
  /// int64 [T, K] on the CPU, -1 for padding. Default: the best by logit_TE.
  virtual torch::Tensor candidates(const torch::Tensor& logit_TE, const Tokens& tokens) const;
  /// The candidates without those that a policy skips (-1). Default: all. probability_TK: of the candidates.
  virtual torch::Tensor used(const torch::Tensor& candidate_TK, const torch::Tensor& probability_TK,
                             const Tokens& tokens) const;
  /// Combine weights [T, K]; those of choices that are not kept mean nothing. Default: by the option `normalise`.
  virtual torch::Tensor combine_weights(const Decision& decision, const Tokens& tokens) const;
  /// Adds what else a router wants to say. Default: nothing.
  virtual void complete(const GateScores& /*scores*/, const Decision& /*decision*/, const Tokens& /*tokens*/,
                        RoutingPlan& /*plan*/) const {}

  const TokenChoicePolicy& policy() const { return policy_; }
  const RouterContext& context() const { return context_; }

 private:
  TokenChoicePolicy policy_;
  std::int64_t choices_;
  RouterContext context_;
};

/// With a linear gate, `weight` [E, D], and a softmax over the experts.
class SoftmaxGateRouter : public TokenChoiceRouter {
 protected:
  SoftmaxGateRouter(const TokenChoiceOptions& options, std::int64_t choices, const RouterContext& context);

  GateScores score(const torch::Tensor& x_TD, const Tokens& tokens) override;

  torch::Tensor& gate() { return gate_ED_; }

 private:
  torch::Tensor gate_ED_;
};

}  // namespace moe

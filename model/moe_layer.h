#pragma once
// The MoE layer: router -> plan -> experts. It never asks which router it holds.

#include "kernels/experts/expert_weights.h"
#include "model/exchanged_experts.h"
#include "parallel/expert_exchange.h"
#include "routers/router.h"

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

namespace moe {

/// What a feed-forward block of the Transformer is: a plain net, or E experts behind a router.
struct ExpertShape {
  std::int64_t width = 0;              ///< D
  std::int64_t hidden = 0;             ///< F of one expert, before the layout's width factor
  bool copy = false;                   ///< all experts start as expert 0
  ExpertExchange* exchange = nullptr;  ///< of the ranks that the experts are spread over; null: all are here
};

struct MoeOutput {
  torch::Tensor y_TD;  ///< dtype of the experts; 0 for padding and for tokens that found no slot
  RoutingPlan plan;    ///< of all rounds
};

class MoeLayer : public torch::nn::Module {
 public:
  /// `name` keys the initial values of the experts.
  MoeLayer(const std::string& name, const ExpertShape& shape, std::shared_ptr<Router> router, std::uint64_t seed);

  /// x_TD: [T, D] normed token states; state_TD: the states themselves, to which the output will be added (undefined:
  /// the same).
  MoeOutput forward(const torch::Tensor& x_TD, const Tokens& tokens, const torch::Tensor& state_TD = {});

  Router& router() { return *router_; }
  const ExpertLayout& layout() const { return layout_; }
  const SublayerContract& contract() const { return contract_; }
  /// The experts that this rank owns.
  const Share& owned() const { return owned_; }
  /// The stacked parameters, each with the owned experts along dimension 0.
  std::vector<torch::Tensor> expert_parameters() const { return {w1_EFD_, b1_EF_, w2_EDF_, b2_ED_}; }

 private:
  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) const;
  /// The plan, or the one with the choices that the call asks for in their place.
  RoutingPlan swapped(RoutingPlan plan, const Tokens& tokens) const;
  /// What the experts make of the tokens, by one round's plan.
  torch::Tensor run_experts(const torch::Tensor& x_TD, const RoutingPlan& plan) const;
  /// Weights in this dtype; of `merged` experts the mean over all, as one.
  ExpertWeights weights_for(torch::Dtype dtype, bool merged) const;

  std::shared_ptr<Router> router_;
  RandomStream swaps_;
  ExpertLayout layout_;
  SublayerContract contract_;
  Share owned_;
  c10::intrusive_ptr<ExchangedExperts> exchanged_;  ///< null: all experts are here
  torch::Tensor w1_EFD_, b1_EF_, w2_EDF_, b2_ED_;
  c10::intrusive_ptr<GradientStores> gradients_ = c10::make_intrusive<GradientStores>();
};

}  // namespace moe

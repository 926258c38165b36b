#pragma once
// The router seam: the one interface between the MoE layer and every routing strategy.
//
//     auto router = find_router("switch").make(options, context);   // once per MoE layer
//     RoutingPlan plan = router->route(x_TD, tokens);               // each call: decides, computes nothing else
//     router->after_step(load);                                     // once per optimiser step
//
// A router is a torch module: its parameters and buffers are trained, checkpointed and moved with the model. The layer
// never asks which router it holds; if it ever wants to, a field is missing here.

#include "core/config.h"
#include "core/random.h"
#include "routers/compat.h"
#include "routers/entry.h"
#include "routers/plan.h"
#include "routers/tokens.h"

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// How the experts of a layer are laid out: `count` feed-forward nets, each width_factor / width_divisor times as wide
/// as the block's FFN.
struct ExpertLayout {
  std::int64_t count = 1;
  std::int64_t width_factor = 1;
  std::int64_t width_divisor = 1;
  std::int64_t active = 1;  ///< experts that one token passes through in training

  /// Hidden width of an expert in a block whose FFN is `ffn` wide; throws where that does not divide.
  std::int64_t hidden(std::int64_t ffn) const;
};

/// What the block does around the layer, and how its experts start.
struct SublayerContract {
  bool normed = true;               ///< the block norms the states for the layer; false: the layer does so itself
  bool dropout = true;              ///< the block drops elements of the layer's output in training, as of any sublayer
  bool starts_as_identity = false;  ///< the last matrix of every expert starts at 0
  bool reads_memory = false;        ///< the router reads Tokens::memory_RD in the decoder
};

class Router : public torch::nn::Module {
 public:
  virtual ExpertLayout layout() const = 0;

  /// Default: as of any sublayer.
  virtual SublayerContract contract() const { return {}; }

  /// Decides for all tokens of a call. x_TD: [T, D] states as the experts will see them, any floating dtype; gates
  /// compute in float32. Every random draw is a function of (seed, stream tag, layer, step or sample, forward pass,
  /// sentence, position), so a token's routing depends neither on padding nor, without a capacity limit, on its batch
  /// mates.
  virtual RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) = 0;

  /// Another round through the experts, for routers that send tokens through several in turn, or none. state_TD: the
  /// states before the layer, to which the block will add the output (x_TD is their norm); y_TD: the sum of the outputs
  /// so far.
  virtual std::optional<RoutingPlan> next_round(const torch::Tensor& /*state_TD*/, const torch::Tensor& /*y_TD*/,
                                                const Tokens& /*tokens*/, const RoutingPlan& /*last*/) {
    return std::nullopt;
  }

  /// What becomes of the sum of the outputs so far after the round of `last`. Default: it stays.
  virtual torch::Tensor after_round(const torch::Tensor& /*state_TD*/, const torch::Tensor& y_TD,
                                    const Tokens& /*tokens*/, const RoutingPlan& /*last*/) {
    return y_TD;
  }

  /// How many weights of the router a token is multiplied with, for counting FLOPs. Default: all of them.
  virtual std::int64_t weights_per_token() const;

  /// Told the number of assignments per expert of each optimiser step, over all its forward passes and micro-batches.
  virtual void after_step(const std::vector<std::int64_t>& /*load*/) {}
};

/// The entry of a router class with an options struct. `Options` has visit(FieldVisitor&) and, for rules over several
/// keys, check(path, ConfigErrors&); with the option `compat`, also the profiles() that resolve expands. `RouterClass`
/// is constructed from (Options, RouterContext). `defaults` are the options of this name: a paper's own setting is a
/// second entry with other defaults.
template <class RouterClass, class Options>
RouterEntry make_router_entry(std::string name, std::string summary, std::string source, Json objective,
                              bool stochastic_evaluation = false, Options defaults = {}) {
  RouterEntry entry{std::move(name),
                    std::move(summary),
                    std::move(source),
                    std::move(objective),
                    stochastic_evaluation,
                    false,
                    false,
                    {},
                    {},
                    {},
                    {}};
  entry.list_options = [defaults] { return list_fields(defaults); };
  entry.options_schema = [defaults] { return schema_of(defaults); };
  entry.resolve = [defaults](const Json& json, const std::string& path, ConfigErrors& errors) {
    Options options = defaults;
    if constexpr (requires { Options::profiles(); }) {
      read_settings(options, expand_profile(json, Options::profiles()), path, errors);
    } else {
      read_settings(options, json, path, errors);
    }
    if constexpr (requires { options.check(path, errors); }) options.check(path, errors);
    return write_settings(options);
  };
  entry.make = [](const Json& json, const RouterContext& context) -> std::shared_ptr<Router> {
    Options options;
    ConfigErrors errors;
    read_settings(options, json, "strategy", errors);
    errors.throw_if_any("router options");
    return std::make_shared<RouterClass>(options, context);
  };
  return entry;
}

}  // namespace moe

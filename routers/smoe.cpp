// Stratified experts (Xu et al. 2023, SMoE): the experts stand in ordered strata. Gate i chooses among the experts of
// strata i and later; a token whose best expert stands in stratum j goes on to gate j + 1, and leaves after an expert
// of the last stratum. So a token passes through 1 to L experts, as many as it needs. Each round adds to the token's
// state, and gates and experts after the first see the state through a norm of their own. The released code norms the
// states themselves, also on the way out, and adds to the normed ones (`norm` = states); ours leaves the sum alone,
// like every other layer.
#include "core/error.h"
#include "routers/choices.h"
#include "routers/token_choice.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <numeric>

// Legend: T tokens, D width, E experts, K choices, L strata.

namespace moe {
namespace {

/// What is normed between rounds.
enum class Normed { inputs, states };
constexpr auto normed_parts = std::to_array<Choice<Normed>>({{"inputs", Normed::inputs}, {"states", Normed::states}});

struct SmoeOptions {
  TopKOptions top_k = {.choice = {.normalise = "after"}, .k = 2};
  Json strata = 2;
  std::string norm = "inputs";

  void visit(FieldVisitor& visitor) {
    top_k.visit(visitor);
    visitor.field({.key = "strata",
                   .help = "number of strata of equal size, or the list of their sizes",
                   .schema = {{"type", Json::array({"integer", "array"})},
                              {"minimum", 1},
                              {"items", {{"type", "integer"}, {"minimum", 1}}}}},
                  strata);
    visitor.field(
        {.key = "norm",
         .help = "what is normed between rounds: what the next round sees (inputs), or the states themselves, "
                 "before each later round and on the way out, without dropout on the layer's output (states: "
                 "the released code)",
         .choices = rule_names(normed_parts)},
        norm);
  }

  /// Experts of each stratum; empty when the option fits no layer of as many experts.
  std::vector<std::int64_t> sizes() const {
    const std::int64_t experts = top_k.choice.experts;
    if (strata.is_number_integer()) {
      const auto count = strata.get<std::int64_t>();
      if (count < 1 || experts % count != 0) return {};
      return std::vector<std::int64_t>(static_cast<std::size_t>(count), experts / count);
    }
    std::vector<std::int64_t> sizes;
    for (const Json& size : strata) {
      if (!size.is_number_integer() || size < 1 || size > experts) return {};
      sizes.push_back(size.get<std::int64_t>());
    }
    if (std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) != experts) return {};
    return sizes;
  }

  void check(const std::string& path, ConfigErrors& errors) const {
    top_k.check(path, errors);
    const std::vector<std::int64_t> strata_sizes = sizes();
    errors.check(!strata_sizes.empty(), join_path(path, "strata"),
                 fmt::format("found {}; expected a number that divides the {} experts, or sizes that add up to it.",
                             strata.dump(), top_k.choice.experts));
    if (!strata_sizes.empty()) {
      errors.check(
          strata_sizes.back() >= top_k.k, join_path(path, "strata"),
          fmt::format("the last stratum has {} experts, too few for {} choices.", strata_sizes.back(), top_k.k));
    }
  }
};

/// The gate of one stratum: top-k routing among the experts from `first` on. Its weight has a row for every expert.
class StratumGate : public TokenChoiceRouter {
 public:
  StratumGate(const TopKOptions& options, std::int64_t first, const torch::Tensor& weight_ED,
              const RouterContext& context)
      : TokenChoiceRouter(visible(options.choice, first), options.k, context),
        first_(first),
        weight_ED_(register_parameter("weight", weight_ED)) {}

  /// The decision, with experts counted from the first of the layer.
  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    RoutingPlan plan = TokenChoiceRouter::route(x_TD, tokens);
    std::vector<std::int64_t> offset = plan.assignment.expert_offsets.host();
    offset.insert(offset.begin(), static_cast<std::size_t>(first_), 0);
    plan.assignment.expert_offsets = std::move(offset);
    plan.statistics.choice_T =
        torch::where(plan.statistics.choice_T < 0, plan.statistics.choice_T, plan.statistics.choice_T + first_);
    plan.statistics.logit_TE =
        torch::constant_pad_nd(plan.statistics.logit_TE, {first_, 0}, -std::numeric_limits<float>::infinity());
    plan.statistics.probability_TE = torch::constant_pad_nd(plan.statistics.probability_TE, {first_, 0});
    for (LoadBalance& balance : plan.losses.balance_parts) {
      balance.share_GE = torch::constant_pad_nd(balance.share_GE, {first_, 0});
      balance.probability_GE = torch::constant_pad_nd(balance.probability_GE, {first_, 0});
    }
    return plan;
  }

 protected:
  GateScores score(const torch::Tensor& x_TD, const Tokens& tokens) override {
    return softmax_gate(x_TD, weight_ED_.slice(0, first_), policy().noise, context(), tokens);
  }

 private:
  static TokenChoiceOptions visible(TokenChoiceOptions options, std::int64_t first) {
    options.experts -= first;
    return options;
  }

  std::int64_t first_;
  torch::Tensor weight_ED_;
};

/// Scale and shift of a layer norm.
class Norm : public torch::nn::Module {
 public:
  explicit Norm(std::int64_t width)
      : weight_D_(register_parameter("weight", torch::ones({width}))),
        bias_D_(register_parameter("bias", torch::zeros({width}))) {}

  torch::Tensor operator()(const torch::Tensor& x_TD) const {
    return torch::layer_norm(x_TD, {x_TD.size(1)}, weight_D_.to(x_TD.scalar_type()), bias_D_.to(x_TD.scalar_type()));
  }

 private:
  torch::Tensor weight_D_, bias_D_;
};

class SmoeRouter : public Router {
 public:
  SmoeRouter(const SmoeOptions& options, const RouterContext& context)
      : options_(options.top_k), norms_states_(choice_named(normed_parts, options.norm) == Normed::states) {
    const std::vector<std::int64_t> sizes = options.sizes();
    const auto norms = std::make_shared<torch::nn::Module>();
    std::int64_t first = 0;
    for (std::size_t stratum = 0; stratum < sizes.size(); ++stratum) {
      const std::string number = std::to_string(stratum);
      const torch::Tensor weight_ED = make_router_weight(options_.choice.experts, context.width, 0.02,
                                                         stratum == 0 ? "gate" : "gate " + number, context);
      RouterContext of_gate = context;  // each gate draws for itself
      if (stratum > 0) of_gate.seed = RandomStream(context.seed).at("gate " + number).bits();
      gates_.push_back(register_module(number, std::make_shared<StratumGate>(options_, first, weight_ED, of_gate)));
      if (stratum > 0 || norms_states_) {
        norms_.push_back(norms->register_module(std::to_string(norms_.size()), std::make_shared<Norm>(context.width)));
      }
      stratum_of_.insert(stratum_of_.end(), static_cast<std::size_t>(sizes[stratum]),
                         static_cast<std::int64_t>(stratum));
      first += sizes[stratum];
    }
    register_module("norm", norms);
  }

  /// A token that starts anywhere in the strata with equal chance passes through (L + 1) / 2 of them.
  ExpertLayout layout() const override {
    return {.count = options_.choice.experts, .active = options_.k * (strata() + 1) / 2};
  }
  SublayerContract contract() const override { return {.dropout = !norms_states_}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const torch::Tensor everyone_T =
        torch::zeros({tokens.count()}, torch::kInt64).masked_fill(tokens.valid_T.logical_not(), strata());
    return route_round(0, everyone_T, x_TD, tokens);
  }

  std::optional<RoutingPlan> next_round(const torch::Tensor& state_TD, const torch::Tensor& y_TD, const Tokens& tokens,
                                        const RoutingPlan& last) override {
    if (tokens.count() == 0) return std::nullopt;
    const std::int64_t current = lowest(last);
    if (current == strata()) return std::nullopt;
    torch::Tensor input_TD = state_TD + y_TD;
    if (!norms_states_) input_TD = norm(current)(input_TD);
    RoutingPlan plan = route_round(current, last.round_state_T, input_TD, tokens);
    plan.io.input_TD = input_TD;
    return plan;
  }

  /// With `norm` = states: the tokens of the next round, and all after the last, go on as their norms.
  torch::Tensor after_round(const torch::Tensor& state_TD, const torch::Tensor& y_TD, const Tokens& tokens,
                            const RoutingPlan& last) override {
    if (!norms_states_ || tokens.count() == 0) return y_TD;
    const std::int64_t current = lowest(last);
    const torch::Tensor normed_T1 = (last.round_state_T == current).logical_and(tokens.valid_T).unsqueeze(1);
    const torch::Tensor now_TD = state_TD + y_TD;
    return torch::where(normed_T1.to(y_TD.device()), norm(current)(now_TD) - state_TD, y_TD);
  }

 private:
  std::int64_t strata() const { return static_cast<std::int64_t>(gates_.size()); }

  /// The gate that the next round is for; L: none.
  static std::int64_t lowest(const RoutingPlan& last) { return last.round_state_T.min().item<std::int64_t>(); }

  /// The norm of the states on the way to gate `current`, or out.
  const Norm& norm(std::int64_t current) const { return *norms_[static_cast<std::size_t>(current - 1)]; }

  /// Routes the tokens whose state is `current`. The state of a token: the gate that it sees next; L: none.
  RoutingPlan route_round(std::int64_t current, const torch::Tensor& state_T, const torch::Tensor& x_TD,
                          const Tokens& tokens) {
    Tokens taking_part = tokens;
    taking_part.valid_T = state_T == current;
    taking_part.valid = taking_part.valid_T.sum().item<std::int64_t>();
    RoutingPlan plan = gates_[static_cast<std::size_t>(current)]->route(x_TD, taking_part);
    plan.round_state_T = state_T.clone();
    auto state = plan.round_state_T.accessor<std::int64_t, 1>();
    const auto choice = plan.statistics.choice_T.accessor<std::int64_t, 1>();
    for (std::int64_t t = 0; t < tokens.count(); ++t) {
      if (choice[t] >= 0) state[t] = stratum_of_[static_cast<std::size_t>(choice[t])] + 1;
    }
    return plan;
  }

  TopKOptions options_;
  bool norms_states_;
  std::vector<std::shared_ptr<StratumGate>> gates_;
  std::vector<std::shared_ptr<Norm>> norms_;
  std::vector<std::int64_t> stratum_of_;  ///< of each expert
};

}  // namespace

RouterEntry smoe_router() {
  RouterEntry entry = make_router_entry<SmoeRouter, SmoeOptions>(
      "smoe", "experts in strata; a token passes through as many as its choices ask for",
      "Xu et al. 2023, Stratified Mixture of Experts (arXiv 2305.02176)", {{"balance_loss", 0.01}});
  entry.revision = 2;
  return entry;
}

}  // namespace moe

// GShard top-2 routing (Lepikhin et al. 2020, algorithm 1): the most probable expert and a second one. By default as in
// NLLB (Costa-jussa et al. 2022): the second best expert is always used, and weights are the probabilities over those
// of the choices that found a slot. The paper's own policy for the second expert is `random`; evaluation always uses
// the second best, so that an output does not change from call to call.
#include "routers/gating.h"
#include "routers/router.h"

#include <torch/types.h>

namespace moe {
namespace {

constexpr double smallest_weight_sum = 1.1920929e-7;  // float32 epsilon, as in fairseq

struct GshardOptions {
  std::int64_t experts = 4;
  std::string second = "all";
  double threshold = 0.2;
  std::string normalise = "after";
  std::string balance_counts = "all";
  double jitter = 0;
  CapacityOptions capacity;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 2}, experts);
    visitor.field({.key = "second",
                   .help = "the second expert in training: the second best always (all), drawn from the probabilities "
                           "of the others (sampling), the second best with probability 2 * its share of the two "
                           "(random) or if that share is above the threshold (threshold), or never (none)",
                   .choices = {"all", "sampling", "random", "threshold", "none"}},
                  second);
    visitor.field({.key = "threshold",
                   .help = "share of the two probabilities that the second must exceed, for second = threshold",
                   .minimum = 0,
                   .maximum = 1},
                  threshold);
    visitor.field({.key = "normalise",
                   .help = "divide the two weights by their sum: never, before slots are given, or after, when only "
                           "kept choices count",
                   .choices = {"none", "before", "after"}},
                  normalise);
    visitor.field(
        {.key = "balance_counts", .help = "choices that the balance loss counts", .choices = {"all", "first"}},
        balance_counts);
    visitor.field({.key = "jitter",
                   .help = "the gate, and only the gate, sees its input times U[1 - jitter, 1 + jitter] in training",
                   .minimum = 0,
                   .maximum = 1},
                  jitter);
    capacity.visit(visitor);
  }
};

class GshardRouter : public Router {
 public:
  GshardRouter(GshardOptions options, const RouterContext& context)
      : options_(std::move(options)),
        context_(context),
        gate_ED_(register_parameter("gate", make_gate_weight(options_.experts, context))) {}

  ExpertLayout layout() const override { return {.count = options_.experts, .active = 2}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const GateScores scores = softmax_gate(x_TD, gate_ED_, options_.jitter, context_, tokens);
    const RandomStream stream = call_stream(StreamTag::second_choice, context_, tokens);
    const torch::Tensor candidate_T2 = candidates(scores.logit_TE, stream, tokens);
    const torch::Tensor probability_T2 = chosen_probabilities(scores.probability_TE, candidate_T2);
    const torch::Tensor expert_T2 = skip_seconds(candidate_T2, probability_T2, stream, tokens);
    const torch::Tensor kept_T2 = fill_slots(expert_T2, options_.experts, options_.capacity, tokens);
    RoutingPlan plan = make_plan(expert_T2, kept_T2, weights(probability_T2, kept_T2), options_.experts, x_TD.device());
    plan.balance_loss = load_balancing_loss(scores.probability_TE, expert_T2, options_.balance_counts == "first",
                                            options_.capacity.group, tokens);
    plan.skipped = 2 * tokens.valid - (expert_T2 >= 0).sum().item<std::int64_t>();
    record_gate(scores, tokens, plan);
    return plan;
  }

 private:
  bool always_uses_second_best(const Tokens& tokens) const {
    return options_.second == "all" || tokens.phase == Phase::evaluate;
  }

  torch::Tensor candidates(const torch::Tensor& logit_TE, const RandomStream& stream, const Tokens& tokens) const {
    torch::Tensor candidate_T2 = best_experts(logit_TE, 2, tokens);
    if (options_.second == "sampling" && !always_uses_second_best(tokens)) {
      sample_experts(logit_TE, 1, stream, tokens, candidate_T2);
    }
    return candidate_T2;
  }

  /// The candidates without the seconds that the policy does not use (-1).
  torch::Tensor skip_seconds(const torch::Tensor& candidate_T2, const torch::Tensor& probability_T2,
                             const RandomStream& stream, const Tokens& tokens) const {
    if (options_.second == "sampling" || always_uses_second_best(tokens)) return candidate_T2;
    torch::Tensor expert_T2 = candidate_T2.clone();
    const torch::Tensor precise_T2 = probability_T2.detach().to(torch::kCPU, torch::kFloat64);
    const auto probability = precise_T2.accessor<double, 2>();
    auto expert = expert_T2.accessor<std::int64_t, 2>();
    for (std::int64_t t = 0; t < tokens.count(); ++t) {
      if (expert[t][1] < 0) continue;
      const double share = probability[t][1] / (probability[t][0] + probability[t][1]);
      const bool used = options_.second == "random" ? token_stream(stream, tokens, t).uniform() < 2 * share
                                                    : options_.second == "threshold" && share > options_.threshold;
      if (!used) expert[t][1] = -1;
    }
    return expert_T2;
  }

  /// Combine weights [T, 2]; those of choices that are not kept mean nothing. `before` divides by the sum of both
  /// candidates, so skipped and dropped choices alike leave a sum below 1; `after` gives a lone survivor the weight 1.
  torch::Tensor weights(const torch::Tensor& probability_T2, const torch::Tensor& kept_T2) const {
    if (options_.normalise == "none") return probability_T2;
    const torch::Tensor counted_T2 =
        options_.normalise == "before" ? probability_T2 : probability_T2 * kept_T2.to(probability_T2.device());
    return probability_T2 / counted_T2.sum(1, true).clamp_min(smallest_weight_sum);
  }

  GshardOptions options_;
  RouterContext context_;
  torch::Tensor gate_ED_;
};

const char* const source = "Lepikhin et al. 2020, GShard (arXiv 2006.16668); NLLB Team 2022 (arXiv 2207.04672)";
Json objective() {
  return {{"balance_loss", 0.01}};
}

}  // namespace

RouterEntry gshard_router() {
  return make_router_entry<GshardRouter, GshardOptions>(
      "gshard", "the two most probable experts, without a capacity limit", source, objective());
}

RouterEntry gshard_paper_router() {
  GshardOptions options;
  options.capacity.capacity_factor = 1.0;
  return make_router_entry<GshardRouter>("gshard-paper", "gshard with the capacity of its paper, 2 * tokens / experts",
                                         source, objective(), false, options);
}

}  // namespace moe

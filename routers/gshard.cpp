// GShard top-2 routing (Lepikhin et al. 2020, algorithm 1): the most probable expert and a second one. By default as in
// NLLB (Costa-jussa et al. 2022): the second best expert is always used, and weights are the probabilities over those
// of the choices that found a slot. The paper's own policy for the second expert is `random`; evaluation always uses
// the second best, so that an output does not change from call to call.
#include "routers/choices.h"
#include "routers/compat.h"
#include "routers/streams.h"
#include "routers/token_choice.h"

#include <torch/types.h>

#include <array>
#include <string>

namespace moe {
namespace {

/// The second expert, in training or at evaluation.
enum class Second { all, sampling, random, threshold, none };
constexpr auto second_policies = std::to_array<Choice<Second>>({
    {"all", Second::all},
    {"sampling", Second::sampling},
    {"random", Second::random},
    {"threshold", Second::threshold},
    {"none", Second::none},
});

/// What the chance of the second expert is made from, where the policy is `random`.
enum class SecondChance { share, raw, threshold };
constexpr auto second_chances = std::to_array<Choice<SecondChance>>({
    {"share", SecondChance::share},
    {"raw", SecondChance::raw},
    {"threshold", SecondChance::threshold},
});

enum class SecondWeight { share, raw };
constexpr auto second_weights =
    std::to_array<Choice<SecondWeight>>({{"share", SecondWeight::share}, {"raw", SecondWeight::raw}});

enum class AtEvaluation { all, trained };
constexpr auto evaluation_policies =
    std::to_array<Choice<AtEvaluation>>({{"all", AtEvaluation::all}, {"trained", AtEvaluation::trained}});

/// What expert output masking zeroes.
enum class Masked { vectors, elements };
constexpr auto masked_parts =
    std::to_array<Choice<Masked>>({{"vectors", Masked::vectors}, {"elements", Masked::elements}});

struct GshardOptions {
  TokenChoiceOptions choice = {.normalise = "after"};
  std::string second = "all";
  double threshold = 0.2;
  std::string second_probability = "share";
  std::string second_weight = "share";
  std::string second_at_evaluation = "all";
  double second_place_loss = 0;
  double expert_output_masking = 0;
  std::string masked_outputs = "vectors";
  std::string compat = no_profile;

  static const CompatProfiles& profiles() { return gshard_profiles(); }

  void visit(FieldVisitor& visitor) {
    choice.visit(visitor, 2);
    visitor.field({.key = "second",
                   .help = "the second expert in training: the second best always (all), drawn from the probabilities "
                           "of the others (sampling), the second best with probability 2 * its share of the two "
                           "(random) or if that share is above the threshold (threshold), or never (none)",
                   .choices = rule_names(second_policies)},
                  second);
    visitor.field({.key = "threshold",
                   .help = "share of the two probabilities that the second must exceed, for second = threshold",
                   .minimum = 0,
                   .maximum = 1},
                  threshold);
    visitor.field({.key = "second_probability",
                   .help = "with which second = random keeps the second expert: twice its share of the two "
                           "probabilities (share), twice its probability as it is (raw: fairseq without normalise = "
                           "before; transformers), or its share over the threshold (threshold: Mesh TensorFlow)",
                   .choices = rule_names(second_chances)},
                  second_probability);
    visitor.field({.key = "second_weight",
                   .help = "weight of the second expert: as `normalise` says (share), or its probability as it is "
                           "whatever the first's (raw: transformers' NLLB-MoE)",
                   .choices = rule_names(second_weights)},
                  second_weight);
    visitor.field({.key = "second_at_evaluation",
                   .help = "the second expert at evaluation: always the second best (all), or by the policy of "
                           "training (trained: fairseq, DeepSpeed, transformers, Mesh TensorFlow)",
                   .choices = rule_names(evaluation_policies)},
                  second_at_evaluation);
    visitor.field({.key = "second_place_loss",
                   .help = "weight, within the load balancing loss, of the same loss over second choices, whose P are "
                           "the probabilities without the first choice's (Mesh TensorFlow's option: 0.5)",
                   .minimum = 0},
                  second_place_loss);
    visitor.field({.key = "expert_output_masking",
                   .help = "in training an expert's output for a token is zeroed with this probability, and at "
                           "evaluation all are scaled by its complement (NLLB's EOM: 0.2)",
                   .minimum = 0,
                   .maximum = 1},
                  expert_output_masking);
    visitor.field({.key = "masked_outputs",
                   .help = "what expert output masking zeroes in training: whole outputs, the others as they are "
                           "(vectors: NLLB), or single elements, the others divided by the complement (elements: "
                           "transformers, whose evaluation is scaled by it all the same)",
                   .choices = rule_names(masked_parts)},
                  masked_outputs);
    visit_compat(visitor, profiles(), compat);
  }
  void check(const std::string& path, ConfigErrors& errors) const { choice.check_choices(2, path, errors); }
};

class GshardRouter : public SoftmaxGateRouter {
 public:
  GshardRouter(const GshardOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.choice, 2, context),
        second_(choice_named(second_policies, options.second)),
        second_chance_(choice_named(second_chances, options.second_probability)),
        second_weight_(choice_named(second_weights, options.second_weight)),
        second_at_evaluation_(choice_named(evaluation_policies, options.second_at_evaluation)),
        masked_(choice_named(masked_parts, options.masked_outputs)),
        threshold_(options.threshold),
        second_place_loss_(options.second_place_loss),
        expert_output_masking_(options.expert_output_masking) {}

 protected:
  torch::Tensor candidates(const torch::Tensor& logit_TE, const Tokens& tokens) const override {
    torch::Tensor candidate_T2 = best_experts(logit_TE, 2, tokens);
    if (second_ == Second::sampling && !always_uses_second_best(tokens)) {
      sample_experts(logit_TE, 1, stream(tokens), tokens, candidate_T2);
    }
    return candidate_T2;
  }

  torch::Tensor used(const torch::Tensor& candidate_T2, const torch::Tensor& probability_T2,
                     const Tokens& tokens) const override {
    if (second_ == Second::sampling || always_uses_second_best(tokens)) return candidate_T2;
    torch::Tensor expert_T2 = candidate_T2.clone();
    const torch::Tensor precise_T2 = probability_T2.detach().to(torch::kCPU, torch::kFloat64);
    const auto probability = precise_T2.accessor<double, 2>();
    auto expert = expert_T2.accessor<std::int64_t, 2>();
    const RandomStream draws = stream(tokens);
    for (std::int64_t t = 0; t < tokens.count(); ++t) {
      if (expert[t][1] < 0) continue;
      const double share = probability[t][1] / (probability[t][0] + probability[t][1]);
      const bool is_used = second_ == Second::random
                               ? token_stream(draws, tokens, t).uniform() < keep_probability(share, probability[t][1])
                               : second_ == Second::threshold && share > threshold_;
      if (!is_used) expert[t][1] = -1;
    }
    return expert_T2;
  }

  torch::Tensor combine_weights(const Decision& decision, const Tokens& tokens) const override {
    torch::Tensor weight_T2 = SoftmaxGateRouter::combine_weights(decision, tokens);
    if (second_weight_ != SecondWeight::raw) return weight_T2;
    return torch::cat({weight_T2.narrow(1, 0, 1), decision.probability_TK.narrow(1, 1, 1)}, 1);
  }

  void complete(const GateScores& scores, const Decision& decision, const Tokens& tokens,
                RoutingPlan& plan) const override {
    if (second_place_loss_ > 0) {
      plan.losses.balance = plan.losses.balance + second_place_loss_ * second_place_loss(scores, tokens);
    }
    if (expert_output_masking_ > 0) mask_outputs(decision, tokens, plan);
  }

 private:
  bool always_uses_second_best(const Tokens& tokens) const {
    const bool trained = tokens.call.phase == Phase::train || second_at_evaluation_ == AtEvaluation::trained;
    return second_ == Second::all || !trained;
  }
  double keep_probability(double share, double probability) const {
    if (second_chance_ == SecondChance::raw) return 2 * probability;
    return second_chance_ == SecondChance::threshold ? share / threshold_ : 2 * share;
  }

  /// The load balancing loss of second choices, before any policy: P is the mean of p without the first choice,
  /// rescaled to 1. Mesh TensorFlow, which leaves padding out of P for first choices, counts it here.
  torch::Tensor second_place_loss(const GateScores& scores, const Tokens& tokens) const {
    const torch::Tensor best_T2 = best_experts(scores.logit_TE, 2, tokens).to(scores.probability_TE.device());
    const torch::Tensor first_T1 = best_T2.narrow(1, 0, 1);
    const torch::Tensor is_first_TE =
        torch::zeros_like(scores.probability_TE, torch::kBool).scatter(1, first_T1.clamp_min(0), first_T1 >= 0);
    const torch::Tensor rest_TE = scores.probability_TE.masked_fill(is_first_TE, 0);
    const torch::Tensor probability_TE = rest_TE / (rest_TE.sum(1, /*keepdim=*/true) + 1e-9);
    const torch::Tensor second_T1 = best_T2.narrow(1, 1, 1).to(torch::kCPU);
    return load_balancing_loss(load_balance({probability_TE, second_T1, {}, {}}, policy().balance.of_second_choices(),
                                            policy().capacity.group, tokens));
  }

  void mask_outputs(const Decision& decision, const Tokens& tokens, RoutingPlan& plan) const {
    const double rate = expert_output_masking_;
    if (tokens.call.phase == Phase::evaluate) {
      plan.assignment.weight_M = plan.assignment.weight_M * (1 - rate);
      return;
    }
    // Of the pairs of a token, the second is the one that its first choice does not name.
    const torch::Tensor expert_M = assigned_experts(plan.assignment).to(torch::kCPU);
    const torch::Tensor token_M = plan.assignment.token_M.to(torch::kCPU);
    const torch::Tensor choice_M =
        (decision.expert_TK.select(1, 0).index_select(0, token_M) != expert_M).to(torch::kInt64);
    const bool whole = masked_ == Masked::vectors;
    const std::int64_t columns = whole ? 1 : context().width;
    const torch::Tensor factor_TC =
        draw_table(2 * columns, stream(tokens).at("output mask"), tokens, 1, [&](const RandomStream& stream) {
          return stream.uniform() < rate ? 0.0 : whole ? 1.0 : 1 / (1 - rate);
        });
    const torch::Tensor factor_MC = factor_TC.view({2 * tokens.count(), columns})
                                        .index_select(0, token_M * 2 + choice_M)
                                        .to(plan.assignment.weight_M.device());
    if (whole) {
      plan.assignment.weight_M = plan.assignment.weight_M * factor_MC.squeeze(1);
    } else {
      plan.io.output_factor_MD = factor_MC;
    }
  }

  RandomStream stream(const Tokens& tokens) const { return call_stream(StreamTag::second_choice, context(), tokens); }

  Second second_;
  SecondChance second_chance_;
  SecondWeight second_weight_;
  AtEvaluation second_at_evaluation_;
  Masked masked_;
  double threshold_, second_place_loss_, expert_output_masking_;
};

const char* const gshard_source = "Lepikhin et al. 2020, GShard (arXiv 2006.16668); NLLB Team 2022 (arXiv 2207.04672)";
Json gshard_objective() {
  return {{"balance_loss", 0.01}};
}

}  // namespace

RouterEntry gshard_router() {
  return make_router_entry<GshardRouter, GshardOptions>(
      "gshard", "the two most probable experts, without a capacity limit", gshard_source, gshard_objective());
}

RouterEntry gshard_paper_router() {
  GshardOptions options;
  options.choice.capacity.capacity_factor = 1.0;
  return make_router_entry<GshardRouter>("gshard-paper", "gshard with the capacity of its paper, 2 * tokens / experts",
                                         gshard_source, gshard_objective(), false, options);
}

}  // namespace moe

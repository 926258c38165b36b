// GShard top-2 routing (Lepikhin et al. 2020, algorithm 1): the most probable expert and a second one. By default as in
// NLLB (Costa-jussa et al. 2022): the second best expert is always used, and weights are the probabilities over those
// of the choices that found a slot. The paper's own policy for the second expert is `random`; evaluation always uses
// the second best, so that an output does not change from call to call.
#include "routers/streams.h"
#include "routers/token_choice.h"

#include <torch/types.h>

namespace moe {
namespace {

struct GshardOptions {
  TokenChoiceOptions choice = {.normalise = "after"};
  std::string second = "all";
  double threshold = 0.2;

  void visit(FieldVisitor& visitor) {
    choice.visit(visitor, 2);
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
  }
  void check(const std::string& path, ConfigErrors& errors) const { choice.check_fill(2, path, errors); }
};

class GshardRouter : public SoftmaxGateRouter {
 public:
  GshardRouter(const GshardOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.choice, 2, context), second_(options.second), threshold_(options.threshold) {}

 protected:
  torch::Tensor candidates(const torch::Tensor& logit_TE, const Tokens& tokens) const override {
    torch::Tensor candidate_T2 = best_experts(logit_TE, 2, tokens);
    if (second_ == "sampling" && !always_uses_second_best(tokens)) {
      sample_experts(logit_TE, 1, stream(tokens), tokens, candidate_T2);
    }
    return candidate_T2;
  }

  torch::Tensor used(const torch::Tensor& candidate_T2, const torch::Tensor& probability_T2,
                     const Tokens& tokens) const override {
    if (second_ == "sampling" || always_uses_second_best(tokens)) return candidate_T2;
    torch::Tensor expert_T2 = candidate_T2.clone();
    const torch::Tensor precise_T2 = probability_T2.detach().to(torch::kCPU, torch::kFloat64);
    const auto probability = precise_T2.accessor<double, 2>();
    auto expert = expert_T2.accessor<std::int64_t, 2>();
    const RandomStream draws = stream(tokens);
    for (std::int64_t t = 0; t < tokens.count(); ++t) {
      if (expert[t][1] < 0) continue;
      const double share = probability[t][1] / (probability[t][0] + probability[t][1]);
      const bool is_used = second_ == "random" ? token_stream(draws, tokens, t).uniform() < 2 * share
                                               : second_ == "threshold" && share > threshold_;
      if (!is_used) expert[t][1] = -1;
    }
    return expert_T2;
  }

 private:
  bool always_uses_second_best(const Tokens& tokens) const {
    return second_ == "all" || tokens.phase == Phase::evaluate;
  }
  RandomStream stream(const Tokens& tokens) const { return call_stream(StreamTag::second_choice, context(), tokens); }

  std::string second_;
  double threshold_;
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
  options.choice.capacity.capacity_factor = 1.0;
  return make_router_entry<GshardRouter>("gshard-paper", "gshard with the capacity of its paper, 2 * tokens / experts",
                                         source, objective(), false, options);
}

}  // namespace moe

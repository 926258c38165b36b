// THOR (Zuo et al. 2021): in training each MoE layer draws one expert per forward pass, and the whole batch uses it;
// a step makes two passes, whose predictions the objective draws together. Weight 1, no gate, no limit, no loss of its
// own. The paper speaks of a pair of experts, its code draws the passes independently (so both may be the same): the
// code's way is the default, `distinct_pair` the other.
#include "routers/inference.h"
#include "routers/router.h"
#include "routers/streams.h"

#include <torch/types.h>

namespace moe {
namespace {

struct ThorOptions {
  std::int64_t experts = 4;
  bool distinct_pair = false;
  std::string inference = "sentence";

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field({.key = "distinct_pair", .help = "the second pass of a step never draws the expert of the first"},
                  distinct_pair);
    visitor.field({.key = "inference",
                   .help = "evaluation: an expert drawn per token or sentence, or per position for the whole batch "
                           "(position_shared, as the released code does), mean of all outputs, one expert with the "
                           "mean of all weights (merged), or fixed:E"},
                  inference);
  }

  void check(const std::string& path, ConfigErrors& errors) const {
    check_inference(inference, experts, join_path(path, "inference"), errors);
    errors.check(!distinct_pair || experts >= 2, join_path(path, "distinct_pair"),
                 "found true with 1 expert; two passes can use different experts only with at least 2.");
  }
};

class ThorRouter : public Router {
 public:
  ThorRouter(const ThorOptions& options, const RouterContext& context)
      : options_(options), inference_(inference_named(options.inference)), context_(context) {}

  ExpertLayout layout() const override { return {.count = options_.experts}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    if (tokens.call.phase == Phase::evaluate) {
      const Inference inference = tokens.call.inference.value_or(inference_);
      return inference_plan(inference, options_.experts, StreamTag::thor_inference, context_, tokens, x_TD.device());
    }
    return make_plan(all_to(training_expert(tokens), tokens), {}, {}, options_.experts, x_TD.device());
  }

 private:
  std::int64_t training_expert(const Tokens& tokens) const {
    const RandomStream stream = call_stream(StreamTag::thor_train, context_, tokens);
    const bool second_of_pair = tokens.call.forward_pass % 2 == 1;
    if (!options_.distinct_pair || !second_of_pair) return stream.below(options_.experts);
    Tokens first_pass = tokens;
    --first_pass.call.forward_pass;
    const std::int64_t taken = training_expert(first_pass);
    const std::int64_t other = stream.below(options_.experts - 1);
    return other < taken ? other : other + 1;
  }

  ThorOptions options_;
  Inference inference_;
  RouterContext context_;
};

}  // namespace

RouterEntry thor_router() {
  return make_router_entry<ThorRouter, ThorOptions>(
      "thor", "one random expert per layer and pass in training, with two passes and a consistency loss",
      "Zuo et al. 2021, Taming Sparsely Activated Transformer with Stochastic Experts (arXiv 2110.04260)",
      Json{{"passes", 2}, {"consistency", 5.0}}, true);
}

}  // namespace moe

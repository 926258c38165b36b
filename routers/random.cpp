// Random routing: a uniform draw, weight 1, nothing learned. The floor of every chart, and the control for the claim
// that a learned gate does no better (Zuo et al. 2021, section 2).
#include "routers/choices.h"
#include "routers/inference.h"
#include "routers/router.h"
#include "routers/streams.h"

#include <torch/types.h>

#include <array>
#include <optional>
#include <string>

namespace moe {
namespace {

constexpr auto granularities = std::to_array<Choice<DrawFor>>({
    {"token", DrawFor::token},
    {"sentence", DrawFor::sentence},
    {"batch", DrawFor::batch},
});

struct RandomOptions {
  std::int64_t experts = 4;
  std::string granularity = "token";
  std::string inference = "resample";

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field({.key = "granularity",
                   .help = "what shares a draw: nothing, a sentence, or all tokens of a forward pass",
                   .choices = rule_names(granularities)},
                  granularity);
    visitor.field({.key = "inference",
                   .help = "evaluation: fresh draws with the granularity of training (resample), or token, sentence, "
                           "position_shared, mean, merged, fixed:E"},
                  inference);
  }

  bool resamples() const { return inference == "resample"; }

  void check(const std::string& path, ConfigErrors& errors) const {
    if (!resamples()) check_inference(inference, experts, join_path(path, "inference"), errors);
  }
};

class RandomRouter : public Router {
 public:
  RandomRouter(const RandomOptions& options, const RouterContext& context)
      : experts_(options.experts), granularity_(choice_named(granularities, options.granularity)), context_(context) {
    if (!options.resamples()) inference_ = inference_named(options.inference);
  }

  ExpertLayout layout() const override { return {.count = experts_}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const std::optional<Inference> inference = tokens.call.inference ? tokens.call.inference : inference_;
    if (tokens.call.phase == Phase::evaluate && inference) {
      return inference_plan(*inference, experts_, StreamTag::random_route, context_, tokens, x_TD.device());
    }
    const RandomStream stream = call_stream(StreamTag::random_route, context_, tokens);
    return make_plan(draw_experts(granularity_, experts_, stream, tokens), {}, {}, experts_, x_TD.device());
  }

 private:
  std::int64_t experts_;
  DrawFor granularity_;
  std::optional<Inference> inference_;  ///< none: as in training
  RouterContext context_;
};

}  // namespace

RouterEntry random_router() {
  return make_router_entry<RandomRouter, RandomOptions>("random", "a uniform draw for each token, nothing learned",
                                                        "control of this suite; see Zuo et al. 2021 (arXiv 2110.04260)",
                                                        Json::object(), true);
}

}  // namespace moe

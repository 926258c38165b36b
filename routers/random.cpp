// Random routing: a uniform draw, weight 1, nothing learned. The floor of every chart, and the control for the claim
// that a learned gate does no better (Zuo et al. 2021, section 2).
#include "routers/inference.h"
#include "routers/router.h"

#include <torch/types.h>

namespace moe {
namespace {

struct RandomOptions {
  std::int64_t experts = 4;
  std::string granularity = "token";
  std::string inference = "resample";

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field({.key = "granularity",
                   .help = "what shares a draw: nothing, a sentence, or all tokens of a forward pass",
                   .choices = {"token", "sentence", "batch"}},
                  granularity);
    visitor.field({.key = "inference",
                   .help = "evaluation: fresh draws with the granularity of training (resample), or token, sentence, "
                           "position_shared, mean, merged, fixed:E"},
                  inference);
  }

  void check(const std::string& path, ConfigErrors& errors) const {
    if (inference != "resample") check_inference(inference, experts, join_path(path, "inference"), errors);
  }
};

class RandomRouter : public Router {
 public:
  RandomRouter(RandomOptions options, const RouterContext& context) : options_(std::move(options)), context_(context) {}

  ExpertLayout layout() const override { return {.count = options_.experts}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const bool as_trained = tokens.call.phase == Phase::train || options_.inference == "resample";
    return inference_plan(as_trained ? options_.granularity : options_.inference, options_.experts,
                          StreamTag::random_route, context_, tokens, x_TD.device());
  }

 private:
  RandomOptions options_;
  RouterContext context_;
};

}  // namespace

RouterEntry random_router() {
  return make_router_entry<RandomRouter, RandomOptions>("random", "a uniform draw for each token, nothing learned",
                                                        "control of this suite; see Zuo et al. 2021 (arXiv 2110.04260)",
                                                        Json::object(), true);
}

}  // namespace moe

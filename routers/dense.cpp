// No choice: every token passes through one feed-forward net, the control of every comparison. `dense` has the active
// parameters and FLOPs of one expert, `dense-2x` those of two (the partner of top-2 routing), `dense-wide` the total
// parameters of the MoE model.
#include "routers/gating.h"
#include "routers/router.h"

#include <torch/types.h>

namespace moe {
namespace {

struct NoOptions {
  void visit(FieldVisitor& /*visitor*/) {}
};

struct WideOptions {
  std::int64_t experts = 4;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "width of the one net, in widths of an expert", .minimum = 1}, experts);
  }
};

class DenseRouter : public Router {
 public:
  explicit DenseRouter(std::int64_t width_factor) : width_factor_(width_factor) {}

  ExpertLayout layout() const override { return {.count = 1, .width_factor = width_factor_}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    return make_plan(all_to(0, tokens), {}, {}, 1, x_TD.device());
  }

 private:
  std::int64_t width_factor_;
};

struct Dense : DenseRouter {
  Dense(const NoOptions& /*options*/, const RouterContext& /*context*/) : DenseRouter(1) {}
};

struct DenseTwice : DenseRouter {
  DenseTwice(const NoOptions& /*options*/, const RouterContext& /*context*/) : DenseRouter(2) {}
};

struct DenseWide : DenseRouter {
  DenseWide(const WideOptions& options, const RouterContext& /*context*/) : DenseRouter(options.experts) {}
};

const char* const dense_source = "Vaswani et al. 2017, Attention Is All You Need (arXiv 1706.03762)";

}  // namespace

RouterEntry dense_router() {
  return make_router_entry<Dense, NoOptions>("dense", "one feed-forward net of the width of one expert", dense_source,
                                             Json::object());
}

RouterEntry dense_2x_router() {
  return make_router_entry<DenseTwice, NoOptions>("dense-2x", "one feed-forward net of the width of two experts",
                                                  dense_source, Json::object());
}

RouterEntry dense_wide_router() {
  return make_router_entry<DenseWide, WideOptions>(
      "dense-wide", "one feed-forward net with the parameters of all experts", dense_source, Json::object());
}

}  // namespace moe

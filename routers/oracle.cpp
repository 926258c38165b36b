// The oracle of known-answer worlds: reads each token's label, which the world gives and no other router may see, and
// sends it to expert label mod E with weight 1. The positive control: a world in which it does not beat a dense net is
// too easy to tell strategies apart. Worlds have experts in the encoder alone; the decoder's router is `hash`.
#include "core/error.h"
#include "routers/decoder_router.h"
#include "routers/router.h"

#include <torch/types.h>

namespace moe {
namespace {

struct OracleOptions {
  std::int64_t experts = 4;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
  }
};

class OracleRouter : public Router {
 public:
  OracleRouter(const OracleOptions& options, const RouterContext& /*context*/) : experts_(options.experts) {}

  ExpertLayout layout() const override { return {.count = experts_}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    MOE_CHECK(tokens.label_T.defined(), "The router oracle needs labels, which only known-answer worlds have.");
    const torch::Tensor expert_T = tokens.label_T.remainder(experts_).masked_fill(tokens.valid_T.logical_not(), -1);
    return make_plan(expert_T.unsqueeze(1), {}, {}, experts_, x_TD.device());
  }

 private:
  std::int64_t experts_;
};

}  // namespace

RouterEntry oracle_router() {
  RouterEntry entry = make_router_entry<OracleRouter, OracleOptions>(
      "oracle", "reads the right expert off hidden labels, in known-answer worlds alone", "control of this suite",
      Json::object());
  entry.needs_labels = true;
  return with_decoder_router(std::move(entry), [](const Json& /*options*/) { return "hash"; });
}

}  // namespace moe

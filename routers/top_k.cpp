// Top-k routing without a limit (Gale et al. 2022, MegaBlocks): the k most probable experts, weights their
// probabilities as they are; nothing is dropped unless a capacity is asked for.
#include "routers/token_choice.h"

namespace moe {
namespace {

struct TopKOptions : TokenChoiceOptions {
  std::int64_t k = 2;

  void visit(FieldVisitor& visitor) {
    TokenChoiceOptions::visit(visitor, 1);
    visitor.field({.key = "k", .help = "experts of a token", .minimum = 1}, k);
  }
  void check(const std::string& path, ConfigErrors& errors) const { check_choices(k, path, errors); }
};

class TopKRouter : public SoftmaxGateRouter {
 public:
  TopKRouter(const TopKOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options, options.k, context) {}
};

}  // namespace

RouterEntry top_k_router() {
  return make_router_entry<TopKRouter, TopKOptions>("top_k", "the k most probable experts, without a capacity limit",
                                                    "Gale et al. 2022, MegaBlocks (arXiv 2211.15841)",
                                                    {{"balance_loss", 0.01}});
}

}  // namespace moe

// Top-k routing without a limit (Gale et al. 2022, MegaBlocks): the k most probable experts, weights their
// probabilities as they are; nothing is dropped unless a capacity is asked for.
#include "routers/compat.h"
#include "routers/token_choice.h"

#include <string>

namespace moe {
namespace {

struct TopKRouterOptions {
  TopKOptions top_k = {.choice = {}, .k = 2};
  std::string compat = no_profile;

  static const CompatProfiles& profiles() { return top_k_profiles(); }

  void visit(FieldVisitor& visitor) {
    top_k.visit(visitor);
    visit_compat(visitor, profiles(), compat);
  }
  void check(const std::string& path, ConfigErrors& errors) const { top_k.check(path, errors); }
};

class TopKRouter : public SoftmaxGateRouter {
 public:
  TopKRouter(const TopKRouterOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.top_k.choice, options.top_k.k, context) {}
};

}  // namespace

RouterEntry top_k_router() {
  return make_router_entry<TopKRouter, TopKRouterOptions>(
      "top_k", "the k most probable experts, without a capacity limit",
      "Gale et al. 2022, MegaBlocks (arXiv 2211.15841)", {{"balance_loss", 0.01}});
}

}  // namespace moe

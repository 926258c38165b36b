// Top-k routing without a limit (Gale et al. 2022, MegaBlocks): the k most probable experts, weights their
// probabilities as they are; nothing is dropped unless a capacity is asked for.
#include "routers/token_choice.h"

namespace moe {
namespace {

class TopKRouter : public SoftmaxGateRouter {
 public:
  TopKRouter(const TopKOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.choice, options.k, context) {}
};

}  // namespace

RouterEntry top_k_router() {
  TopKOptions options;
  options.k = 2;
  return make_router_entry<TopKRouter>("top_k", "the k most probable experts, without a capacity limit",
                                       "Gale et al. 2022, MegaBlocks (arXiv 2211.15841)", {{"balance_loss", 0.01}},
                                       false, options);
}

}  // namespace moe

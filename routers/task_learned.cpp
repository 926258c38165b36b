// Learned task routing (Kudugunta et al. 2021): the gate sees an embedding of the task instead of the token, so all
// tokens of a sentence choose alike, and one set of experts serves a request.
#include "routers/tasks.h"
#include "routers/token_choice.h"

namespace moe {
namespace {

class TaskLearnedRouter : public SoftmaxGateRouter {
 public:
  TaskLearnedRouter(const TopKOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.choice, options.k, context),
        embedding_GD_(register_parameter(
            "task_embedding", make_router_weight(context.directions, context.width, 1, "task_embedding", context))) {}

 protected:
  GateScores score(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const torch::Tensor task_T = tasks_of(tokens, context()).to(x_TD.device());
    return SoftmaxGateRouter::score(embedding_GD_.index_select(0, task_T), one_place(tokens));
  }

 private:
  torch::Tensor embedding_GD_;
};

}  // namespace

RouterEntry task_learned_router() {
  RouterEntry entry = make_router_entry<TaskLearnedRouter, TopKOptions>(
      "task_learned", "experts chosen by an embedding of the direction of translation",
      "Kudugunta et al. 2021, Beyond Distillation (arXiv 2110.03742)", {{"balance_loss", 0.01}});
  entry.revision = 2;
  return entry;
}

}  // namespace moe

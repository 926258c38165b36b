// Task-aware token routing (Gupta et al. 2022): tokens choose for themselves, by a gate that knows the task of their
// sentence.
#include "routers/tasks.h"
#include "routers/token_choice.h"

#include <torch/types.h>

// Legend: T tokens, G tasks, D width, E experts.

namespace moe {
namespace {

/// l_t = W_task(t) x_t: one gate for each task, `weight` [G, E, D].
class TaskAwareRouter : public TokenChoiceRouter {
 public:
  TaskAwareRouter(const TopKOptions& options, const RouterContext& context)
      : TokenChoiceRouter(options.choice, options.k, context),
        gate_GED_(register_parameter("weight", make_gates(options.choice.experts, context))) {}

 protected:
  GateScores score(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const torch::Tensor task_T = tasks_of(tokens, context()).to(x_TD.device());
    const std::int64_t experts = policy().experts;
    const torch::Tensor gate_FD = gate_GED_.flatten(0, 1);  // F = G E: the gates of all tasks
    return softmax_scores(policy().noise, context(), tokens, [&](double jitter) {
      const torch::Tensor logit_TF = gate_logits(x_TD, gate_FD, jitter, context(), tokens);
      const torch::Tensor logit_TGE = logit_TF.view({logit_TF.size(0), context().directions, experts});
      return logit_TGE.gather(1, task_T.view({-1, 1, 1}).expand({-1, 1, experts})).squeeze(1);
    });
  }

 private:
  static torch::Tensor make_gates(std::int64_t experts, const RouterContext& context) {
    const torch::Tensor gate_FD = make_gate_weight(context.directions * experts, context);
    return gate_FD.view({context.directions, experts, context.width});
  }

  torch::Tensor gate_GED_;
};

}  // namespace

RouterEntry task_aware_token_router() {
  return make_router_entry<TaskAwareRouter, TopKOptions>(
      "task_aware_token", "the k most probable experts by a gate of the direction's own",
      "Gupta et al. 2022, Sparsely Activated MoE are Robust Multi-Task Learners (arXiv 2204.07689)",
      {{"balance_loss", 0.01}});
}

}  // namespace moe

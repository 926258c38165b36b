// Static task routing: an expert for each task, by a table. All tokens of a sentence use the same expert, so a dense
// model of one task can be cut out. The upper bound of specialisation; weight 1, nothing learned.
#include "routers/tasks.h"

namespace moe {
namespace {

struct TaskStaticOptions {
  std::int64_t experts = 4;

  void visit(FieldVisitor& visitor) {
    visitor.field(
        {.key = "experts",
         .help = "number of experts of a layer; task t, in the order of data.directions, goes to t mod experts",
         .minimum = 1},
        experts);
  }
};

class TaskStaticRouter : public Router {
 public:
  TaskStaticRouter(const TaskStaticOptions& options, const RouterContext& context)
      : experts_(options.experts), context_(context) {}

  ExpertLayout layout() const override { return {.count = experts_}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const torch::Tensor expert_T =
        tasks_of(tokens, context_).remainder(experts_).masked_fill(tokens.valid_T.logical_not(), -1);
    return make_plan(expert_T.unsqueeze(1), {}, {}, experts_, x_TD.device());
  }

 private:
  std::int64_t experts_;
  RouterContext context_;
};

}  // namespace

RouterEntry task_static_router() {
  return make_router_entry<TaskStaticRouter, TaskStaticOptions>(
      "task_static", "a fixed expert for each direction of translation",
      "Kudugunta et al. 2021, Beyond Distillation (arXiv 2110.03742)", Json::object());
}

}  // namespace moe

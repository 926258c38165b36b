#include "routers/plan.h"

#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {

TEST_CASE("a plan is sorted by expert, then by row, and carries weights with their gradient") {
  const torch::Tensor expert_TK = torch::tensor({{1, 0}, {-1, -1}, {2, 1}, {0, 2}}, torch::kInt64);
  const torch::Tensor kept_TK = torch::tensor({{true, true}, {false, false}, {true, false}, {true, true}});
  const torch::Tensor weight_TK =
      torch::tensor({{.1, .2}, {.3, .4}, {.5, .6}, {.7, .8}}, torch::kFloat32).requires_grad_(true);
  const RoutingPlan plan = make_plan(expert_TK, kept_TK, weight_TK, 4, torch::kCPU);

  CHECK(plan.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 2, 3, 5, 5});
  CHECK(plan.assignment.experts() == 4);
  CHECK(plan.assignment.load(0) == 2);
  CHECK(plan.assignment.load(3) == 0);
  CHECK(plan.assignment.token_M.equal(torch::tensor({0, 3, 0, 2, 3}, torch::kInt64)));
  CHECK(all_close(plan.assignment.weight_M, torch::tensor({.2, .7, .1, .5, .8}), 1e-7));
  CHECK(plan.statistics.choice_T.equal(torch::tensor({1, -1, 2, 0}, torch::kInt64)));
  CHECK(plan.statistics.dropped_T.equal(torch::tensor({0, 0, 1, 0}, torch::kInt64)));

  (plan.assignment.weight_M * torch::tensor({1., 2., 3., 4., 5.})).sum().backward();
  CHECK(all_close(weight_TK.grad(), torch::tensor({{3., 1.}, {0., 0.}, {4., 0.}, {2., 5.}}), 0));
}

TEST_CASE("without a mask all choices are kept, without weights all are 1") {
  const RoutingPlan plan = make_plan(torch::tensor({{1}, {-1}, {0}}, torch::kInt64), {}, {}, 2, torch::kCPU);
  CHECK(plan.assignment.token_M.equal(torch::tensor({2, 0}, torch::kInt64)));
  CHECK_FALSE(plan.assignment.weight_M.defined());
  CHECK(plan.statistics.dropped_T.sum().item<std::int64_t>() == 0);
}

TEST_CASE("an expert that does not exist is an error") {
  CHECK_THROWS_WITH(make_plan(torch::tensor({{0}, {2}}, torch::kInt64), {}, {}, 2, torch::kCPU),
                    "Token 1 is routed to expert 2 of 2.");
}

TEST_CASE("sending all to one expert leaves padding out") {
  const Tokens tokens = make_tokens({{0, {5, 6}}, {1, {8}}});
  CHECK(all_to(3, tokens).equal(torch::tensor({{3}, {3}, {3}, {-1}}, torch::kInt64)));
}

}  // namespace moe
